"""
A real cluster whose workers, client and scheduler are killed: every row is there, and once.

``ITWIN_ASYNC_KILLS`` sets how many kills there are (3 by default).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlite_lake import SqliteLake

from itwin_async import Session, harvest
from itwin_async.emulator import EmulatorThread, RateLimit

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "3"))
HERE = Path(__file__).parent
RATE = 150
NAMES = ["favorite-imodels", "tags"]


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=30, imodels=40, seed=9) as emulator:
        emulator.rate_limit = RateLimit(RATE, 1.0, shared=True)
        yield emulator


@attrs.define
class Cluster:
    process: subprocess.Popen[str]
    address: str
    errors: Path

    def workers(self) -> list[int]:
        """Find the processes that read: children of the nannies' servers, in a group of its own."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    group = os.getpgid(int(folder.name))
                    words = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                if group == self.process.pid and b"spawn_main" in words:
                    found.append(int(folder.name))
        return found


@contextmanager
def cluster(platform: EmulatorThread, folder: Path, workers: int = 2) -> Iterator[Cluster]:
    errors = folder / f"errors-{time.monotonic_ns()}"
    environment = {
        **os.environ,
        "ITWIN_ACCESS_TOKEN": platform.token,
        "ITWIN_BASE_URL": platform.base_url,
        "PYTHONWARNINGS": "always::ResourceWarning",
        "PYTHONPATH": os.pathsep.join([str(HERE.parent / "support"), *sys.path]),
    }
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "dask_cluster.py"), str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=environment,
            start_new_session=True,
        )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield Cluster(process, process.stdout.readline().strip(), errors)
        if process.poll() is None:
            process.stdin.close()
            process.wait(30)
    finally:
        with suppress(ProcessLookupError):  # what is left of it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
        if not process.stdin.closed:
            process.stdin.close()


def client(
    platform: EmulatorThread, cluster: Cluster, target: Path, **environment: str
) -> subprocess.Popen[str]:
    own = {
        **os.environ,
        "ITWIN_ACCESS_TOKEN": platform.token,
        "ITWIN_BASE_URL": platform.base_url,
        "PYTHONPATH": os.pathsep.join([str(HERE.parent / "support"), *sys.path]),
        **environment,
    }
    process = subprocess.Popen(
        [
            sys.executable,
            str(HERE / "dask_client.py"),
            cluster.address,
            str(target),
            str(RATE),
            *NAMES,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=own,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.fixture(scope="module")
def truth(
    platform: EmulatorThread, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Any, ...]]:
    """The rows of a harvest on one machine."""
    target = tmp_path_factory.mktemp("truth") / "single.db"
    before, platform.rate_limit = platform.rate_limit, None

    async def main() -> None:
        async with Session(platform.token, base_url=platform.base_url) as session:
            await harvest.run(session, harvest.lists(*NAMES), target)

    asyncio.run(main())
    platform.rate_limit = before
    with sqlite3.connect(target) as database:
        found = [
            (table, key, id_, text.encode())
            for table in ("favorite_imodels", "tags")
            for key, id_, text in database.execute(f"SELECT list, id, json FROM {table}")
        ]
    database.close()
    return sorted(found)


def rows_of(target: Path) -> list[tuple[Any, ...]]:
    lake: Any = SqliteLake(str(target))
    if target.suffix == ".delta":
        from itwin_async.harvest.lake.delta import DeltaTarget

        lake = DeltaTarget(str(target))
    tables = ("favorite_imodels", "tags")
    return sorted(
        (table, row.list, row.id, row.text) for table in tables for row in lake.rows(table)
    )


def test_two_workers_have_the_rows_of_one_machine_and_keep_its_quota(
    platform: EmulatorThread, tmp_path: Path, truth: list[tuple[Any, ...]]
) -> None:
    platform.clear_requests()
    with cluster(platform, tmp_path) as here:
        out, err = client(platform, here, tmp_path / "lake").communicate(timeout=120)
    report = json.loads(out)
    assert report["finished"], err
    assert rows_of(tmp_path / "lake") == truth
    calls = [request for request in platform.requests if not request.path.startswith("/_")]
    assert len(calls) > 200
    assert sum(request.status == 429 for request in calls) < 0.01 * len(calls)
    told = here.errors.read_text()
    for word in ("Unclosed", "ResourceWarning", "never retrieved", "never awaited", platform.token):
        assert word not in told
        assert word not in err


def test_killed_at_any_moment(
    platform: EmulatorThread, tmp_path: Path, truth: list[tuple[Any, ...]]
) -> None:
    pytest.importorskip("deltalake")
    rng, kills, rounds, target = random.Random(KILLS), 0, 0, tmp_path / "0.delta"
    longest = 1.0
    while kills < KILLS:
        with cluster(platform, tmp_path) as here:
            while kills < KILLS and here.process.poll() is None:
                process, whom = client(platform, here, target), ""
                while kills < KILLS and whom in {"", "worker"} and process.poll() is None:
                    time.sleep(rng.uniform(0.1, longest))  # the moment is what is tested
                    longest *= 1.2  # so that something comes of it on a slow machine too
                    whom = ("worker", "client", "scheduler")[kills % 3]
                    kills += process.poll() is None
                    victims = {"client": [process.pid], "scheduler": [here.process.pid]}
                    for victim in victims.get(whom) or here.workers()[:1]:
                        with suppress(ProcessLookupError):  # it has ended by itself
                            os.kill(victim, signal.SIGKILL)
                out, err = process.communicate(timeout=120)
                if process.returncode == 0:
                    check(out, target, truth)
                    rounds, longest = rounds + 1, 1.0
                    target = tmp_path / f"{rounds}.delta"
                else:
                    assert whom in {"client", "scheduler"}, err
    with cluster(platform, tmp_path) as here:
        out, err = client(platform, here, target).communicate(timeout=120)
    assert out, err
    check(out, target, truth)


def check(out: str, target: Path, truth: list[tuple[Any, ...]]) -> None:
    report = json.loads(out)
    assert report["finished"]
    assert report["progress"]["items"] == len(truth)
    assert rows_of(target) == truth
    assert harvest.status(target).complete
