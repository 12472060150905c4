"""Interleaved rounds: every side once in each, so that a machine's moods hit all of them alike."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Sequence

import attrs

from benchmarks.plan import Plan
from benchmarks.process import Server, serving
from benchmarks.sides import NotOffered, Side


@attrs.frozen
class Run:
    """
    One run of one side; all values in seconds.

    Attributes:
        wall: time from before the first connection until after the last is closed.
        cpu: time that this process computed.
        server: time that the server computed.
    """

    wall: float
    cpu: float
    server: float


@attrs.frozen
class Outcome:
    """
    All runs of one side at one workload.

    Attributes:
        side: name of the side.
        apart: whether it computed in another process, so that its CPU time is not known.
        runs: one for each round, in order.
        skipped: why there are none.
    """

    side: str
    apart: bool = False
    runs: list[Run] = attrs.field(factory=list[Run])
    skipped: str = ""

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def server_share(self) -> float:
        return statistics.median(run.server / run.wall for run in self.runs)


@attrs.frozen
class Ratio:
    """A side's values divided by the other's of the same round."""

    median: float
    low: float
    high: float


def ratio(side: Outcome, base: Outcome, value: Callable[[Run], float]) -> Ratio:
    """
    Compare two sides round by round.

    Args:
        side: the one that is looked at.
        base: the measure.
        value: what of a run is compared.

    Returns:
        Median and spread.
    """
    pairs = zip(side.runs, base.runs, strict=True)
    ratios = [value(mine) / max(value(other), 1e-9) for mine, other in pairs]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def measure(plan: Plan, sides: Sequence[Side], rounds: int) -> list[Outcome]:
    """
    Measure sides at one workload.

    Args:
        plan: the workload.
        sides: who does it, in the order of each round.
        rounds: how often each does it, after one warm-up.

    Returns:
        An outcome for each side, in their order.
    """
    with serving(plan) as server, asyncio.Runner() as runner:
        outcomes: list[Outcome] = []
        able: list[tuple[Side, Outcome]] = []
        try:
            for side in sides:
                outcome = _warmed(runner, server, plan, side)
                outcomes.append(outcome)
                if not outcome.skipped:
                    able.append((side, outcome))
            for _ in range(rounds):
                for side, outcome in able:
                    outcome.runs.append(_timed(runner, server, plan, side))
        finally:
            for side in sides:
                runner.run(side.close())
        return outcomes


def _warmed(runner: asyncio.Runner, server: Server, plan: Plan, side: Side) -> Outcome:
    try:
        _timed(runner, server, plan, side)
    except NotOffered as reason:
        return Outcome(side.name, side.apart, skipped=str(reason))
    return Outcome(side.name, side.apart)


def _timed(runner: asyncio.Runner, server: Server, plan: Plan, side: Side) -> Run:
    gc.collect()
    served, computed, start = server.cpu(), time.process_time(), time.perf_counter()
    done = runner.run(side.run(server.url, plan))
    wall = time.perf_counter() - start
    run = Run(wall, time.process_time() - computed, server.cpu() - served)
    if done != plan.amount:
        raise RuntimeError(f"{side.name} did {done} of {plan.amount} at {plan.name!r}")
    return run
