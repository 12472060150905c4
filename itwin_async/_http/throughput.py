"""Whether a slower pace pays: how many calls a second are accepted, pauses included."""

from __future__ import annotations

import attrs

_CYCLES = 10  # from one 429 to the next; fewer tell too little
_LOST = 0.8  # of the best throughput: less is a loss
_GAIN = 1.1  # a gain
_FASTER = 1.5


@attrs.define(eq=False, repr=False)
class Block:
    """Some cycles at about one pace."""

    pace: float = 0.0
    accepted: int = 0
    seconds: float = 0.0
    cycles: int = 0

    @property
    def throughput(self) -> float:
        """Calls accepted a second."""
        return self.accepted / max(self.seconds, 0.001)


@attrs.define(eq=False, repr=False)
class Throughput:
    """
    Finds refusals that have nothing to do with the pace, by what a slower pace costs.

    Where a quota is the reason, a slower pace meets fewer refusals and loses nothing: what the
    quota allows is had anyway. Where every so many-th call is refused whatever the pace, each
    slower one only loses, without end. Then the pace goes back to where most was accepted, and up
    from there while that pays.

    Attributes:
        floor: the pace below which refusals must not push it; 0 for none.

    """

    floor: float = 0.0
    _best: Block = attrs.field(factory=Block)
    _now: Block = attrs.field(factory=Block)
    _slow: float = 0.0
    _settled: bool = False

    def note(self, pace: float, accepted: int, seconds: float) -> None:
        """Take note of a cycle that ended."""
        now = self._now
        if not now.cycles:
            now.pace = pace
        now.accepted += accepted
        now.seconds += seconds
        now.cycles += 1
        if now.cycles >= _CYCLES:
            self._now = Block()
            (self._climb if self.floor else self._compare)(now)

    def _compare(self, block: Block) -> None:
        best = self._best
        if block.throughput >= best.throughput:
            self._best = block
        elif block.throughput < _LOST * best.throughput and block.pace < _LOST * best.pace:
            self._slow, self._settled = block.throughput, False
            self.floor = best.pace
            self._best = Block(best.pace)

    def _climb(self, block: Block) -> None:
        best = self._best
        if not best.cycles:  # back at the pace that was left
            if block.throughput < _GAIN * self._slow:
                self.floor, self._best = 0.0, block  # the quota is a lower one now
                return
            self._best, self.floor = block, self.floor * _FASTER
        elif self._settled:
            if block.throughput < best.throughput / 2:
                self.floor, self._best = 0.0, Block()
        elif block.throughput < _GAIN * best.throughput:
            self.floor, self._settled = best.pace, True
        else:
            self._best, self.floor = block, self.floor * _FASTER
