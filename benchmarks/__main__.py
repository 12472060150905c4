"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks import readme, table
from benchmarks.footprint import FACTS, facts
from benchmarks.interpreters import MissingInterpreterError, environment
from benchmarks.measure import measure
from benchmarks.peers import PEERS
from benchmarks.plan import SCRIPTS, Plan, Script, plans
from benchmarks.process import busy
from benchmarks.profiling import profile
from benchmarks.readme import State
from benchmarks.worker import ROOT

_INTERPRETERS = ("3.11", "3.12", "3.13")


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
    states: list[State] = []
    for version in given.python or (_INTERPRETERS if given.readme else [""]):
        try:
            with environment(version, peers=given.peers) as python:
                states += _measured(
                    chosen, [name for name in FACTS if name in wanted], given, python
                )
        except MissingInterpreterError as reason:
            print(f"skipped: {reason}\n", flush=True)
    if not states:
        raise SystemExit(1)
    if given.json:
        given.json.write_text(json.dumps(states, indent=2), encoding="utf-8")
    if given.readme:
        readme.write(states)


def _measured(
    chosen: Sequence[Plan], facts_wanted: Sequence[str], given: argparse.Namespace, python: str
) -> Iterator[State]:
    count = not given.quick and not given.no_instructions
    for cores in given.busy or ([0, 1] if given.readme else [0]):
        state = State(machine=_machine(python), busy=cores, workloads={}, facts={})
        with busy(cores):
            for name, figures in _workloads(chosen, given, python, state, count=count):
                state["workloads"][name] = figures
            for name in facts_wanted:
                found = facts(name, python, quick=given.quick)
                print("\n".join(map(table.fact, found)), flush=True)
                state["facts"][name] = [attrs.asdict(each) for each in found]
        count = False  # a busy core changes nothing of it
        print()
        yield state


def _workloads(
    chosen: Sequence[Plan], given: argparse.Namespace, python: str, state: State, *, count: bool
) -> Iterator[tuple[str, object]]:
    rounds = given.pairs or (3 if given.quick else 11)
    kept = f", cores kept busy: {state['busy']}" if state["busy"] else ""
    print(f"{state['machine']}{kept}; {rounds} rounds, each side once in each")
    if chosen:
        print(f"\n{table.header()}")
    for plan in chosen:
        sides = _sides(plan, shapes=given.shapes, peers=given.peers)
        outcomes = measure(plan, sides, rounds, python=python, count=count)
        for line in table.rows(plan, outcomes):
            print(line, flush=True)
        name = plan.name if len(given.script or []) < 2 else f"{plan.name}, {plan.script}"
        yield name, table.as_json(plan, outcomes)
    print()


def _machine(python: str) -> str:
    command = [python, "-c", "from benchmarks import table; print(table.machine())"]
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def _sides(plan: Plan, *, shapes: bool, peers: bool) -> list[str]:
    sides = plan.sides
    reads = plan.kind in {"imodels", "itwins"}
    if shapes and reads and not plan.pause and not plan.megabits and "ours-by-page" not in sides:
        sides.append("ours-by-page")
    if peers and plan.kind != "start" and not plan.megabits and not plan.allowed:
        sides += PEERS
    return sides


def _names() -> list[str]:
    return [*(plan.name for plan in plans(quick=False)), *FACTS]


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
    parser.add_argument(
        "--busy", type=int, action="append", metavar="N", help="keep N cores busy; may be repeated"
    )
    parser.add_argument("--no-instructions", action="store_true", help="do not count them")
    parser.add_argument("--peers", action="store_true", help="measure other clients too")
    parser.add_argument("--shapes", action="store_true", help="measure reading by page too")
    parser.add_argument("--profile", action="store_true", help="profile our side instead")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument(
        "--readme",
        action="store_true",
        help="measure with CPython 3.11 to 3.13, idle and with one core busy, and write the table "
        "of README.md",
    )
    given = parser.parse_args()
    if given.tls and given.peers:
        parser.error("--tls and --peers are mutually exclusive")
    return given


if __name__ == "__main__":
    main()
