"""The command ``python -m benchmarks.files``."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks import table

MB = 2**20


@attrs.frozen
class Plan:
    """
    Attributes:
        name: what ``--only`` takes.
        count: how many changesets.
        size: size of each in bytes.
        digest: whether the storage states one, which is checked then.
    """

    name: str
    count: int
    size: int
    digest: bool = False

    @property
    def title(self) -> str:
        each = f"{self.size // MB} MB" if self.size >= MB else f"{self.size / 1024:.0f} kB"
        checked = ", digest checked" if self.digest else ""
        return f"{self.count:,} changesets of {each}{checked}"


def plans(*, quick: bool) -> list[Plan]:
    small, large = (300, 3) if quick else (5_000, 20)
    size = 8 * MB if quick else 64 * MB
    return [
        Plan("small", small, 8 * 1024),
        Plan("large", large, size),
        Plan("digest", large, size, digest=True),
    ]


@contextmanager
def serving(plan: Plan) -> Iterator[str]:
    arguments = [f"{plan.count}", f"{plan.size}", "digest" if plan.digest else "plain"]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.files.server", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.stdin.close()


def run(side: str, url: str, plan: Plan) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.files.run", side, url]
        done = subprocess.run(
            [*command, str(Path(folder) / "files")], check=True, capture_output=True, text=True
        )
    told: dict[str, float] = json.loads(done.stdout)
    if told["files"] != plan.count:
        raise SystemExit(f"{side} brought {told['files']} of {plan.count} files")
    return told


def measure(plan: Plan, rounds: int) -> None:
    sides: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
    with serving(plan) as url:
        for _ in range(rounds):
            for side, runs in sides.items():
                runs.append(run(side, url, plan))
    pairs = list(zip(sides["ours"], sides["plain"], strict=True))
    print(plan.title)
    for side, runs in sides.items():
        wall, cpu = (statistics.median(each[name] for each in runs) for name in ("wall", "cpu"))
        peak = max(each["peak"] for each in runs) / MB
        name = {"plain": "plain aiohttp loop", "ours": "itwin_async.files"}[side]
        print(f"  {name:20} {wall:8.3f} s {cpu:8.3f} s CPU {peak:8.1f} MB peak")
    ratios = sorted(ours["wall"] / plain["wall"] for ours, plain in pairs)
    spread = f"[{ratios[0]:.2f}..{ratios[-1]:.2f}]"
    print(f"  {'ratio':20} {statistics.median(ratios):8.2f} {spread}", flush=True)


def main() -> None:
    chosen = plans(quick=False)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small amounts, one round")
    parser.add_argument("--only", action="append", choices=[plan.name for plan in chosen])
    parser.add_argument("--rounds", type=int, help="each side once in each")
    given = parser.parse_args()
    rounds = given.rounds or (1 if given.quick else 5)
    print(table.machine())
    for plan in plans(quick=given.quick):
        if given.only is None or plan.name in given.only:
            measure(plan, max(1, rounds))


if __name__ == "__main__":
    main()
