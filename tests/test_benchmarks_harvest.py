"""
The benchmarks of harvests run and say what they should; how fast is not a test's business.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NUMBER = r"\d+\.\d+"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks.harvest", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines()[1:] if line]


def test_every_figure_is_told() -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("zstandard")
    told = lines(run("--quick"))
    targets = ("stream", "out.db", "out.ndjson", "out.ndjson.gz", "out.ndjson.zst", "out.parquet")
    spread = rf" +{NUMBER} \[{NUMBER}\.\.{NUMBER}\] +[\d,]+ items/s"
    wanted = [
        *(rf"10,000 items, {re.escape(target)}{spread}" for target in targets),
        *(rf"50 ms latency, concurrency {n} +{NUMBER} x ideal" for n in (1, 4, 16, 64)),
        *(rf"quota {word} +\d+% of it used, {NUMBER}% refused" for word in ("known", "unknown")),
        rf"peak memory out\.db, 50,000 items against 10,000 +{NUMBER} \(.* MB against .* MB\)",
        rf"stopped halfway and gone on with +{NUMBER} x undisturbed",
        rf"a finished harvest asked again +{NUMBER} x undisturbed",
    ]
    assert len(told) == len(wanted)
    for line, pattern in zip(told, wanted, strict=True):
        assert re.fullmatch(pattern, line), line


def test_one_figure_alone() -> None:
    told = lines(run("--quick", "--only", "resuming"))
    assert [line.split()[0] for line in told] == ["stopped", "a"]


def test_a_figure_that_does_not_exist_is_refused() -> None:
    done = run("--only", "nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr
