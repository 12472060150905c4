"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks import footprint, table
from benchmarks.footprint import Fact
from benchmarks.interpreters import environment
from benchmarks.measure import measure
from benchmarks.peers import PEERS
from benchmarks.plan import SCRIPTS, Plan, Script, plans
from benchmarks.process import busy
from benchmarks.profiling import profile
from benchmarks.worker import ROOT

_FACTS: dict[str, Callable[[bool], Iterator[Fact]]] = {
    "memory": lambda quick: footprint.memory(quick=quick),
    "import": lambda quick: footprint.importing(quick=quick),
    "views": lambda quick: footprint.views(quick=quick),
}


def main() -> None:
    """Measure what is asked for and print it."""
    given = _arguments()
    wanted = set(given.only or _names())
    scripts: Sequence[Script] = given.script or ["latin"]
    chosen = [
        attrs.evolve(plan, script=script, tls=given.tls)
        for plan in plans(quick=given.quick)
        for script in (scripts if plan.kind != "writes" else scripts[:1])
        if plan.name in wanted
    ]
    if given.profile:
        for plan in chosen:
            print(profile(plan))
        return
    rounds = given.pairs or (3 if given.quick else 11)
    report: dict[str, object] = {"machine": table.machine(), "rounds": rounds}
    with busy(given.busy):
        for version in given.python or [""]:
            with environment(version) as python:
                report |= _workloads(chosen, rounds, given, python)
    print()
    report |= _facts([name for name in _FACTS if name in wanted], quick=given.quick)
    if given.json:
        given.json.write_text(json.dumps(report, indent=2), encoding="utf-8")


def _workloads(
    chosen: Sequence[Plan], rounds: int, given: argparse.Namespace, python: str
) -> dict[str, object]:
    report: dict[str, object] = {}
    if not chosen:
        return report
    where = _machine(python)
    state = f", {given.busy} cores kept busy" if given.busy else ""
    print(f"{where}{state}; {rounds} rounds, each side once in each\n\n{table.header()}")
    for plan in chosen:
        count = not given.quick and not given.no_instructions
        sides = _sides(plan, shapes=given.shapes, peers=given.peers)
        outcomes = measure(plan, sides, rounds, python=python, count=count)
        for line in table.rows(plan, outcomes):
            print(line, flush=True)
        report[_key(plan, given, where)] = table.as_json(plan, outcomes)
    print()
    return report


def _machine(python: str) -> str:
    command = [python, "-c", "from benchmarks import table; print(table.machine())"]
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def _key(plan: Plan, given: argparse.Namespace, where: str) -> str:
    # One row of each workload keeps its plain name.
    parts = [plan.name]
    if len(given.script or []) > 1:
        parts.append(plan.script)
    if len(given.python or []) > 1:
        parts.append(where.split(",", maxsplit=1)[0])
    return ", ".join(parts)


def _sides(plan: Plan, *, shapes: bool, peers: bool) -> list[str]:
    if plan.megabits:
        return ["ours-plain", "ours-gzip"]
    sides = ["raw", "ours"]
    if shapes and plan.kind != "writes" and not plan.pause:
        sides.append("ours-by-page")
    return [*sides, *PEERS] if peers else sides


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
    parser.add_argument("--python", action="append", help="3.12, or a path; may be repeated")
    parser.add_argument("--script", action="append", choices=SCRIPTS, help="may be repeated")
    parser.add_argument("--tls", action="store_true", help="the server speaks TLS")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="keep N cores busy")
    parser.add_argument("--no-instructions", action="store_true", help="do not count them")
    parser.add_argument("--peers", action="store_true", help="measure other clients too")
    parser.add_argument("--shapes", action="store_true", help="measure walks by page too")
    parser.add_argument("--profile", action="store_true", help="profile our side instead")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    if given.tls and given.peers:
        parser.error("--tls and --peers are mutually exclusive")
    return given


if __name__ == "__main__":
    main()
