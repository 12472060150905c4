"""The benchmarks run and say what they should; how fast is not a test's business."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

pytest.importorskip("orjson", reason="the benchmarks compare with it")

from benchmarks import readme
from benchmarks.instructions import counted, tool
from benchmarks.plan import plans
from benchmarks.process import serving
from benchmarks.readme import State

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow
NUMBER = r"\d+\.\d+"


def run(*arguments: str, module: str = "benchmarks") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_workloads_are_done_by_both_sides(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    names = ("minimal", "latency4", "writes")
    chosen = [f"--only={name}" for name in names]
    done = run("--quick", "--pairs", "1", *chosen, "--json", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    (state,) = json.loads(report.read_text())
    figures = state["workloads"]
    for name in names:
        sides = figures[name]["sides"]
        by_page = {"itwin_async, by page"} if name == "minimal" else set[str]()
        assert set(sides) == {"raw aiohttp + orjson", "itwin_async"} | by_page
        for side in sides.values():
            (only,) = side["runs"]
            assert only["wall"] > 0
            assert only["cpu"] > 0
            assert 0 <= side["server_share"] < 2
        assert figures[name]["title"] in done.stdout


def test_other_scripts_over_tls_while_a_core_is_busy(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    chosen = ("--only=pages100", "--script=cjk", "--script=emoji", "--tls", "--busy=1", "--shapes")
    done = run(
        "--quick", "--pairs", "1", *chosen, "--python", sys.executable, "--json", str(report)
    )
    assert (done.returncode, done.stderr) == (0, "")
    (state,) = json.loads(report.read_text())
    assert state["busy"] == 1
    figures = state["workloads"]
    for script in ("cjk", "emoji"):
        sides = figures[f"pages100, {script}"]["sides"]
        assert set(sides) == {"raw aiohttp + orjson", "itwin_async", "itwin_async, by page"}


def test_paced_calls_and_a_start(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    chosen = [f"--only={name}" for name in ("bucket", "window", "start")]
    done = run("--quick", "--pairs", "1", *chosen, "--json", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    (state,) = json.loads(report.read_text())
    ours = {"itwin_async", "itwin_async, learning"}
    for name in ("bucket", "window"):
        sides = state["workloads"][name]["sides"]
        assert set(sides) == {"raw aiohttp + orjson"} | ours
        assert all(side["refused"] >= 0 for side in sides.values())
    assert state["workloads"]["bucket"]["sides"]["itwin_async, learning"]["refused"] > 0
    (only,) = state["workloads"]["start"]["sides"]["itwin_async"]["runs"]
    assert only["cpu"] > 0


def test_an_interpreter_that_is_missing_is_told_and_the_others_are_measured(tmp_path: Path) -> None:
    report = tmp_path / "figures.json"
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    pythons = ("--python", "3.99", "--python", here, "--python", sys.executable)
    done = run("--quick", "--pairs", "1", "--only", "writes", *pythons, "--json", str(report))
    assert (done.returncode, done.stderr) == (0, "")
    assert "skipped: no CPython 3.99 here" in done.stdout
    states = json.loads(report.read_text())
    assert len(states) == 2
    assert all(set(state["workloads"]) == {"writes"} for state in states)


def test_no_interpreter_at_all_is_a_failure() -> None:
    assert run("--quick", "--only", "writes", "--python", "3.99").returncode == 1


def state(version: str, busy: int, wall: float) -> State:
    ratio = {"median": wall, "low": wall, "high": wall}
    side = {"goal": 0.9, "wall_ratio": ratio, "cpu_ratio": ratio, "instruction_ratio": "0.80"}
    sides = {"raw aiohttp + orjson": {"goal": None}, "itwin_async": side}
    workloads = {"full": {"title": "some iModels", "sides": sides}}
    fact = {"title": "peak memory", "value": 1.0, "limit": 1.1, "unit": ""}
    machine = f"CPython {version}, aiohttp 1, x86_64, 2 cores"
    return State(machine=machine, busy=busy, workloads=workloads, facts={"memory": [fact]})


def test_the_table_of_the_readme_has_a_place_for_each_interpreter_and_state(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{readme.BEGIN}old\n{readme.END}\nafter\n")
    readme.write([state("3.11.7", 0, 0.5), state("3.11.7", 1, 0.6), state("3.13.0", 0, 0.7)], path)
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    row = next(line for line in text.splitlines() if "some iModels" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == [
        "0.90",
        "0.50 / 0.70",
        "0.60 / -",
        "0.50 / 0.70",
        "0.60 / -",
        "0.80 / 0.80",
    ]


@pytest.mark.skipif(tool() is None, reason="neither perf nor valgrind counts instructions here")
def test_instructions_are_counted() -> None:
    (plan,) = (plan for plan in plans(quick=True) if plan.name == "writes")
    small, large = (attrs.evolve(plan, amount=amount) for amount in (20, 60))
    with serving(large) as server:
        few, many = (counted("ours", server.url, work) for work in (small, large))
    assert 0 < few < many


def test_single_figures_are_printed_with_their_limits() -> None:
    done = run("--quick", "--only", "views")
    assert (done.returncode, done.stderr) == (0, "")
    assert "with_token, time" in done.stdout
    assert "at most 1000 B" in done.stdout


def test_profile_names_the_decoder() -> None:
    done = run("--quick", "--only", "pages100", "--profile")
    assert (done.returncode, done.stderr) == (0, "")
    assert "itwin_async/_paging/iterators.py" in done.stdout.replace("\\", "/")


def test_a_workload_that_does_not_exist_is_refused() -> None:
    done = run("--only", "nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr


def test_no_rounds_are_refused() -> None:
    done = run("--pairs", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr


def run_harvest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run(*arguments, module="benchmarks.harvest")


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines()[1:] if line]


def test_every_figure_of_harvests_is_told() -> None:
    told = lines(
        run_harvest("--quick", "--only", "latency", "--only", "quota", "--only", "resuming")
    )
    wanted = [
        *(rf"50 ms latency, concurrency {n} +{NUMBER} x ideal" for n in (1, 4, 16, 64)),
        *(rf"quota {word} +\d+% of it used, {NUMBER}% refused" for word in ("known", "unknown")),
        rf"stopped halfway and gone on with +{NUMBER} x undisturbed",
        rf"a finished harvest asked again +{NUMBER} x undisturbed",
    ]
    for line, pattern in zip(told, wanted, strict=True):
        assert re.fullmatch(pattern, line), line


def test_what_a_harvest_costs_is_told_for_each_target() -> None:
    told = lines(run_harvest("--quick", "--only", "refresh"))
    assert [line.split()[4] for line in told][:2] == ["out.db", "out.ndjson"]
    assert all("x a harvest: CPU" in line for line in told)


def test_one_figure_of_harvests_alone() -> None:
    told = lines(run_harvest("--quick", "--only", "resuming"))
    assert [line.split()[0] for line in told] == ["stopped", "a"]


def test_a_figure_of_harvests_that_does_not_exist_is_refused() -> None:
    done = run_harvest("--only", "nonsense")
    assert done.returncode == 2
    assert "invalid choice: 'nonsense'" in done.stderr


def test_downloads_are_measured_against_a_plain_loop() -> None:
    told = lines(run("--quick", module="benchmarks.files"))
    assert len(told) == 3 * 4
    for title, plain, ours, ratio in zip(*[iter(told)] * 4, strict=True):
        assert re.fullmatch(r"[\d,]+ changesets of \d+ [kM]B(, digest checked)?", title)
        for side in (plain, ours):
            assert re.search(rf"{NUMBER} s +{NUMBER} s CPU +{NUMBER} MB peak", side)
        assert re.search(rf"ratio +{NUMBER} \[", ratio)
