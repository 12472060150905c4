"""
Harvests that are killed again and again end with exactly what an undisturbed one has.

``ITWIN_ASYNC_KILLS`` sets how many kills each target gets (8 by default).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from harvest_truth import NEEDS, TARGETS, expected, found, lines
from list_platform import ListPlatform, list_platform
from made_lists import Thing

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread, Fault, RateLimit

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "8"))


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=24, imodels=60, seed=5, latency=0.004) as emulator:
        yield emulator


def start(
    emulator: EmulatorThread | ListPlatform, target: Path, page_size: int = 5, *names: str
) -> subprocess.Popen[str]:
    worker = Path(__file__).with_name("worker.py")
    command = [sys.executable, str(worker), str(target), emulator.base_url, emulator.token]
    return subprocess.Popen(
        [*command, str(page_size), *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def storm() -> Iterator[EmulatorThread]:
    """A platform that is slow, loses connections, fails, refuses, and forgets its own tokens."""
    lists = "GET /imodels/favorites"
    with EmulatorThread(itwins=24, imodels=60, seed=6, latency=0.015) as emulator:
        emulator.rate_limit = RateLimit(150, 0.5, retry_after=False)
        emulator.fault(Fault(match=lists, drop="before", every=37, times=None))
        emulator.fault(Fault(match=lists, drop="middle", every=41, times=None))
        emulator.fault(Fault(match="*", status=503, every=23, times=None))
        emulator.fault(Fault(match=lists, expire_continuation=True, every=101, times=None))
        yield emulator


@pytest.mark.parametrize("name", ["out.db", *TARGETS[2:]])
def test_killed_at_any_moment(storm: EmulatorThread, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = tmp_path / name
    reader = reading_by_duckdb(target) if name == "out.parquet" else nullcontext()
    with reader as seen:
        assert kill_again_and_again(storm, target) == len(expected(storm))
        assert found(target) == expected(storm)
        if seen is not None:
            await_all(seen, [name for _, name in expected(storm)])
            assert len({len(names) for names in seen}) > 2
    stranger = sorted((str(row["list"]), str(row["item"]["id"])) for row in lines(target))  # type: ignore[index]
    assert stranger == expected(storm)


def test_killed_while_parts_are_merged(tmp_path: Path) -> None:
    """Every page is a part, every third merges them: most moments are in the midst of it."""
    pytest.importorskip("pyarrow")
    target, rng, interrupted = tmp_path / "out.parquet", random.Random(7), 0
    worker = Path(__file__).with_name("merging_worker.py")
    pages, before = KILLS, 0
    for _ in range((KILLS + 1) // 2 if KILLS < 20 else KILLS):
        with subprocess.Popen(
            [sys.executable, str(worker), str(target), str(pages)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
            deadline = time.monotonic() + 30
            while _items(target) <= before and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # until it gets on
            time.sleep(rng.uniform(0.0, 0.1))  # the moment is what is tested
            process.kill()
        interrupted += any(tmp_path.glob(".new-*"))
        before = harvest.check(target).items
        assert before == len({one.id for _, one in read_things(target)})
    assert interrupted or KILLS < 20
    done = subprocess.run(
        [sys.executable, str(worker), str(target), str(pages)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split()[1:] == [str(25 * pages), "True"], done.stderr
    with reading_by_duckdb(target) as seen:
        await_all(seen, [f"{k}-{p}-{n}" for k in range(5) for p in range(pages) for n in range(5)])
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet", "out.parquet.state"}


def read_things(target: Path) -> Iterator[tuple[str, Thing]]:
    return harvest.read(target, Thing)


def await_all(seen: list[list[str]], ids: list[str]) -> None:
    """Parts were merged all the time, and no reader of the folder saw a row twice."""
    deadline = time.monotonic() + 30
    while not seen or len(seen[-1]) < len(ids):
        assert time.monotonic() < deadline
        time.sleep(0.05)  # until the reader has seen the end
    assert sorted(seen[-1]) == sorted(ids)
    for names in seen:
        assert len(names) == len(set(names))
        assert set(names) <= set(ids)


@contextmanager
def reading_by_duckdb(target: Path) -> Iterator[list[list[str]]]:
    """Read all ids in a folder again and again, in a thread."""
    duckdb = pytest.importorskip("duckdb")
    seen: list[list[str]] = []
    problems: list[BaseException] = []
    ends = threading.Event()

    def read() -> None:
        with duckdb.connect() as database:
            while not ends.wait(0.01):
                try:
                    found = database.execute(f"SELECT id FROM '{target}/*.parquet'").fetchall()
                except duckdb.IOException as problem:  # merged since their names were read
                    if "No files found" not in str(problem) and "No such file" not in str(problem):
                        problems.append(problem)
                else:
                    seen.append([str(name) for (name,) in found])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        ends.set()
        reader.join(30)
    assert not problems


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.ndjson.gz", "out.parquet"])
def test_several_lists_killed_at_any_moment(tmp_path: Path, name: str) -> None:
    """All lists of the platform, three deep, into one target; pages fail, and so do connections."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target, undisturbed = tmp_path / name, tmp_path / "undisturbed.db"
    with list_platform() as platform:
        _, err = start(platform, undisturbed, 1, *harvest.list_names()).communicate(timeout=120)
        assert not err
    with list_platform(latency=0.01, every=29) as platform:
        items = kill_again_and_again(platform, target, *harvest.list_names())
    there = rows_of(undisturbed)
    assert items == sum(len(rows) for rows in there.values())
    assert rows_of(target) == there
    assert harvest.check(target).finished


def rows_of(target: Path) -> dict[str, list[str]]:
    """The rows of each table: lists and items."""
    return {
        table: sorted(f"{key} {item}" for key, item in harvest.read(target, table=table))
        for table in harvest.status(target).tables
    }


def kill_again_and_again(storm: EmulatorThread | ListPlatform, target: Path, *names: str) -> int:
    """Harvest, killed at any moment, until it is complete, and count the items."""
    rng = random.Random(target.name)
    kills = rounds = 0
    longest = 0.3
    parts: set[int] = set()
    words = ["0", "False"]
    while words[1] == "False":
        rounds += 1
        assert rounds < KILLS + 10
        process = start(storm, target, 1 if names else 5, *names)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        if kills < KILLS:
            time.sleep(rng.uniform(0.0, longest))  # the moment is what is tested
            process.kill()
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            words = out.split()
        else:
            assert process.returncode == -signal.SIGKILL, err
            kills += 1
            left = _items(target)
            # A busy machine gets nothing done in so short a life; the next one lives longer.
            longest *= 1.5 if left in parts or not left else 1.0
            parts.add(left)
    assert kills >= min(3, KILLS)
    assert parts - {0, int(words[0])}, "no kill left a part behind"
    return int(words[0])


def test_a_second_process_is_refused_and_the_first_goes_on(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    target = tmp_path / "out.db"
    first = start(emulator, target, page_size=1)
    deadline = time.monotonic() + 30
    while not _items(target):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.02)  # until another process has written something
    second = start(emulator, target, page_size=1)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "in use by another harvest" in err.splitlines()[-1]
    first.kill()
    first.communicate(timeout=60)
    third = start(emulator, target)
    out, err = third.communicate(timeout=60)
    assert out.split()[-1] == "True", err
    assert found(target) == expected(emulator)


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_cleanly(
    emulator: EmulatorThread, tmp_path: Path, number: signal.Signals, times: int, name: str
) -> None:
    """
    Two for one wish are as good as one: ``timeout`` signals its child, and then the child's group.
    """
    pytest.importorskip("click")
    target, report = tmp_path / name, tmp_path / "report.json"
    command = [sys.executable, "-W", "default", "-m", "itwin_async.cli", "harvest", str(target)]
    environment = {
        **os.environ,
        "ITWIN_ACCESS_TOKEN": emulator.token,
        "ITWIN_BASE_URL": emulator.base_url,
    }
    process = subprocess.Popen(
        [*command, "--page-size", "1", "--concurrency", "2", "--report", str(report)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    deadline = time.monotonic() + 30
    while not _items(target):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)  # until another process has written something
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.01)  # signals of a kind that come at the same instant are one
    _, err = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    # On a busy machine the development mode tells of steps that took long.
    kept, last = (line for line in err.splitlines() if not line.startswith("Executing <"))
    assert "run the same again to go on" in kept
    assert last.removeprefix("itwin-async: ") in {"interrupted", "terminated"}
    told = json.loads(report.read_text())
    assert not told["finished"]
    assert told["error"] == "interrupted"
    left = harvest.status(target)
    assert left.items == told["progress"]["items"] > 0
    assert f"{left.items:,} items are kept" in kept
    assert not left.finished
    assert len(found(target)) == left.items
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert found(target) == expected(emulator)


def _items(target: Path) -> int:
    try:
        return harvest.status(target).items
    except harvest.TargetError:
        return 0


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
def test_a_file_that_may_not_grow(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    """A limit on the size of files is as near to a full disk as an ordinary user can come."""
    code = (
        "import resource, runpy, signal, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY));"
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    worker = Path(__file__).with_name("worker.py")
    target = tmp_path / name
    script = [sys.executable, "-c", code.replace("sys.argv[1]", repr(str(worker)))]
    done = subprocess.run(
        [*script, str(target), emulator.base_url, emulator.token, "20"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "TargetError" in last
    assert "the disk is full" in last or "cannot be written" in last
    kept = found(target)
    assert len(kept) == harvest.status(target).items
    assert set(kept) < set(expected(emulator))
    assert all(row["list"] for row in lines(target))
    process = start(emulator, target)
    assert process.communicate(timeout=60)[0].split()[-1] == "True"
    assert found(target) == expected(emulator)
