"""
How many instructions a run takes: the one figure that a busy machine does not change.

callgrind (valgrind) simulates a worker and counts between two marks, system calls that nothing else
makes. Where the kernel lets perf count, it is asked first: it counts whole processes, so that a run
is the difference between two of them. Of a start the whole process is counted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from benchmarks import start
from benchmarks.plan import Plan
from benchmarks.worker import BEGIN, END, ROOT

_PAGES, _CALLS = 10, 500
_ROUNDS = {"callgrind": 2, "perf": 20}


def reduced(plan: Plan) -> Plan:
    """Make a plan small enough to be counted."""
    amount = {"writes": _CALLS, "start": plan.amount}.get(plan.kind, _PAGES * plan.page_size)
    return attrs.evolve(plan, amount=min(amount, plan.amount))


@cache
def tool() -> str | None:
    """Name what counts instructions here; ``None`` if nothing does."""
    if shutil.which("perf") and _perf([sys.executable, "-c", ""]):
        return "perf"
    return "callgrind" if shutil.which("valgrind") else None


def counted(side: str, url: str, plan: Plan, python: str = sys.executable) -> float:
    """Count the instructions of one run of a side."""
    if plan.kind == "start":
        return _whole(start.command(side, url, python))
    command = [python, "-m", "benchmarks.worker", side, url, json.dumps(attrs.asdict(plan))]
    if tool() == "callgrind":
        rounds = _ROUNDS["callgrind"]
        return _callgrind([*command, f"{rounds}"]) / rounds
    rounds = _ROUNDS["perf"]
    return (_perf([*command, f"{rounds}"]) - _perf([*command, "0"])) / rounds


def _whole(command: list[str]) -> float:
    if tool() == "perf":
        return _perf(command)
    told = _told(["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", *command])
    match = re.search(r"Collected : (\d+)", told)
    if match is None:
        raise RuntimeError(f"callgrind counted nothing: {told[-500:]}")
    return float(match[1])


def _perf(command: list[str]) -> float:
    found = _told(["perf", "stat", "-x,", "-e", "instructions:u", *command])
    match = re.search(r"^(\d+),,instructions", found, re.MULTILINE)
    return float(match[1]) if match else 0.0


def _callgrind(command: list[str]) -> float:
    with TemporaryDirectory() as folder:
        options = ["--tool=callgrind", f"--callgrind-out-file={folder}/count"]
        options += [f"--zero-before={BEGIN}", f"--dump-before={END}"]
        told = _told(["valgrind", *options, *command])
        for part in sorted(Path(folder).iterdir()):
            match = re.search(r"^summary: (\d+)", part.read_text("utf-8"), re.MULTILINE)
            if match and part.name.endswith(".1"):
                return float(match[1])
    raise RuntimeError(f"callgrind counted nothing: {told[-500:]}")


def _told(command: list[str]) -> str:
    # The same hashes in each process, so that sets and dicts are walked alike.
    fixed = {"PYTHONHASHSEED": "0", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=fixed, capture_output=True, text=True, check=False)
    return done.stderr
