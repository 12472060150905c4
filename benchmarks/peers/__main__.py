"""
Measure one other client against the raw side, in a process in which no third is loaded.

What a process has imported makes each garbage collection dearer: for a side that makes many
objects, a neighbour's modules cost up to a tenth.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import attrs

from benchmarks import table
from benchmarks.measure import measure
from benchmarks.peers import peer
from benchmarks.plan import plans
from benchmarks.raw import Raw
from benchmarks.sides import NotOffered


def main(name: str, rounds: int, quick: str, report: str, *wanted: str) -> None:
    """
    Measure and print a client's rows.

    Args:
        name: the client.
        rounds: how often each side does each workload.
        quick: ``"quick"`` for small amounts.
        report: file for the figures.
        wanted: names of the workloads.
    """
    figures: dict[str, object] = {}
    try:
        side = peer(name)
    except NotOffered as reason:
        print(f"{name:<64}  skipped: {reason}")
        figures["skipped"] = str(reason)
    else:
        for plan in plans(quick=quick == "quick"):
            if plan.name in wanted and not plan.megabits:
                plain = attrs.evolve(plan, target=None)
                outcomes = measure(plain, [Raw(), side], rounds)
                for line in table.rows(plain, outcomes):
                    print(line, flush=True)
                figures[plan.name] = table.as_json(plain, outcomes)
    Path(report).write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
