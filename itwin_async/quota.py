"""
Shared pacing of all calls of a session: a known quota, and the pause after a 429.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from itwin_async.errors import ArgumentError


def _number(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < float("inf")
    ):
        raise ArgumentError(attribute.name, value, "a number above 0")


@attrs.frozen
class Quota:
    """
    How many calls the platform allows a client, for instance ``Quota(500, per_seconds=60)``.

    Args:
        requests: calls in a window.
        per_seconds: length of the window, in seconds.
        burst: calls that may go at once after a rest. Any window still holds at most ``requests``:
            a burst makes the even pace between bursts slower. By default 4 % of ``requests``.

    """

    requests: float = attrs.field(validator=_number)
    per_seconds: float = attrs.field(default=60.0, validator=_number)
    burst: float = attrs.field(
        default=attrs.Factory(lambda quota: max(1.0, quota.requests * 0.04), takes_self=True),
        validator=_number,
    )

    @property
    def interval(self) -> float:
        """
        Seconds between two calls of an even pace.
        """
        return self.per_seconds / max(1, self.requests - (self.burst - 1))


class Pacer:
    """
    The gate that every call of a session and its views passes, in order of arrival.

    Args:
        quota: the known quota, or ``None``.
        clock: monotonic clock in seconds.
        sleep: coroutine function that waits for some seconds.

    """

    def __init__(
        self,
        quota: Quota | None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._interval = quota.interval if quota else 0.0
        self._tolerance = self._interval * (quota.burst - 1) if quota else 0.0
        self._due = clock()
        self._hold = self._due
        self._lock = asyncio.Lock()
        self.open = quota is None
        self.waiting = 0

    async def enter(self, wait_limit: float) -> bool:
        """
        Wait for this call's turn.

        Args:
            wait_limit: longest wait that makes sense, in seconds.

        Returns:
            ``False`` if the turn would come later than that; then nothing was waited for.

        """
        self.waiting += 1
        started = self._clock()
        try:
            async with self._lock:
                while True:
                    now = self._clock()
                    delay = max(self._hold - now, self._due - self._tolerance - now)
                    if delay <= 0:
                        break
                    if now - started + delay > wait_limit:
                        return False
                    await self._sleep(delay)
                self._due = max(self._due, self._clock()) + self._interval
                self.open = not self._interval
                return True
        finally:
            self.waiting -= 1

    @property
    def held(self) -> bool:
        """
        Whether nobody may pass at this moment.
        """
        return not self.open and self._clock() < self._hold

    def hold(self, seconds: float) -> None:
        """
        Let nobody pass for some time, because the platform answered 429.

        Args:
            seconds: how long from now.

        """
        self._hold = max(self._hold, self._clock() + seconds)
        self.open = False
