"""Pacing of all calls of a session: by a known quota, or by a rate learned from 429."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import attrs

from itwin_async._http.rate_estimator import RateEstimator
from itwin_async._http.slots import Slots
from itwin_async.quota import Quota

_FORGET = 600.0
# What was learned, and when, by host.
_LESSONS: dict[str, tuple[float, RateEstimator]] = {}
_SURE = 1.25
_LARGEST = 100_000  # calls of a window whose moments are kept
_LATE = 0.01  # seconds that a timer may be late
_REST = 1.0  # longer than callers that are under way keep the next one waiting


class Limiter:
    """
    Lets the calls of a session and its views go by turns, and no faster than allowed.

    Without a quota it is open until a 429 comes, and learns a rate from then on. What was learned
    of a host serves the sessions after this one, too, when they meet their first 429.
    """

    def __init__(
        self,
        quota: Quota | None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        host: str = "",
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._interval = quota.interval if quota else 0.0
        self._tolerance = self._interval * (quota.at_once - 1) if quota else 0.0
        self._due = self._hold = clock()
        self._passed: deque[float] | None = None
        if quota is not None and quota.burst > 1:
            most = min(quota.most, _LARGEST)
            self._passed = deque(maxlen=most)
            self._period = quota.per_seconds * (most / quota.most)
        self._limited_at: float | None = None
        self._estimator = RateEstimator(self._due) if quota is None else None
        self._host = host
        self._turns = Slots(1)
        self.open = quota is None
        self.waiting = 0

    @property
    def rate(self) -> float | None:
        """The pace in calls a second, known or learned; ``None`` while there is none."""
        return 1 / self._interval if self._interval else None

    def count(self, now: float) -> None:
        """Note a call that goes out while the limiter is open."""
        if self._estimator is not None:
            self._estimator.count(now)

    def accept(self, sent: float) -> None:
        """Note that a call which was sent at ``sent`` did not meet a 429."""
        if self._estimator is not None:
            self._estimator.accept(sent, self._clock())

    @property
    def held_until(self) -> float:
        """When the latest hold ends or ended, by the clock."""
        return self._hold

    @property
    def held(self) -> float:
        """Seconds until calls may go again after a 429; 0 if none is waited for."""
        return max(0.0, self._hold - self._clock())

    async def enter(self, wait_limit: float, caller: str = "", priority: int = 0) -> bool:
        """Wait for this call's turn; ``False`` if it is further off than ``wait_limit`` seconds."""
        started = self._clock()
        if self._hold - started > wait_limit:
            return False  # whoever's turn it is
        self.waiting += 1
        try:
            await self._turns.take(caller, priority)
            try:
                while True:
                    now = self._clock()
                    delay = max(self._hold, self._due - self._tolerance, self._window_end()) - now
                    if delay <= 0:
                        break
                    if now - started + delay > wait_limit:
                        return False
                    await self._sleep(delay)
                self._pass(self._clock())
                return True
            finally:
                self._turns.give_back()
        finally:
            self.waiting -= 1

    def hold(self, seconds: float, sent: float) -> None:
        """Let no call go for some seconds, because one that was sent at ``sent`` met a 429."""
        now = self._clock()
        end = max(self._hold, now + seconds)
        estimator = self._estimator
        if estimator is not None:
            if self._limited_at is not None:
                estimator.refuse(sent)
            elif not estimator.rate or sent >= estimator.start:
                estimator.refuse(sent)
                self._limited_at = now
            else:  # it tells of the cycle before, which has had its pause
                estimator.paused += end - max(self._hold, now)
        self._hold = end
        self.open = False

    def _window_end(self) -> float:
        """Return when the window that is full of calls has room again."""
        passed = self._passed
        if passed is None or len(passed) != passed.maxlen:
            return 0.0
        return passed[0] + self._period

    def _pass(self, now: float) -> None:
        if self._passed is not None:
            self._passed.append(now)
        estimator = self._estimator
        if estimator is not None:
            if self._limited_at is not None:
                self._learn(estimator, self._limited_at, now)
                self._limited_at = None
            elif now - estimator.changed > _FORGET:
                self._estimator, self._interval = RateEstimator(now), 0.0
                self.open = True
                return
            else:
                rest = now - max(self._due, self._hold)
                estimator.idle += rest if rest > _REST else 0.0
                estimator.grow(now)
            estimator.count(now)
            self._interval = 1 / estimator.rate
        # What a late timer took is given back, or the pace would be slower than it says.
        self._due = max(self._due, now - _LATE) + self._interval

    def _learn(self, estimator: RateEstimator, limited_at: float, now: float) -> None:
        known = _LESSONS.get(self._host)
        if not estimator.rate and known and 0 <= now - known[0] <= _FORGET:
            estimator.adopt(known[1])
        estimator.learn(limited_at, self._hold, now)
        if self._host and estimator.high < _SURE * estimator.low:
            _LESSONS[self._host] = now, attrs.evolve(estimator)
