"""
How many instructions a run takes: the one figure that a busy machine does not change.

perf counts them where the kernel lets it, callgrind (valgrind) simulates them everywhere else, some
fifty times slower. What is counted is a whole process, so that a run is the difference between two
processes of which one makes more runs than the other.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import attrs

from benchmarks.plan import Plan
from benchmarks.worker import ROOT

_FEW, _MANY = 2, 4
_PAGES, _CALLS = 10, 500


def reduced(plan: Plan) -> Plan:
    """Make a plan small enough to be counted."""
    amount = _CALLS if plan.kind == "writes" else _PAGES * plan.page_size
    return attrs.evolve(plan, amount=min(amount, plan.amount))


@cache
def tool() -> str | None:
    """Name what counts instructions here; ``None`` if nothing does."""
    if shutil.which("perf") and _perf([sys.executable, "-c", ""]):
        return "perf"
    return "callgrind" if shutil.which("valgrind") else None


def counted(side: str, url: str, plan: Plan, python: str = sys.executable) -> float:
    """Count the instructions of one run of a side."""
    count: Callable[[list[str]], float] = _perf if tool() == "perf" else _callgrind
    few, many = (
        count([python, "-m", "benchmarks.worker", side, url, _text(plan), f"{rounds}"])
        for rounds in (_FEW, _MANY)
    )
    return (many - few) / (_MANY - _FEW)


def _text(plan: Plan) -> str:
    return json.dumps(attrs.asdict(plan))


def _perf(command: list[str]) -> float:
    found = _told(["perf", "stat", "-x,", "-e", "instructions:u", *command])
    match = re.search(r"^(\d+),,instructions", found, re.MULTILINE)
    return float(match[1]) if match else 0.0


def _callgrind(command: list[str]) -> float:
    options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"]
    match = re.search(r"Collected : (\d+)", _told(["valgrind", *options, *command]))
    if match is None:
        raise RuntimeError("valgrind did not say how many instructions it collected")
    return float(match[1])


def _told(command: list[str]) -> str:
    fixed = {"PYTHONHASHSEED": "0", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=fixed, capture_output=True, text=True, check=False)
    return done.stderr
