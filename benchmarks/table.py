"""Figures as aligned text and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version

import attrs

from benchmarks.footprint import Fact
from benchmarks.measure import Outcome, Ratio, Run, ratio
from benchmarks.plan import Plan

_HEADS = (
    "workload",
    "side",
    "median s",
    "ratio [min..max]",
    "CPU s",
    "CPU ratio",
    "M instr",
    "instr ratio",
    "goal",
    "429s",
    "server CPU",
)
_WIDTHS = (62, 21, 8, 18, 8, 9, 8, 11, 4, 4, 10)


def machine() -> str:
    """Tell where the figures come from."""
    packages = " ".join(f"{name} {version(name)}" for name in ("aiohttp", "orjson", "msgspec"))
    cores = f"{platform.machine()}, {os.cpu_count()} cores"
    return f"{platform.python_implementation()} {platform.python_version()}, {packages}, {cores}"


def header() -> str:
    """Write the table's head."""
    return f"{_line(_HEADS)}\n{'-' * (sum(_WIDTHS) + 2 * (len(_WIDTHS) - 1))}"


def rows(plan: Plan, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """
    Write the lines of one workload; the first side is the measure of the others.

    Args:
        plan: the workload.
        outcomes: what came out, the measure first.

    Yields:
        Lines.
    """
    base = outcomes[0]
    for index, outcome in enumerate(outcomes):
        title = plan.title if index == 0 else ""
        if outcome.skipped:
            yield f"{title:<{_WIDTHS[0]}}  {outcome.side:<21}  skipped: {outcome.skipped}"
            continue
        known = not outcome.apart
        found = (
            _spread(ratio(outcome, base, _wall)) if index else "1.00",
            f"{outcome.cpu:.4f}" if known else "",
            f"{ratio(outcome, base, _cpu).median:.2f}" if known else "",
            f"{outcome.instructions / 1e6:.1f}" if outcome.instructions else "",
            _by(outcome.instructions, base.instructions),
        )
        goal = f"{plan.goals[outcome.key]:.2f}" if outcome.key in plan.goals else ""
        refused = f"{outcome.refused}" if plan.allowed else ""
        share = f"{outcome.server_share:.0%}"
        yield _line((title, outcome.side, f"{outcome.wall:.4f}", *found, goal, refused, share))


def fact(found: Fact) -> str:
    """Write a single figure's line."""
    limit = (
        "" if found.limit is None else f"at most {found.limit:g}{found.unit and ' '}{found.unit}"
    )
    value = f"{found.value:.2f}{found.unit and ' '}{found.unit}"
    return f"{found.title:<{_WIDTHS[0]}}  {value:<12}  {limit:<14}  {found.note}".rstrip()


def as_json(plan: Plan, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """
    Give a workload's figures as plain values.

    Args:
        plan: the workload.
        outcomes: what came out, the measure first.

    Returns:
        What ``json.dumps`` takes.
    """
    sides: dict[str, object] = {}
    for outcome in outcomes:
        if outcome.skipped:
            sides[outcome.side] = {"skipped": outcome.skipped}
            continue
        sides[outcome.side] = {
            "goal": plan.goals.get(outcome.key),
            "runs": [attrs.asdict(run) for run in outcome.runs],
            "wall_ratio": attrs.asdict(ratio(outcome, outcomes[0], _wall)),
            "cpu_ratio": attrs.asdict(ratio(outcome, outcomes[0], _cpu)),
            "instructions": outcome.instructions,
            "instruction_ratio": _by(outcome.instructions, outcomes[0].instructions),
            "refused": outcome.refused,
            "server_share": outcome.server_share,
        }
    return {"title": plan.title, "sides": sides}


def _line(cells: Sequence[str]) -> str:
    return "  ".join(
        f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)
    ).rstrip()


def _spread(found: Ratio) -> str:
    return f"{found.median:.2f} [{found.low:.2f}..{found.high:.2f}]"


def _by(count: float | None, base: float | None) -> str:
    return f"{count / base:.2f}" if count and base else ""


def _wall(run: Run) -> float:
    return run.wall


def _cpu(run: Run) -> float:
    return run.cpu
