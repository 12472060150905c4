"""
The table of README.md, written from what was measured.

``python -m benchmarks --readme`` measures and writes it; ``python -m benchmarks.readme FILE...``
writes it from files of ``--json``, the later ones first where they have the same figures.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from benchmarks.worker import ROOT

BEGIN, END = "<!-- python -m benchmarks --readme -->\n", "<!-- until here -->"
_NONE = "-"
_HEADS = (
    "against a raw loop (1.00)",
    "goal",
    "time, idle",
    "time, a core busy",
    "CPU seconds, idle",
    "CPU seconds, a core busy",
    "instructions",
)
_OURS = "itwin_async"


class State(TypedDict):
    """All figures of one interpreter on a machine in one state."""

    machine: str
    busy: int
    workloads: dict[str, Any]
    facts: dict[str, Any]


def write(states: Sequence[State], readme: Path = ROOT / "README.md") -> None:
    """Put the table in the place of the one that is there."""
    text = readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{readme.name} has no lines {BEGIN.strip()} and {END}")
    readme.write_text(f"{before}{BEGIN}{table(states)}{END}{after}", encoding="utf-8")


def table(states: Sequence[State]) -> str:
    """Write the table: a row for each side of each workload, in each cell all interpreters."""
    merged = _merged(states)
    versions = list(dict.fromkeys(version for version, _ in merged))
    machine = next(iter(merged.values()))["machine"].split(", ", 1)[1]
    names = " / ".join(version.removeprefix("CPython ") for version in versions)
    lines = [
        f"CPython {names} in this order; {platform.system()}, {machine}.",
        "",
        f"| {' | '.join(_HEADS)} |",
        f"|{'---|' * len(_HEADS)}",
    ]
    for title, goal, figures in _rows(merged):
        cells = [
            _cell(figures.get((version, busy), {}).get(column) for version in versions)
            for column, busy in (("wall", 0), ("wall", 1), ("cpu", 0), ("cpu", 1), ("count", 0))
        ]
        lines.append(f"| {' | '.join([title, goal, *cells])} |")
    return "\n".join([*lines, ""])


def _merged(states: Sequence[State]) -> dict[tuple[str, int], State]:
    merged: dict[tuple[str, int], State] = {}
    for state in states:
        key = state["machine"].split(", ")[0], min(state["busy"], 1)
        if key in merged:
            merged[key]["workloads"] |= state["workloads"]
            merged[key]["facts"] |= state["facts"]
        else:
            merged[key] = state
    return merged


_Figures = dict[tuple[str, int], dict[str, str]]


def _rows(merged: Mapping[tuple[str, int], State]) -> Iterator[tuple[str, str, _Figures]]:
    rows: dict[str, tuple[str, _Figures]] = {}
    for key, state in merged.items():
        for workload in state["workloads"].values():
            for side, found in workload["sides"].items():
                if side.startswith(_OURS) and found.get("goal"):
                    title = workload["title"] + side.removeprefix(_OURS)
                    rows.setdefault(title, (f"{found['goal']:.2f}", {}))[1][key] = {
                        "wall": f"{found['wall_ratio']['median']:.2f}",
                        "cpu": f"{found['cpu_ratio']['median']:.2f}",
                        "count": found["instruction_ratio"],
                    }
        for fact in (fact for facts in state["facts"].values() for fact in facts):
            if not fact["unit"]:
                rows.setdefault(fact["title"], (f"{fact['limit']:.2f}", {}))[1][key] = {
                    "wall": f"{fact['value']:.2f}"
                }
    for title, (goal, figures) in rows.items():
        yield re.sub(r"^(from itwin_async.*)$", r"`\1`", title), goal, figures


def _cell(values: Iterator[str | None]) -> str:
    found = [value or _NONE for value in values]
    return " / ".join(found) if set(found) != {_NONE} else ""


if __name__ == "__main__":
    write([state for name in sys.argv[1:] for state in json.loads(Path(name).read_text("utf-8"))])
