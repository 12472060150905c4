"""Shared pacing of all calls of a session: a known quota, or one that is learned from refusals."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import attrs

from itwin_async.errors import ArgumentError

_WINDOW = 60.0
_FORGET = 600.0
_SPARE = 0.01
_CALM = 5.0
_LEAST = 500 / 60  # the smallest allowance that the platform gives, in calls a second
_SLOWEST = 1.0
_REST = 1.0  # longer than callers that are under way keep the next one waiting


def _number(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 < value < float("inf")
    ):
        raise ArgumentError(attribute.name, value, "a number above 0")


def _fitting(quota: Quota, attribute: attrs.Attribute[float], value: object) -> None:
    _number(quota, attribute, value)
    if not 1 <= quota.burst <= max(1, quota.requests):
        raise ArgumentError(attribute.name, value, "a number from 1 up to requests")


def _few(requests: object) -> float:
    return max(1.0, requests * 0.04) if isinstance(requests, int | float) else 1.0


@attrs.frozen
class Quota:
    """
    How many calls the platform allows a client, for instance ``Quota(500, per_seconds=60)``.

    Args:
        requests: calls in a window.
        per_seconds: length of the window, in seconds.
        burst: calls that may go at once after a rest, 1 up to ``requests``. Any window still holds
            at most ``requests``: a burst makes the even pace between bursts slower. By default 4 %
            of ``requests``.

    """

    requests: float = attrs.field(validator=_number)
    per_seconds: float = attrs.field(default=60.0, validator=_number)
    burst: float = attrs.field(
        default=attrs.Factory(lambda quota: _few(quota.requests), takes_self=True),
        validator=_fitting,
    )

    @property
    def interval(self) -> float:
        """Seconds between two calls of an even pace."""
        # A network that delays one call and hurries the next must not make a window too full.
        spare = self.burst - 1 + min(1.0, _SPARE * self.requests)
        return self.per_seconds / max(min(1, self.requests), self.requests - spare)


@attrs.define(eq=False, repr=False)
class Lesson:
    """
    What refusals teach about a quota that nobody told: a window, or a bucket with a burst.

    A cycle runs from the end of a pause to the next 429. What was accepted in it, spread over the
    cycle and the pause behind it, can be had for ever: that is exact for windows. For a bucket the
    first cycle tells the burst, and a later one, paced above what is allowed, tells the rate.

    A 429 may also have nothing to do with the pace: other clients, a server that is overloaded. So
    time in which nobody wanted to call does not count, a pace that was not used is not blamed, and
    none is more than halved at once.
    """

    start: float
    passes: int = 0
    refused: int = 0
    burst: float = 0.0
    rate: float = 0.0
    probing: bool = False
    changed: float = 0.0
    calm: float = _CALM
    idle: float = 0.0
    paused: float = 0.0
    stages: list[tuple[float, int]] = attrs.field(factory=list)
    recent: deque[tuple[float, int]] = attrs.field(factory=deque)

    def count(self, now: float) -> None:
        """Note that a call goes out."""
        self.passes += 1
        if self.rate:
            return
        recent = self.recent
        if recent and now - recent[-1][0] < 1:
            recent[-1] = (recent[-1][0], recent[-1][1] + 1)
            return
        recent.append((now, 1))
        while now - recent[0][0] > _WINDOW:
            recent.popleft()

    def grow(self, now: float) -> None:
        """Speed up where there was no refusal: quickly while searching, gently once it is known."""
        if self.probing:
            before = self.stages[-1][1]
            if self.passes - before >= max(8.0, self.burst):
                self.rate *= 2
                self.stages.append((now, self.passes))
        elif now - self.changed > self.calm:
            self.rate *= 1.05
            self.changed = now

    def learn(self, refused_at: float, released_at: float, now: float) -> None:
        """End a cycle: estimate the rate from what was accepted in it."""
        if not self.rate:
            self._guess(refused_at, released_at)
        elif self.idle <= (refused_at - self.start) / 2:
            self._correct(refused_at, released_at)
        self.calm = max(_CALM, 10 * (released_at - refused_at))
        self.start = self.changed = now
        self.passes = self.refused = 0
        self.idle = self.paused = 0.0
        self.stages = [(now, 0)]

    def _guess(self, refused_at: float, released_at: float) -> None:
        # Of all the times at which the quota may have begun to count, the kindest: too fast a pace
        # is soon corrected, while too slow a one starves everybody.
        total, sure, busy = 0, 0.0, 0.001
        for first, passes in reversed(self.recent):
            total += passes
            accepted = max(1, total - self.refused)
            rate = accepted / max(released_at - first, 0.001)
            if rate > sure:
                sure, busy, self.burst = rate, max(refused_at - first, 0.001), accepted
        self.rate = max(_LEAST, sure, (sure * self.burst / busy) ** 0.5)
        self.probing = True

    def _correct(self, refused_at: float, released_at: float) -> None:
        accepted = max(1, self.passes - self.refused)
        sure = accepted / max(released_at - self.start - self.idle - self.paused, 0.001)
        found = [
            0.97 * (accepted - before - self.burst) / (refused_at - start)
            for start, before in self.stages
            if refused_at - start > 0.01  # noqa: PLR2004 - shorter ones tell nothing
        ]
        self.rate = max(_SLOWEST, self.rate / 2, min(self.rate, max(sure, *found, 0.0)))
        self.probing = False


class Pacer:
    """
    The gate that every call of a session and its views passes, in order of arrival.

    Args:
        quota: the known quota, or ``None``: then it is learned.
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
        self._due = self._hold = clock()
        self._refused_at: float | None = None
        self._lesson = Lesson(self._due) if quota is None else None
        self._lock = asyncio.Lock()
        self.open = quota is None
        self.waiting = 0

    @property
    def rate(self) -> float | None:
        """The pace in calls a second, known or learned; ``None`` while there is none."""
        return 1 / self._interval if self._interval else None

    def count(self, now: float) -> None:
        """
        Note a call that goes out while the gate is open.

        Args:
            now: time on the pacer's clock.

        """
        if self._lesson is not None:
            self._lesson.count(now)

    async def enter(self, wait_limit: float) -> bool:
        """
        Wait for this call's turn.

        Args:
            wait_limit: longest wait that makes sense, in seconds.

        Returns:
            ``False`` if the turn would come later than that.

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
                self._pass(self._clock())
                return True
        finally:
            self.waiting -= 1

    def hold(self, seconds: float, sent: float) -> None:
        """
        Let nobody pass for some time, because the platform answered 429.

        Args:
            seconds: how long from now.
            sent: when the refused call went out, on the pacer's clock.

        """
        now = self._clock()
        end = max(self._hold, now + seconds)
        lesson = self._lesson
        if lesson is not None:
            if self._refused_at is not None:
                lesson.refused += 1
            elif not lesson.rate or sent >= lesson.start:
                lesson.refused += 1
                self._refused_at = now
            else:  # it tells of the cycle before, which has had its pause
                lesson.paused += end - max(self._hold, now)
        self._hold = end
        self.open = False

    def _pass(self, now: float) -> None:
        lesson = self._lesson
        if lesson is not None:
            if self._refused_at is not None:
                lesson.learn(self._refused_at, self._hold, now)
                self._refused_at = None
            elif now - lesson.changed > _FORGET:
                self._lesson, self._interval = Lesson(now), 0.0
                self.open = True
                return
            else:
                rest = now - max(self._due, self._hold)
                lesson.idle += rest if rest > _REST else 0.0
                lesson.grow(now)
            lesson.count(now)
            self._interval = 1 / lesson.rate
        self._due = max(self._due, now) + self._interval
