"""
Harvests that are killed again and again end with exactly what an undisturbed one has.

``ITWIN_ASYNC_KILLS`` sets how many kills each target gets (8 by default).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread
from tests.harvest.truth import NEEDS, TARGETS, expected, found, lines

KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "8"))


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=24, imodels=60, seed=5, latency=0.004) as emulator:
        yield emulator


def start(emulator: EmulatorThread, target: Path, page_size: int = 5) -> subprocess.Popen[str]:
    worker = Path(__file__).with_name("worker.py")
    command = [sys.executable, str(worker), str(target), emulator.base_url, emulator.token]
    return subprocess.Popen(
        [*command, str(page_size)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("name", TARGETS)
def test_killed_at_any_moment(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target, rng = tmp_path / name, random.Random(name)
    kills = 0
    longest = 0.35
    while True:
        process = start(emulator, target)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        if kills < KILLS:
            time.sleep(rng.uniform(0.0, longest))  # the moment is what is tested
            process.kill()
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        kills += 1
    assert out.split() == [str(len(expected(emulator))), "True"]
    assert kills >= min(3, KILLS)
    assert found(target) == expected(emulator)
    stranger = sorted((str(row["list"]), str(row["item"]["id"])) for row in lines(target))  # type: ignore[index]
    assert stranger == expected(emulator)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_cleanly(
    emulator: EmulatorThread, tmp_path: Path, number: signal.Signals
) -> None:
    pytest.importorskip("click")
    target = tmp_path / "out.ndjson"
    command = [sys.executable, "-X", "dev", "-m", "itwin_async.cli", "harvest", str(target)]
    environment = {
        **os.environ,
        "ITWIN_ACCESS_TOKEN": emulator.token,
        "ITWIN_BASE_URL": emulator.base_url,
    }
    process = subprocess.Popen(
        [*command, "--page-size", "1", "--concurrency", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    deadline = time.monotonic() + 30
    while not _has_items(target):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)  # until another process has written something
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert len(err.splitlines()) == 1, err
    left = harvest.status(target)
    assert not left.finished
    assert len(found(target)) == left.items
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert found(target) == expected(emulator)


def _has_items(target: Path) -> bool:
    try:
        return harvest.status(target).items > 0
    except harvest.TargetError:
        return False


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
def test_a_file_that_may_not_grow(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    """
    A limit on the size of files is as near to a full disk as an ordinary user can come.
    """
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
