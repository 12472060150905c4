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
from benchmarks.start import started
from benchmarks.worker import Worker, working


@attrs.frozen
class Run:
    """
    One run of one side; all values in seconds.

    Attributes:
        wall: time from before the first connection until after the last is closed.
        cpu: time that the side's process computed.
        server: time that the server computed.
        refused: calls that the server answered with 429.
    """

    wall: float
    cpu: float
    server: float
    refused: int = 0


@attrs.define
class Outcome:
    """
    All runs of one side at one workload.

    Attributes:
        key: what the plan calls the side.
        side: its name.
        apart: whether it computed in another process than its worker's, so that its CPU time is
            not known.
        runs: one for each round, in order.
        skipped: why there are none.
        instructions: of one run of the reduced workload; ``None`` where nobody counted.
    """

    key: str
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
    def refused(self) -> int:
        return round(statistics.median(run.refused for run in self.runs))

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
        rounds: how often each does it at most, after one warm-up; where calls are paced, each time
            in a new process, which knows nothing of the server's quota yet.
        python: the interpreter that they run in.
        count: whether instructions are counted too.

    Returns:
        An outcome for each side, in their order.
    """
    rounds = min(rounds, plan.rounds)
    with serving(plan) as server:
        if plan.kind == "start":
            outcomes = _starts(server, sides, rounds, python)
        elif plan.allowed:
            outcomes = _strangers(server, sides, rounds, python)
        else:
            outcomes = _warm(server, sides, rounds, python)
    if count and instructions.tool() and not plan.pause and not plan.allowed:
        with serving(instructions.reduced(plan)) as server:
            for outcome in outcomes:
                if not outcome.skipped and not outcome.apart:
                    outcome.instructions = instructions.counted(
                        outcome.key, server.url, server.plan, python
                    )
    return outcomes


def _warm(server: Server, sides: Sequence[str], rounds: int, python: str) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with ExitStack() as stack:
        able: list[tuple[Worker, Outcome]] = []
        for name in sides:
            worker = stack.enter_context(working(name, python))
            warmed = worker.run(server.url, server.plan)
            skipped = warmed.get("skipped", "")
            outcome = Outcome(name, worker.name, worker.apart, skipped=skipped)
            outcomes.append(outcome)
            if not skipped:
                able.append((worker, outcome))
        for _ in range(rounds):
            for worker, outcome in able:
                outcome.runs.append(_timed(server, worker))
    return outcomes


def _strangers(server: Server, sides: Sequence[str], rounds: int, python: str) -> list[Outcome]:
    # What one process learned of the server's pace must not help the next.
    outcomes = [Outcome(name, name) for name in sides]
    for _ in range(rounds):
        for outcome in outcomes:
            with working(outcome.key, python) as worker:
                outcome.side = worker.name
                outcome.runs.append(_timed(server, worker))
    return outcomes


def _starts(server: Server, sides: Sequence[str], rounds: int, python: str) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for name in sides:
        with working(name, python) as worker:
            outcomes.append(Outcome(name, worker.name))
        started(name, server.url, python)  # writes the bytecode
    for _ in range(rounds):
        for outcome in outcomes:
            before, _ = server.usage()
            wall, cpu = started(outcome.key, server.url, python)
            outcome.runs.append(Run(wall, cpu, server.usage()[0] - before))
    return outcomes


def _timed(server: Server, worker: Worker) -> Run:
    computed, refused = server.usage()
    done = worker.run(server.url, server.plan)
    computed_then, refused_then = server.usage()
    return Run(done["wall"], done["cpu"], computed_then - computed, refused_then - refused)
