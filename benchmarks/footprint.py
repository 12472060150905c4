"""
What is not a matter of throughput: peak memory, time to import, the cost of a view.

``python -m benchmarks.footprint NAME [--quick]`` prints a line of JSON for each figure.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import timeit
import tracemalloc
from collections.abc import Callable, Iterator

import attrs

from benchmarks.plan import Plan
from benchmarks.process import serving
from benchmarks.worker import ROOT
from itwin_async import Session

_IMPORT = "import time; s = time.perf_counter(); {}; print(time.perf_counter() - s)"
_OWN = "from itwin_async import Session"
_BASE = "import aiohttp, msgspec"


@attrs.frozen
class Fact:
    """
    One figure.

    Attributes:
        name: what ``--only`` takes.
        title: what was measured.
        value: what came out.
        limit: what it should not exceed; ``None`` where none is set.
        unit: unit of both; nothing for a ratio.
        note: how it came about.
    """

    name: str
    title: str
    value: float
    limit: float | None
    unit: str = ""
    note: str = ""


def memory(*, quick: bool) -> Iterator[Fact]:
    """Compare peak memory at a long and a short list, each streamed in a process of its own."""
    few, many = 10_000, 100_000 if quick else 1_000_000
    short, long = _peak(few), _peak(many)
    title = f"peak memory, {many:,} items against {few:,}"
    note = f"{long:.1f} MB against {short:.1f} MB"
    yield Fact("memory", title, long / short, 1.1, note=note)


def importing(*, quick: bool) -> Iterator[Fact]:
    """Compare times to import, in pairs of new processes."""
    pairs = [(_import_time(_OWN), _import_time(_BASE)) for _ in range(5 if quick else 25)]
    own, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    found = statistics.median(mine / base for mine, base in pairs)
    note = f"{own * 1000:.0f} ms against {other * 1000:.0f} ms"
    yield Fact("import", f"{_OWN} against {_BASE}", found, 1.10, note=note)


def views(*, quick: bool) -> Iterator[Fact]:
    """Measure ``Session.with_token``."""
    session = Session("benchmark")
    count = 2_000 if quick else 20_000
    best = min(timeit.repeat(lambda: session.with_token("another"), number=count, repeat=7))
    yield Fact("views", "with_token, time", best / count * 1e6, 10, "µs")
    yield Fact(
        "views", "with_token, memory", _bytes_each(lambda: session.with_token("x")), 1000, "B"
    )


def _bytes_each(make: Callable[[], object], count: int = 1000) -> float:
    kept: list[object] = [None] * count
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for index in range(count):
            kept[index] = make()
        return (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()


def _import_time(name: str) -> float:
    return float(_python("-c", _IMPORT.format(name)))


def _peak(amount: int) -> float:
    plan = Plan("memory", "memory", "imodels", amount)
    with serving(plan) as server:
        return float(_python("-m", "benchmarks.stream", server.url, f"{amount}"))


def _python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    # Where no bytecode is kept, every import would be timed with its compilation.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=kept).stdout


FACTS: dict[str, Callable[[bool], Iterator[Fact]]] = {
    "memory": lambda quick: memory(quick=quick),
    "import": lambda quick: importing(quick=quick),
    "views": lambda quick: views(quick=quick),
}


def facts(name: str, python: str, *, quick: bool) -> list[Fact]:
    """Have an interpreter find figures."""
    command = [python, "-m", "benchmarks.footprint", name, *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return [Fact(**json.loads(line)) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    for found in FACTS[sys.argv[1]]("--quick" in sys.argv):
        print(json.dumps(attrs.asdict(found)), flush=True)
