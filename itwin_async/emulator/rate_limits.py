"""Rate limits: a fixed window, or a bucket that fills."""

from __future__ import annotations

import math
from typing import Literal

import attrs
from attrs import validators

from itwin_async.emulator.clock import EmulatorClock

_is = validators.instance_of


@attrs.frozen
class RateLimit:
    """
    How many calls are allowed.

    Args:
        requests: how many calls are allowed in a period.
        per_seconds: the period.
        kind: a fixed window that starts with the first call, or a token bucket.
        burst: the size of a bucket; `requests` when None.
        shared: whether all callers share one limit; otherwise each has its own.
        per_api: whether iModels, iTwins and Saved Views are counted separately.
        header: whether responses have a header with the remaining calls.
        retry_after: whether a 429 has the header `retry-after`.

    """

    requests: int = attrs.field(validator=[_is(int), validators.ge(1)])
    per_seconds: float = attrs.field(converter=float, validator=validators.gt(0))
    kind: Literal["window", "bucket"] = attrs.field(
        default="window", validator=validators.in_(("window", "bucket"))
    )
    burst: int | None = attrs.field(
        default=None, validator=validators.optional([_is(int), validators.ge(1)])
    )
    shared: bool = False
    per_api: bool = False
    header: bool = False
    retry_after: bool = True


class RateLimiter:
    """
    Counts calls against a limit.

    Args:
        limit: what is allowed.
        clock: the emulator's time.

    """

    def __init__(self, limit: RateLimit | None, clock: EmulatorClock) -> None:
        self.limit = limit
        self._clock = clock
        # By caller: the start and the calls of a window, or the time and the level of a bucket.
        self._states: dict[str, tuple[float, float]] = {}

    def reset(self, limit: RateLimit | None) -> None:
        """Set the limit and forget all calls."""
        self.limit = limit
        self._states.clear()

    def take(self, client: str, api: str) -> tuple[float, int]:
        """
        Count a call of a client to an API.

        Returns:
            Seconds to wait, 0 when the call is allowed; and how many calls remain.

        """
        limit = self.limit
        if limit is None:
            return 0.0, 0
        key = ("" if limit.shared else client) + (f"/{api}" if limit.per_api else "")
        return self._bucket(limit, key) if limit.kind == "bucket" else self._window(limit, key)

    def headers(self, wait: float, remaining: int) -> dict[str, str]:
        """Return the headers of the response."""
        found: dict[str, str] = {}
        if self.limit is None:
            return found
        if wait and self.limit.retry_after:
            found["retry-after"] = str(max(1, math.ceil(wait)))
        if self.limit.header:
            found["iTwinPlatform-RateLimit-RemainingCalls"] = str(remaining)
        return found

    def _window(self, limit: RateLimit, key: str) -> tuple[float, int]:
        now = self._clock.now()
        start, used = self._states.get(key, (now, 0))
        if not 0 <= now - start < limit.per_seconds:
            start, used = now, 0
        if used >= limit.requests:
            return start + limit.per_seconds - now, 0
        self._states[key] = (start, used + 1)
        return 0.0, limit.requests - int(used) - 1

    def _bucket(self, limit: RateLimit, key: str) -> tuple[float, int]:
        now = self._clock.now()
        size = float(limit.burst or limit.requests)
        rate = limit.requests / limit.per_seconds
        before, level = self._states.get(key, (now, size))
        level = min(size, level + max(0.0, now - before) * rate)
        allowed = level >= 1
        self._states[key] = (now, level - allowed)
        return (0.0, int(level - 1)) if allowed else ((1 - level) / rate, 0)
