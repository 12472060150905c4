"""How long a harvest waits for a platform that does not answer, instead of failing lists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

import attrs

from itwin_async.errors import ApiError, ITwinError, RateLimitError, ServerError, TransportError
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.checkpoint import Entry
from itwin_async.session import Session, internals_of

Verdict: TypeAlias = Literal["fail", "later", "again"]

_FIRST = 1.0  # seconds
_LONGEST = 30.0
_STEP = 1.0
_NOBODY = {"dns", "connection", "proxy", "token provider"}


@attrs.define(eq=False)
class Reading:
    """
    A list that is being read.

    Attributes:
        entry: the list.
        cursor: where it is.
        struck: how many calls of the harvest had succeeded when one of its own failed for the
            platform's sake; ``None`` where none did since its last page.

    """

    entry: Entry
    cursor: str | None
    struck: int | None = None


class Patience:
    """
    Tells a list that cannot be read from a platform that is away, and waits for that.

    Args:
        session: its retry policy has the clock, the sleep and the random numbers.
        limit: longest wait without any answer, in seconds; 0 for none.
        calls: what other calls came to.
        on_wait: called when a wait begins.

    """

    def __init__(
        self, session: Session, limit: float, calls: CallCounter, on_wait: Callable[[], None]
    ) -> None:
        self._policy = internals_of(session).client.retry
        self._limit = limit
        self._calls = calls
        self._on_wait = on_wait
        self._lock = asyncio.Lock()
        self._known = -1  # calls that had succeeded when the platform went away
        self._since: float | None = None
        self._slept = 0.0
        self._pause = _FIRST
        self._in_a_row = 0
        self._waiting = 0
        self._error: ITwinError | None = None

    @property
    def until(self) -> datetime | None:
        """When the harvest gives up; ``None`` if it does not wait for the platform."""
        if self._since is None or not self._waiting or self._calls.succeeded > self._known:
            return None
        return datetime.fromtimestamp(self._policy.now(), UTC) + timedelta(seconds=self._left())

    @property
    def reason(self) -> str:
        """What is waited for: what the platform answered last, or why it could not be reached."""
        return "" if self._error is None else f"the platform: {_reason(self._error)}"

    async def judge(self, reading: Reading, error: ITwinError) -> Verdict:
        """
        Wait while the platform is away, and tell what to do with a list that failed.

        Returns:
            ``"fail"``: it is the list's own fault; ``"later"``: try it again when others were
            read; ``"again"``: from where it is.

        Raises:
            ITwinError: ``error``, for the platform was away too long.

        """
        if not self._limit or not _may_pass(error):
            return "fail"
        calls = self._calls
        if calls.succeeded > self._known:
            self._known, self._since, self._slept = calls.succeeded, None, 0.0
            self._pause, self._in_a_row = _FIRST, 0
        others = isinstance(error, TransportError | ApiError) and calls.others_succeeded(
            error.request_id
        )
        if _is_of_a_list(error):
            if reading.struck is None:
                reading.struck = calls.succeeded
                self._in_a_row += 1
                # The first one may have a fault of its own: the next list tells.
                if others or self._in_a_row == 1:
                    return "later"
            elif calls.succeeded > reading.struck:
                return "fail"
        await self._wait(error)
        return "again"

    async def _wait(self, error: ITwinError) -> None:
        """Wait, so that one after another tries whether the platform is there again."""
        policy, calls = self._policy, self._calls
        if self._since is None:
            self._since = policy.clock()
        self._error = error
        known = calls.succeeded
        self._waiting += 1
        try:
            async with self._lock:
                if calls.succeeded > known:
                    return
                left, asked = self._left(), getattr(error, "retry_after", None) or 0.0
                if left <= 0 or asked > left:
                    raise error
                rest = min(left, max(asked, self._pause * (0.75 + policy.rng() / 2)))
                self._pause = min(2 * self._pause, _LONGEST)
                self._on_wait()
                while rest > 0 and calls.succeeded == known:
                    step = min(rest, _STEP)
                    await policy.sleep(step)
                    self._slept += step
                    rest -= step
        finally:
            self._waiting -= 1

    def _left(self) -> float:
        since = self._policy.clock() if self._since is None else self._since
        return max(0.0, self._limit - max(self._policy.clock() - since, self._slept))


def is_hopeless(error: ITwinError) -> bool:
    """Tell whether every list would fail like this, now and later."""
    return (
        isinstance(error, TransportError)
        and error.kind in {"tls", "proxy", "pacer"}
        and not error.retryable
    )


def _may_pass(error: ITwinError) -> bool:
    if isinstance(error, TransportError):
        return error.kind != "closed" and (error.retryable or error.kind in {"waiting", *_NOBODY})
    return isinstance(error, ServerError | RateLimitError)


def _is_of_a_list(error: ITwinError) -> bool:
    if isinstance(error, TransportError):
        return error.kind not in {"waiting", *_NOBODY}
    return isinstance(error, ServerError)


def _reason(error: ITwinError) -> str:
    if isinstance(error, ApiError):
        return f"{error.status} {error.code or error.message or ''}".strip()
    return str(error.args[0])
