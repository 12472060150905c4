"""The rate that the platform allows, learned from answers with status 429."""

from __future__ import annotations

from collections import deque

import attrs

_WINDOW = 60.0
_CALM = 5.0
_LEAST = 500 / 60  # the smallest allowance that the platform gives, in calls a second
_SLOWEST = 1.0


@attrs.define(eq=False, repr=False)
class RateEstimator:
    """
    Estimates an unknown quota, a window or a bucket with a burst, from the calls that met a 429.

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
