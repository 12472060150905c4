"""When a request is tried again, and after how long: pure decisions, no waiting."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import attrs

from itwin_async.errors import ApiError, ArgumentError, RateLimitError, ServerError, TransportError

_LONGEST = 10 * 365 * 86400.0


class Repeat(Enum):
    """Whether an operation may be sent twice."""

    SAFE = "safe"
    """The second call changes nothing that the first did not."""
    UNSAFE = "unsafe"
    """A second call may create a twin: repeated only if the first surely was not carried out."""


@attrs.frozen
class Wait:
    """Try again after this many seconds."""

    seconds: float


@attrs.frozen
class Stop:
    """Raise the error."""


Decision = Wait | Stop


def _positive(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ArgumentError(attribute.name, value, "a number of at least 0")


def _count(_: object, attribute: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ArgumentError(attribute.name, value, "a whole number of at least 0")


@attrs.frozen
class RetryPolicy:
    """
    How failed requests are repeated: exponential backoff with full jitter.

    Args:
        retries: how often a request is repeated after 5xx, time-outs and lost connections.
        rate_limit_retries: how often it is repeated after 429, where nothing was done.
        base: upper bound of the first wait, in seconds; each further one is twice as long.
        cap: upper bound of every wait that the server did not ask for, in seconds.
        max_retry_after: longest ``Retry-After`` that is waited for, in seconds; more raises.
        clock: monotonic clock in seconds.
        sleep: coroutine function that waits for some seconds.
        rng: returns a random number from 0 up to 1.
        now: wall clock in seconds since 1970, for ``Retry-After`` dates.

    """

    retries: int = attrs.field(default=4, validator=_count)
    rate_limit_retries: int = attrs.field(default=10, validator=_count)
    base: float = attrs.field(default=0.5, validator=_positive)
    cap: float = attrs.field(default=20.0, validator=_positive)
    max_retry_after: float = attrs.field(default=120.0, validator=_positive)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    rng: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def decide(
        self, error: ApiError | TransportError, *, repeat: Repeat, failures: int, refusals: int
    ) -> Decision:
        """
        Decide what follows a failed attempt.

        Args:
            error: how the attempt failed.
            repeat: whether the operation may be sent twice.
            failures: how many attempts of this call failed, this one included, 429 left out.
            refusals: how many were answered with 429 so far, this one included.

        Returns:
            ``Wait`` with the seconds, or ``Stop``.

        """
        if isinstance(error, RateLimitError):
            return self._after_refusal(error, refusals)
        if failures > self.retries or not self._may_repeat(error, repeat):
            return Stop()
        if isinstance(error, ServerError) and error.retry_after is not None:
            return self._as_asked(error.retry_after)
        return Wait(self._backoff(failures))

    def _after_refusal(self, error: RateLimitError, refusals: int) -> Decision:
        if refusals > self.rate_limit_retries:
            return Stop()
        if not error.retry_after:  # none, or "at once", which would be refused again and again
            return Wait(max(self.base / 2, self._backoff(refusals)))
        return self._as_asked(error.retry_after)

    def _as_asked(self, seconds: float) -> Decision:
        # Jitter only upward: not before the moment that was named, and not all at once.
        if seconds > self.max_retry_after:
            return Stop()
        return Wait(seconds + self.rng() * min(0.25, 0.05 + seconds * 0.1))

    def _backoff(self, failures: int) -> float:
        return self.rng() * min(self.cap, self.base * 2.0 ** min(failures - 1, 60))

    @staticmethod
    def _may_repeat(error: ApiError | TransportError, repeat: Repeat) -> bool:
        if isinstance(error, TransportError):
            return error.retryable and (repeat is Repeat.SAFE or not error.sent)
        return isinstance(error, ServerError) and repeat is Repeat.SAFE


def parse_retry_after(value: str | None, now: float) -> float | None:
    """
    Read a ``Retry-After`` header: seconds or an HTTP date.

    Args:
        value: the header, or ``None``.
        now: wall clock in seconds since 1970.

    Returns:
        Seconds to wait, at least 0; ``None`` where the header is missing or makes no sense.

    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text) if text.replace(".", "", 1).lstrip("+-").isdecimal() else None
    except ValueError:
        return None
    if seconds is None:
        seconds = _seconds_until(text, now)
    if seconds is None:
        return None
    return min(max(seconds, 0.0), _LONGEST)


def _seconds_until(text: str, now: float) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now
