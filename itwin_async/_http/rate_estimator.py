"""The rate that the platform allows, learned from answers with status 429."""

from __future__ import annotations

import math
from collections import deque

import attrs

from itwin_async._http.throughput import Throughput

_WINDOW = 60.0
_LEAST = 500 / 60  # the smallest allowance that the platform gives, in calls a second
_SLOWEST = 1.0
_STAGE = 8  # calls of a pace that must be accepted before a faster one is tried
_STEP = 0.02
_DROP = 0.96
_NEAR = 0.97
_SECOND = 1.0
_TICK = 0.01
_LATEST = 10.0  # seconds that a 429 may come late


@attrs.define(eq=False, repr=False)
class _Interval:
    begun: float
    calls: int = 1


@attrs.define(eq=False, repr=False)
class RateEstimator:
    """
    Estimates an unknown quota, a window or a bucket with a burst, from the calls that met a 429.

    A cycle runs from the end of a pause to the next 429. Each one bounds the rate. From above: it
    is lower than the pace that met the 429. From below: what was accepted in the cycle, spread over
    it and the pause behind it, can be had for ever, which is exact for windows; and of a bucket so
    can be what was accepted beyond the burst, which the first cycle tells. The pace begins at the
    lower bound and creeps up, faster and faster, until it meets the upper one.

    A 429 may also have nothing to do with the pace: other clients, a server that is overloaded. So
    time in which nobody wanted to call does not count, a pace that was not used is not blamed, and
    what was accepted behind the 429 counts as well. Where slower paces meet as many and so only
    lose calls, ``throughput`` says how far down they may go.
    """

    start: float
    passes: int = 0
    refused: int = 0
    refused_sent: float = math.inf
    burst: float = 0.0
    burst_seconds: float = 0.0
    rate: float = 0.0
    low: float = 0.0
    high: float = math.inf
    step: float = _STEP
    drop: float = _DROP
    changed: float = 0.0
    calm: float = 0.0
    idle: float = 0.0
    paused: float = 0.0
    round_trip: float = 0.0
    accepted: int = 0
    stages: list[tuple[float, int]] = attrs.field(factory=list)
    accepts: deque[_Interval] = attrs.field(factory=deque)
    recent: deque[_Interval] = attrs.field(factory=deque)
    throughput: Throughput = attrs.field(factory=Throughput)

    def count(self, now: float) -> None:
        """Note that a call goes out."""
        self.passes += 1
        if self.rate:
            return
        recent = self.recent
        if recent and now - recent[-1].begun < _SECOND:  # as most do: nothing else must cost them
            recent[-1].calls += 1
        else:
            _begin(recent, now, _WINDOW)

    def accept(self, sent: float, now: float) -> None:
        """Note a call that went out at a pace and met no 429."""
        if sent < self.start:
            return
        self.round_trip += (now - sent - self.round_trip) * 0.1
        self.accepted += 1
        accepts = self.accepts
        if accepts and sent - accepts[-1].begun < _TICK:
            accepts[-1].calls += 1
        else:
            _begin(accepts, sent, _LATEST)

    def refuse(self, sent: float) -> None:
        """Note a call that met a 429."""
        self.refused += 1
        self.refused_sent = min(sent, self.refused_sent)

    def grow(self, now: float) -> None:
        """Speed up where there was no refusal: quickly while searching, gently once it is known."""
        if self.throughput.floor:
            return  # the pace is changed by what it brings
        seconds = now - self.changed
        if self.high == math.inf:
            enough = self._accepted_since(self.changed) >= _STAGE
            if not enough or seconds <= 3 * self.round_trip:
                return
            self.rate *= 2
        elif seconds > 1 and self.rate < self.high * _NEAR:
            beyond = self.passes - self.stages[-1][1] - self.burst
            self.low = max(self.low, min(self.rate, beyond / seconds))
            self.rate = min(self.rate * (1 + self.step), self.high * _NEAR)
            self.step *= 2
        elif seconds > self.calm:
            self.high *= 1 + 2 * _STEP
            self.step = _STEP
            self.rate *= 1 + _STEP
        else:
            return
        self.changed = now
        self.stages.append((now, self.passes))

    def adopt(self, other: RateEstimator) -> None:
        """Begin with what another one learned."""
        self.burst, self.burst_seconds = other.burst, other.burst_seconds
        self.rate, self.low, self.high = other.low, other.low, other.high

    def learn(self, refused_at: float, released_at: float, now: float) -> None:
        """End a cycle: estimate the rate from what was accepted in it."""
        if not self.rate:
            self._guess(refused_at, released_at)
        elif self.stages and self.idle <= (refused_at - self.start) / 2:
            self._correct(refused_at, released_at)
        self.calm = max(30.0, 10 * (released_at - refused_at))
        self.start = self.changed = now
        self.passes = self.accepted = self.refused = 0
        self.idle = self.paused = 0.0
        self.refused_sent = math.inf
        self.accepts.clear()
        self.stages = [(now, 0)]

    def _guess(self, refused_at: float, released_at: float) -> None:
        # Of all the times at which the quota may have begun to count, the kindest: too fast a pace
        # is soon corrected, while too slow a one starves everybody.
        total, busy = 0, 0.001
        ended = min(self.refused_sent, refused_at)
        for interval in reversed(self.recent):
            first = interval.begun
            total += interval.calls
            accepted = max(1, total - self.refused)
            rate = accepted / max(released_at - first, 0.001)
            if rate > self.low:
                self.low, busy, self.burst = rate, max(refused_at - first, 0.001), accepted
                self.burst_seconds = max(ended - first, 0.0)
        fast = (self.low * self.burst / busy) ** 0.5
        self.rate = max(_LEAST, min(10 * self.low, fast))

    def _correct(self, refused_at: float, released_at: float) -> None:
        ended = min(self.refused_sent, refused_at)
        later = self._accepted_since(ended)
        before = self.accepted - later
        spare = self.idle + self.paused
        spent = max(released_at - self.start - spare, 0.001)
        low = self.accepted / spent
        self.throughput.note(self.rate, self.accepted, spent)
        high = self.rate
        for begun, passes in self.stages:
            # What is under way makes a moment as uncertain as an answer takes.
            seconds = ended - begun + self.round_trip
            beyond = before - passes - self.burst
            if beyond > 1 and beyond / seconds > low:
                low = beyond / seconds
                # The burst was seen while the bucket was filled, and two calls may be in doubt.
                high = (beyond + self.rate * self.burst_seconds + 2) / (ended - begun)
        if later >= _STAGE and refused_at - ended > self.round_trip / 2:
            low = max(low, later / (refused_at - ended))
        if self.rate <= self.low:
            self.low = max(low, self.low * self.drop)
            self.drop = max(0.5, self.drop**2)
        else:
            self.low = max(low, self.low)
            self.drop = _DROP
        self.high = max(self.low, min(high, self.rate))
        self.low = max(_SLOWEST, min(self.low, self.high))
        floor = self.throughput.floor
        if floor:
            self.low, self.high = floor, max(self.high, floor)
        self.rate = self.low
        self.step = _STEP

    def _accepted_since(self, moment: float) -> int:
        total = 0
        for interval in reversed(self.accepts):
            if interval.begun <= moment:
                break
            total += interval.calls
        return total


def _begin(intervals: deque[_Interval], moment: float, longest: float) -> None:
    """Begin another interval, and forget what is long ago."""
    intervals.append(_Interval(moment))
    while moment - intervals[0].begun > longest:
        intervals.popleft()
