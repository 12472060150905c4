"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from benchmarks import footprint, table
from benchmarks.footprint import Fact
from benchmarks.measure import measure
from benchmarks.ours import Ours
from benchmarks.peers import PEERS
from benchmarks.plan import Plan, plans
from benchmarks.profiling import profile
from benchmarks.raw import Raw
from benchmarks.sides import Side

_FACTS: dict[str, Callable[[bool], Iterator[Fact]]] = {
    "memory": lambda quick: footprint.memory(quick=quick),
    "import": lambda quick: footprint.importing(quick=quick),
    "views": lambda quick: footprint.views(quick=quick),
}


def main() -> None:
    """Measure what is asked for and print it."""
    given = _arguments()
    wanted = set(given.only or _names())
    chosen = [plan for plan in plans(quick=given.quick) if plan.name in wanted]
    if given.profile:
        for plan in chosen:
            print(profile(plan))
        return
    rounds = given.pairs or (3 if given.quick else 11)
    print(f"{table.machine()}; {rounds} rounds, each side once in each\n")
    report: dict[str, object] = {"machine": table.machine(), "rounds": rounds}
    report |= _workloads(chosen, rounds, shapes=given.shapes)
    if given.peers and chosen:
        report["peers"] = _peers(chosen, rounds, quick=given.quick)
    print()
    report |= _facts([name for name in _FACTS if name in wanted], quick=given.quick)
    if given.json:
        given.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


def _workloads(chosen: Sequence[Plan], rounds: int, *, shapes: bool) -> dict[str, object]:
    report: dict[str, object] = {}
    if chosen:
        print(table.header())
    for plan in chosen:
        outcomes = measure(plan, _sides(plan, shapes=shapes), rounds)
        for line in table.rows(plan, outcomes):
            print(line, flush=True)
        report[plan.name] = table.as_json(plan, outcomes)
    return report


def _sides(plan: Plan, *, shapes: bool) -> list[Side]:
    if plan.megabits:
        return [
            Ours("itwin_async, plain", compress=False),
            Ours("itwin_async, gzip", compress=True),
        ]
    sides: list[Side] = [Raw(), Ours()]
    if shapes and plan.kind != "writes" and not plan.pause:
        sides.append(Ours("itwin_async, by page", by_page=True))
    return sides


def _peers(chosen: Sequence[Plan], rounds: int, *, quick: bool) -> dict[str, object]:
    report: dict[str, object] = {}
    size = "quick" if quick else "whole"
    with TemporaryDirectory() as folder:
        for name in PEERS:
            print(f"\n{table.header()}", flush=True)
            place = Path(folder) / f"{name}.json"
            command = [
                sys.executable,
                "-m",
                "benchmarks.peers",
                name,
                f"{rounds}",
                size,
                f"{place}",
            ]
            subprocess.run([*command, *(plan.name for plan in chosen)], check=True)
            report[name] = json.loads(place.read_text(encoding="utf-8"))
    return report


def _facts(names: Sequence[str], *, quick: bool) -> dict[str, object]:
    report: dict[str, object] = {}
    for name in names:
        facts = list(_FACTS[name](quick))
        for found in facts:
            print(table.fact(found), flush=True)
        report[name] = [attrs.asdict(found) for found in facts]
    return report


def _names() -> list[str]:
    return [*(plan.name for plan in plans(quick=False)), *_FACTS]


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small amounts, three rounds")
    parser.add_argument("--only", action="append", choices=_names(), help="may be repeated")
    parser.add_argument("--pairs", type=_count, help="rounds of each workload")
    parser.add_argument("--peers", action="store_true", help="measure other clients too")
    parser.add_argument("--shapes", action="store_true", help="measure walks by page too")
    parser.add_argument("--profile", action="store_true", help="profile our side instead")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
