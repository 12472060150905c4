"""A PostgreSQL server that goes away, and clients that are killed: none missing, none twice.

``ITWIN_ASYNC_KILLS`` sets how many kills there are (4 by default).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from harvest_truth import expected
from postgres_server import PostgresServer

from itwin_async import AuthenticationError, Session, harvest
from itwin_async.emulator import Emulator, EmulatorThread, Fault, RateLimit
from itwin_async.harvest.postgres import connection

KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "4"))
FULL = harvest.favorite_imodels().full()


@pytest.fixture
def target(server: PostgresServer) -> str:
    return server.url()


def rows(server: PostgresServer, target: str) -> list[tuple[str, str]]:
    """Lists and ids of the items, by a query of one's own."""
    schema = target.rpartition("schema=")[2]
    return sorted(server.sql(f"SELECT list, json ->> 'id' FROM {schema}.favorite_imodels"))


@pytest.mark.parametrize("how", ["connection", "server"])
async def test_a_run_goes_on_after_the_server_was_away(
    emulator: Emulator, session: Session, server: PostgresServer, target: str, how: str
) -> None:
    """It is away again and again, at any moment."""
    begun, done, moments = threading.Event(), threading.Event(), random.Random(7)

    def disturb() -> None:
        begun.wait(60)
        for _ in range(8):
            if done.wait(moments.uniform(0.02, 0.15)):
                break
            server.restart() if how == "server" else server.kill_backends()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        emulator.latency = 0.01
        report = await harvest.run(
            session, FULL, target, page_size=3, concurrency=3, on_progress=lambda _: begun.set()
        )
    finally:
        begun.set()
        done.set()
        thread.join()
    assert report.complete
    assert report.progress.items == len(expected(emulator))
    assert rows(server, target) == expected(emulator)
    assert harvest.check(target).items == len(expected(emulator))


@asynccontextmanager
async def losing_answers(port: int, times: int) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Stand before a server, and close connections when it answers to a commit."""
    lost: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        committing = False

        async def answers() -> None:
            while data := await inner_reader.read(65536):
                if committing and len(lost) < times:
                    lost.append(data)
                    break
                writer.write(data)
            writer.close()

        task = asyncio.create_task(answers())
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                committing = b"COMMIT" in data and b"ON COMMIT" not in data
                inner_writer.write(data)
        inner_writer.close()
        await task

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        yield proxy.sockets[0].getsockname()[1], lost


async def test_an_answer_that_is_lost_after_the_commit_counts_nothing_twice(
    emulator: Emulator, session: Session, server: PostgresServer, target: str
) -> None:
    emulator.fail("GET /imodels/favorites", status=401, times=None, after=3)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, FULL, target, page_size=5, concurrency=1)
    emulator.clear_faults()
    async with losing_answers(server.port, times=4) as (port, lost):
        there = target.replace(f":{server.port}/", f":{port}/")
        report = await harvest.run(session, FULL, there, page_size=1, concurrency=1)
    assert len(lost) == 4
    assert report.complete
    assert report.progress.items == len(expected(emulator))
    assert rows(server, target) == expected(emulator)
    assert harvest.check(target).items == len(expected(emulator))


async def test_a_server_that_stays_away_ends_the_run_and_the_next_one_resumes(
    emulator: Emulator,
    session: Session,
    server: PostgresServer,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "_RECONNECT_FOR", 0.1)

    def stop(progress: harvest.Progress) -> None:
        if progress.items > 40:
            server.stop()

    emulator.latency = 0.02
    try:
        with pytest.raises(harvest.TargetError) as caught:
            await harvest.run(session, FULL, target, page_size=2, concurrency=2, on_progress=stop)
    finally:
        server.start()
    assert "127.0.0.1" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    kept = harvest.status(target)
    assert 0 < kept.items < len(expected(emulator))
    report = await harvest.run(session, FULL, target, page_size=5)
    assert report.resumed
    assert report.complete
    assert report.progress.new_items == len(expected(emulator)) - kept.items
    assert rows(server, target) == expected(emulator)


@pytest.fixture(scope="module")
def storm() -> Iterator[EmulatorThread]:
    """A platform that is slow, loses connections, fails, refuses, and forgets its own tokens."""
    lists = "GET /imodels/favorites"
    with EmulatorThread(itwins=24, imodels=60, seed=6, latency=0.015) as emulator:
        emulator.rate_limit = RateLimit(150, 0.5, retry_after=False)
        emulator.fault(Fault(match=lists, drop="before", every=37, times=None))
        emulator.fault(Fault(match="*", status=503, every=23, times=None))
        emulator.fault(Fault(match=lists, expire_continuation=True, every=101, times=None))
        yield emulator


def start(emulator: EmulatorThread, target: str) -> subprocess.Popen[str]:
    worker = Path(__file__).with_name("worker.py")
    command = [sys.executable, str(worker), target, emulator.base_url, emulator.token, "5"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["client", "backend", "server"])
def test_killed_at_any_moment(storm: EmulatorThread, server: PostgresServer, what: str) -> None:
    """Harvests follow each other until there were enough kills."""
    rng, kills, harvests = random.Random(what), 0, 0
    while kills < KILLS or not harvests:
        target = server.url()
        kills += harvest_through_kills(storm, server, target, what, KILLS - kills, rng)
        harvests += 1
        assert rows(server, target) == expected(storm)
        assert harvest.check(target).finished
    assert kills == KILLS


def harvest_through_kills(
    storm: EmulatorThread,
    server: PostgresServer,
    target: str,
    what: str,
    most: int,
    rng: random.Random,
) -> int:
    """Harvest to the end, and count the kills."""
    kills, longest = 0, 0.3
    words, parts = ["0", "False"], set[int]()
    for _ in range(most + 10):
        process = start(storm, target)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        while kills < most and process.poll() is None:
            time.sleep(rng.uniform(0.0, longest))  # the moment is what is tested
            kills += 1
            if what == "client":
                process.kill()
                break
            server.restart() if what == "server" else server.kill_backends()
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            words = out.split()
            break
        # The connection was lost while the target was opened.
        assert process.returncode == -signal.SIGKILL or "TargetError" in err.splitlines()[-1], err
        assert "s3cr3t" not in err
        left = items(target)
        longest *= 1.5 if left in parts or not left else 1.0
        parts.add(left)
    assert words == [str(len(expected(storm))), "True"]
    return kills


def items(target: str) -> int:
    try:
        return harvest.status(target).items
    except harvest.TargetError:
        return 0
