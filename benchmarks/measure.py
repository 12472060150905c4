"""Interleaved rounds: every side once in each, so that a machine's moods hit all of them alike."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import attrs

from benchmarks import instructions
from benchmarks.plan import Plan
from benchmarks.process import Server, serving
from benchmarks.worker import Worker, working


@attrs.frozen
class Run:
    """
    One run of one side; all values in seconds.

    Attributes:
        wall: time from before the first connection until after the last is closed.
        cpu: time that the side's process computed.
        server: time that the server computed.
    """

    wall: float
    cpu: float
    server: float


@attrs.define
class Outcome:
    """
    All runs of one side at one workload.

    Attributes:
        side: name of the side.
        apart: whether it computed in another process than its worker's, so that its CPU time is
            not known.
        runs: one for each round, in order.
        skipped: why there are none.
        instructions: of one run of the reduced workload; ``None`` where nobody counted.
    """

    side: str
    apart: bool = False
    runs: list[Run] = attrs.field(factory=list[Run])
    skipped: str = ""
    instructions: float | None = None

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

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


def measure(
    plan: Plan, sides: Sequence[str], rounds: int, *, python: str = sys.executable, count: bool
) -> list[Outcome]:
    """
    Measure sides at one workload.

    Args:
        plan: the workload.
        sides: who does it, in the order of each round; as ``benchmarks.worker`` names them.
        rounds: how often each does it, after one warm-up.
        python: the interpreter that they run in.
        count: whether instructions are counted too.

    Returns:
        An outcome for each side, in their order.
    """
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        server = stack.enter_context(serving(plan))
        able: list[tuple[Worker, Outcome]] = []
        for name in sides:
            worker = stack.enter_context(working(name, python))
            warmed = worker.run(server.url, server.plan)
            outcome = Outcome(worker.name, worker.apart, skipped=warmed.get("skipped", ""))
            outcomes.append(outcome)
            if not outcome.skipped:
                able.append((worker, outcome))
        for _ in range(rounds):
            for worker, outcome in able:
                outcome.runs.append(_timed(server, worker))
    if count and instructions.tool() and not plan.pause:
        with serving(instructions.reduced(plan)) as server:
            for name, outcome in zip(sides, outcomes, strict=True):
                if not outcome.skipped and not outcome.apart:
                    outcome.instructions = instructions.counted(
                        name, server.url, server.plan, python
                    )
    return outcomes


def _timed(server: Server, worker: Worker) -> Run:
    before = server.cpu()
    done = worker.run(server.url, server.plan)
    return Run(done["wall"], done["cpu"], server.cpu() - before)
