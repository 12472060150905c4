"""When a request is tried again, and after how long: pure decisions, no waiting."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from enum import Enum

import attrs

from itwin_async._arguments import count, not_negative
from itwin_async.errors import ApiError, RateLimitError, ServerError, TransportError


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


@attrs.frozen
class RetryPolicy:
    """
    How failed requests are repeated: exponential backoff with full jitter.

    Args:
        retries: how often a request is repeated after 5xx, time-outs and lost connections; a 429 is
            no such failure.
        rate_limit_retries: how often it is repeated after 429, where nothing was done.
        base: upper bound of the first wait, in seconds; each further one is twice as long.
        cap: upper bound of every wait that the server did not ask for, in seconds.
        max_retry_after: longest ``Retry-After`` that is waited for, in seconds; more raises.
        clock: monotonic clock in seconds.
        sleep: coroutine function that waits for some seconds.
        rng: returns a random number from 0 up to 1.
        now: wall clock in seconds since 1970, for ``Retry-After`` dates.

    """

    retries: int = attrs.field(default=4, validator=count)
    rate_limit_retries: int = attrs.field(default=10, validator=count)
    base: float = attrs.field(default=0.5, validator=not_negative)
    cap: float = attrs.field(default=20.0, validator=not_negative)
    max_retry_after: float = attrs.field(default=120.0, validator=not_negative)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    rng: Callable[[], float] = random.random
    now: Callable[[], float] = time.time

    def decide(
        self, error: ApiError | TransportError, *, repeat: Repeat, failures: int, rate_limited: int
    ) -> Decision:
        """
        Decide what follows a failed attempt.

        Args:
            error: how the attempt failed.
            repeat: whether the operation may be sent twice.
            failures: how many attempts of this call failed, this one included, 429 left out.
            rate_limited: how many were answered with 429 so far, this one included.

        Returns:
            ``Wait`` with the seconds, or ``Stop``.

        """
        if isinstance(error, RateLimitError):
            return self._after_rate_limit(error, rate_limited)
        if failures > self.retries or not self._may_repeat(error, repeat):
            return Stop()
        if isinstance(error, ServerError) and error.retry_after is not None:
            return self._as_asked(error.retry_after)
        return Wait(self._backoff(failures))

    def _after_rate_limit(self, error: RateLimitError, count: int) -> Decision:
        if count > self.rate_limit_retries:
            return Stop()
        if not error.retry_after:  # none, or "at once", which would be answered with 429 again
            return Wait(max(self.base / 2, self._backoff(count)))
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
