"""
The benchmarks run and say what they should; how fast is not a test's business.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_workloads_are_done_by_both_sides(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    names = ("minimal", "latency4", "writes")
    chosen = [f"--only={name}" for name in names]
    done = run("--quick", "--pairs", "1", *chosen, "--json", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(report.read_text())
    for name in names:
        sides = figures[name]["sides"]
        assert set(sides) == {"raw aiohttp + orjson", "itwin_async"}
        for side in sides.values():
            (only,) = side["runs"]
            assert only["wall"] > 0
            assert 0 <= side["server_share"] < 2
        assert figures[name]["title"] in done.stdout


def test_single_figures_are_printed_with_their_limits() -> None:
    done = run("--quick", "--only", "views")
    assert (done.returncode, done.stderr) == (0, "")
    assert "with_token, time" in done.stdout
    assert "at most 1000 B" in done.stdout


def test_profile_names_the_decoder() -> None:
    done = run("--quick", "--only", "pages100", "--profile")
    assert (done.returncode, done.stderr) == (0, "")
    assert "itwin_async/walks.py" in done.stdout.replace("\\", "/")


def test_a_workload_that_does_not_exist_is_refused() -> None:
    done = run("--only", "nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr


def test_no_rounds_are_refused() -> None:
    done = run("--pairs", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
