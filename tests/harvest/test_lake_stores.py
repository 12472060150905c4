"""
Harvests into object stores that are killed, lose their machine and meet others.

Each store is a real server. ``ITWIN_ASYNC_KILLS`` sets how many kills each target gets (2 by
default).
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
from uuid import uuid4

import attrs
import pytest
from azurite import ACCOUNT, KEY
from azurite import running as azurite_running
from harvest_truth import Pairs, expected
from s3_server import running as s3_running

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread, Fault, RateLimit
from itwin_async.harvest.target import target_files

pytestmark = pytest.mark.slow
pytest.importorskip("deltalake")
pytest.importorskip("obstore")
KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "2"))


@attrs.frozen
class Lake:
    """A store: the start of addresses in it, and how it is reached."""

    start: str
    options: dict[str, str]

    def target(self, ending: str) -> str:
        return f"{self.start}/{uuid4()}{ending}"


@pytest.fixture(scope="module")
def s3() -> Iterator[Lake]:
    with s3_running() as server:
        server.create("lake")
        yield Lake("s3://lake/folder", server.options)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with azurite_running(tmp_path_factory.mktemp("azurite")) as server:
        server.create("lake")
        options = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": server.url,
            "AZURE_ALLOW_HTTP": "true",
        }
        yield Lake("az://lake/folder", options)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(str(tmp_path_factory.mktemp("lake")), {})


@pytest.fixture(scope="module")
def storm() -> Iterator[EmulatorThread]:
    """A platform that is slow, loses connections, fails and refuses."""
    with EmulatorThread(itwins=16, imodels=20, seed=6, latency=0.01) as emulator:
        emulator.rate_limit = RateLimit(200, 0.5, retry_after=False)
        emulator.fault(Fault(match="GET /imodels/favorites", drop="middle", every=41, times=None))
        emulator.fault(Fault(match="*", status=503, every=23, times=None))
        yield emulator


@pytest.mark.parametrize(
    ("store", "ending"),
    [("here", ".delta"), ("s3", ".delta"), ("s3", ".parquet"), ("azure", ".parquet")],
)
def test_killed_at_any_moment(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    storm: EmulatorThread,
    tmp_path: Path,
    store: str,
    ending: str,
) -> None:
    """Every third machine is lost with its disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lake: Lake = request.getfixturevalue(store)
    rng, kills = random.Random(store + ending), 0
    while kills < KILLS:
        target = lake.target(ending)
        kills += kill_again_and_again(storm, target, lake, tmp_path, rng, KILLS - kills)
        assert harvest.check(target, storage_options=lake.options).finished
        for found in read_by_others(target, lake):
            assert found == expected(storm)


def kill_again_and_again(
    storm: EmulatorThread, target: str, lake: Lake, cache: Path, rng: random.Random, most: int
) -> int:
    """Harvest, killed at any moment, until it is complete, and count the kills."""
    spool = target_files(target).state
    longest, seen = 0.4, set[int]()
    for kills in range(most + 1):
        process = start(storm, target, lake, cache)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        if kills < most:
            time.sleep(rng.uniform(0.0, longest))  # the moment is what is tested
            process.kill()
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            assert out.split() == [str(len(expected(storm))), "True"]
            return kills
        assert process.returncode == -signal.SIGKILL, err
        found = items(target, lake)
        # A busy machine gets nothing done in so short a life; the next one lives longer.
        longest *= 1.3 if found in seen or not found else 1.0
        seen.add(found)
        if kills % 3 == 2:
            for beside in ("", "-wal", "-shm"):
                spool.with_name(spool.name + beside).unlink(missing_ok=True)
    raise AssertionError("it does not get on")


@pytest.mark.parametrize("ending", [".delta", ".parquet"])
def test_several_machines_at_once(
    s3: Lake, storm: EmulatorThread, tmp_path: Path, ending: str
) -> None:
    """Each reads what it finds, and every list is there once."""
    target = s3.target(ending)
    processes = [start(storm, target, s3, tmp_path / f"{number}") for number in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out.split() == ["started", str(len(expected(storm))), "True"]
    for found in read_by_others(target, s3):
        assert found == expected(storm)


def start(emulator: EmulatorThread, target: str, lake: Lake, cache: Path) -> subprocess.Popen[str]:
    worker = Path(__file__).with_name("worker.py")
    command = [sys.executable, str(worker), target, emulator.base_url, emulator.token, "5"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **lake.options, "XDG_CACHE_HOME": str(cache)},
    )


def items(target: str, lake: Lake) -> int:
    try:
        return harvest.status(target, storage_options=lake.options).items
    except harvest.TargetError:
        return 0


def read_by_others(target: str, lake: Lake) -> Iterator[Pairs]:
    """What other engines find: polars by itself, and DuckDB in what Arrow reads."""
    import duckdb
    import polars as pl

    options = lake.options or None
    if target.endswith(".delta"):
        from deltalake import DeltaTable

        frame = pl.scan_delta(target, storage_options=options)
        table = DeltaTable(target, storage_options=options).to_pyarrow_table(columns=["list", "id"])
    else:
        frame = pl.scan_parquet(f"{target}/*.parquet", storage_options=options)
        table = frame.select("list", "id").collect().to_arrow()
    yield sorted(frame.select("list", "id").collect().rows())
    with duckdb.connect() as database:
        database.register("rows", table)
        yield sorted(database.sql("SELECT list, id FROM rows").fetchall())
