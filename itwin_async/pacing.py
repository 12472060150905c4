"""The limiter of a session as an object of its own, for several sessions or to be hosted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from itwin_async._arguments import between, optional
from itwin_async._http.limiter import Limiter
from itwin_async.errors import ConfigurationError
from itwin_async.quota import Quota

_LONGEST = 1e9  # seconds


class LocalPacer:
    """
    A ``Pacer`` in memory: what paces a session by default, shared by several sessions.

    It belongs to one event loop. A process that hosts it for others hands on their ``enter``,
    ``hold`` and ``accept``.

    Args:
        quota: how many calls are allowed; ``None`` if that is not known: then a rate is learned.
        clock: monotonic clock in seconds.
        sleep: coroutine function that waits for some seconds.

    Raises:
        ArgumentError: the quota is none.

    """

    def __init__(
        self,
        quota: Quota | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._limiter = Limiter(optional("quota", quota, Quota), clock=clock, sleep=sleep)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def rate(self) -> float | None:
        """The pace in calls a second, known or learned; ``None`` while there is none."""
        return self._limiter.rate

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return self._limiter.waiting

    @property
    def held_for(self) -> float:
        """Seconds until calls may go again after a 429; 0 if they may."""
        return self._limiter.held

    async def enter(self, wait_limit: float, *, caller: str = "", priority: int = 0) -> bool:
        """
        Wait until the next call may go; ``False`` if that is further off than ``wait_limit``.

        Args:
            wait_limit: the longest wait, in seconds.
            caller: who asks; callers take turns.
            priority: those of a higher one go first.

        Raises:
            ConfigurationError: it is in use in another event loop.

        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError("the pacer is in use in another event loop")
            self._loop = loop
        limiter = self._limiter
        if limiter.open:
            limiter.count(self._clock())
            return True
        return await limiter.enter(wait_limit, caller, priority)

    def hold(self, seconds: float, age: float) -> None:
        """Let no call go for some seconds, because one that was sent ``age`` ago met a 429."""
        between("seconds", seconds, 0, _LONGEST)
        self._limiter.hold(seconds, self._clock() - between("age", age, 0, _LONGEST))

    def accept(self, age: float) -> None:
        """Note that a call which was sent ``age`` seconds ago met no 429."""
        if not self._limiter.open:
            self._limiter.accept(self._clock() - between("age", age, 0, _LONGEST))

    def __repr__(self) -> str:
        rate = self.rate
        return f"<LocalPacer, {'no rate yet' if rate is None else f'{rate:.3g} calls a second'}>"
