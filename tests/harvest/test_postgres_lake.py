"""PostgreSQL as a target that many machines write: each list once, whoever commits it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import attrs
import lake_writer
import pytest
from lake_writer import IDENTITY, TABLE, list_rows, text
from made_lists import Thing
from postgres_server import PASSWORD, PostgresServer

from itwin_async import Session, harvest
from itwin_async.emulator import EmulatorThread
from itwin_async.harvest import Failure
from itwin_async.harvest.lake.postgres import PostgresTarget
from itwin_async.harvest.lake.protocol import LakeTable, ListRows, Revision

KILLS = int(os.environ.get("ITWIN_ASYNC_KILLS", "3"))


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.url()


@pytest.fixture
def target(url: str) -> PostgresTarget:
    target = PostgresTarget(url)
    target.prepare(IDENTITY, [TABLE])
    return target


def test_a_list_is_committed_once(target: PostgresTarget, url: str) -> None:
    assert target.commit("things", [list_rows(3), list_rows(0, "empty")]) == 3
    assert target.commit("things", [list_rows(3), list_rows(2, "two")]) == 2
    again = PostgresTarget(url)
    again.prepare(IDENTITY, [TABLE])
    assert again.commit("things", [list_rows(2)]) == 0
    assert again.committed("things") == {"list 3": 3, "list 0": 0, "list 2": 2}
    rows = sorted(again.rows("things"), key=lambda row: (row.list, row.id))
    assert [(row.list, row.list_name, row.id) for row in rows] == [
        ("list 2", "two", "2-0"),
        ("list 2", "two", "2-1"),
        ("list 3", None, "3-0"),
        ("list 3", None, "3-1"),
        ("list 3", None, "3-2"),
    ]
    assert rows[0].text == text("2-0")
    assert rows[0].harvested_at.tzinfo is UTC


def test_what_it_remembers(target: PostgresTarget, url: str) -> None:
    assert PostgresTarget(url).state() is not None
    target.commit("things", [list_rows(3)])
    failure = Failure("list 9", "nine", "NotFoundError", "not there", "made")
    outer = Failure("", None, "ServerError", "away", "outer")
    target.finish([failure, outer])
    state = target.state()
    assert state is not None
    assert state.identity == IDENTITY
    assert state.tables == [("things", "made", "ITwinSummary")]
    assert state.generation == 1
    assert state.finished is not None
    assert state.finished >= state.started
    assert sorted(state.failures, key=lambda one: one.key) == [outer, failure]
    assert state.failed == 2
    status = harvest.status(url)
    assert (status.lists_done, status.lists_failed, status.items) == (1, 2, 3)
    assert harvest.check(url).items == 3
    assert len(list(harvest.read(url))) == 3
    assert target.commit("things", [list_rows(9)]) == 9  # another attempt
    target.finish([])
    assert harvest.status(url).lists_failed == 0
    assert harvest.check(url).items == 12


def test_there_is_none_yet(server: PostgresServer) -> None:
    assert PostgresTarget(server.url()).state() is None


def test_other_harvests_and_columns_are_refused(target: PostgresTarget, url: str) -> None:
    other = PostgresTarget(url)
    with pytest.raises(harvest.TargetError):
        other.prepare({"source": "another"}, [TABLE])
    with pytest.raises(harvest.TargetError):
        other.prepare(IDENTITY, [LakeTable("things", "made", Thing)])
    with pytest.raises(harvest.TargetError):
        other.prepare(IDENTITY, [TABLE, LakeTable("more", "more", Thing)])
    with pytest.raises(harvest.TargetError):
        other.commit("things", [list_rows(1)])  # it was not prepared
    assert other.committed("things") == {}


async def test_one_writer_and_many_do_not_mix(
    session: Session, server: PostgresServer, target: PostgresTarget, url: str
) -> None:
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, harvest.favorite_itwins(), url)
    one = server.url()
    await harvest.run(session, harvest.favorite_itwins(), one)
    with pytest.raises(harvest.TargetError):
        PostgresTarget(one).prepare(IDENTITY, [TABLE])


def test_rows_that_cannot_be_stored_leave_nothing_behind(target: PostgresTarget, url: str) -> None:
    row = list_rows(1).rows[0]
    bad = attrs.evolve(row, id="a\0b", list="bad")
    with pytest.raises((harvest.TargetError, ValueError)):
        target.commit("things", [list_rows(3), ListRows("bad", None, [bad])])
    assert target.committed("things") == {}
    assert list(target.rows("things")) == []


def test_a_new_generation_takes_the_place_of_all_rows(
    target: PostgresTarget, url: str, server: PostgresServer
) -> None:
    target.commit("things", [list_rows(3, "three"), list_rows(2), list_rows(0)])
    before = {(row.list, row.id): row for row in target.rows("things")}
    now = datetime.now(UTC)
    kept = attrs.evolve(before["list 3", "3-0"], last_seen=now)
    changed = attrs.evolve(
        before["list 3", "3-1"],
        text=text("3-1").replace(b"Thing", b"Other"),
        harvested_at=now,
        last_seen=now,
    )
    removed = attrs.evolve(before["list 3", "3-2"], removed_at=now)
    new = attrs.evolve(kept, id="3-9", text=text("3-9"), harvested_at=now, first_seen=now)
    rows = [kept, changed, removed, new]
    for _ in range(2):  # again is the same as once
        target.replace("things", iter(rows), Revision(2, "b"), {"list 3": 3, "list 0": 0})
        assert sorted(target.rows("things"), key=lambda row: row.id) == rows
        assert target.committed("things") == {"list 3": 3, "list 0": 0}
    target.finish([])
    state = target.state()
    assert state is not None
    assert state.generation == 2
    assert state.finished is not None
    status = harvest.check(url)
    assert (status.items, status.generation) == (3, 2)
    assert len(list(harvest.read(url))) == 3
    assert len(list(harvest.read(url, removed=True))) == 4


def test_readers_see_a_generation_whole(target: PostgresTarget, url: str) -> None:
    target.commit("things", [list_rows(40), list_rows(30)])
    reader = target.rows("things")
    first = next(reader)
    target.replace("things", iter([]), Revision(2, "b"), {})
    assert len([first, *reader]) == 70
    assert list(target.rows("things")) == []


def test_what_was_changed_meanwhile_is_not_replaced(target: PostgresTarget) -> None:
    target.commit("things", [list_rows(4)])
    rows = list(target.rows("things"))
    target.commit("things", [list_rows(2)])
    with pytest.raises(harvest.TargetError):
        target.replace("things", iter(rows), Revision(2, "b"), {"list 4": 4})
    assert len(list(target.rows("things"))) == 6


def test_a_replacement_that_fails_changes_nothing(target: PostgresTarget) -> None:
    target.commit("things", [list_rows(4)])

    def rows() -> object:
        yield list_rows(5).rows[0]
        raise KeyError("stopped")

    with pytest.raises((KeyError, harvest.TargetError)):
        target.replace("things", rows(), Revision(2, "b"), {})  # type: ignore[arg-type]
    assert len(list(target.rows("things"))) == 4
    target.compact()
    assert target.committed("things") == {"list 4": 4}


def start(url: str, seed: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, lake_writer.__file__, url, seed, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("disturbance", ["none", "kill", "server"])
def test_many_machines_at_once(server: PostgresServer, url: str, disturbance: str) -> None:
    """Each of them commits every list, in an order of its own."""
    chance, count, kills = random.Random(disturbance), 40, 0
    running = {seed: start(url, seed, count) for seed in "abc"}
    whole = disturbance != "none"
    added = 0
    while running:
        for seed, process in list(running.items()):
            if process.poll() is None:
                continue
            out, err = process.communicate()
            # A server that is starting when a writer does is nothing to wait for.
            is_opening = "cannot be opened" in err
            assert process.returncode in {0, -signal.SIGKILL} or is_opening, err
            del running[seed]
            if process.returncode == 0:
                added += int(out.split()[-1])
            else:
                running[f"{seed}+"] = start(url, f"{seed}+", count)
        if running and whole and kills < KILLS:
            time.sleep(chance.uniform(0.0, 0.4))  # the moment is what is tested
            kills += 1
            if disturbance == "server":
                server.restart()
            else:
                chance.choice(list(running.values())).kill()
        time.sleep(0.01)  # until a process has ended
    target = PostgresTarget(url)
    expected = {f"list {number}": number % 50 for number in range(count)}
    assert target.committed("things") == expected
    if not whole:
        assert added == sum(expected.values())
    schema = url.rpartition("schema=")[2]
    found = server.sql(f"SELECT list, count(*), count(DISTINCT id) FROM {schema}.things GROUP BY 1")
    assert {key: rows for key, rows, _ in found} == {
        key: rows for key, rows in expected.items() if rows
    }
    assert all(rows == ids for _, rows, ids in found)
    assert harvest.check(url).items == sum(expected.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_cluster_harvests_into_it(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    url, one = server.url(password=None), server.url()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    source = harvest.lists("favorite-imodels")
    with EmulatorThread(itwins=12, imodels=10, seed=3) as platform:
        monkeypatch.setenv("ITWIN_ACCESS_TOKEN", platform.token)
        monkeypatch.setenv("ITWIN_BASE_URL", platform.base_url)
        options = {"processes": False, "dashboard_address": "127.0.0.1:0", "asynchronous": True}
        async with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=2, **options) as cluster,
            distributed.Client(cluster, asynchronous=True) as client,
        ):
            report = await harvest.distribute(client, source, url, size=3)
            again = await harvest.distribute(client, source, url, size=3)
        async with Session(platform.token, base_url=platform.base_url) as session:
            await harvest.run(session, source, one)
    assert report.complete
    assert again.complete
    assert again.progress.new_items == 0
    assert harvest.check(url).items == report.progress.items == harvest.check(one).items
    mine = sorted((key, str(item)) for key, item in harvest.read(url))
    assert mine == sorted((key, str(item)) for key, item in harvest.read(one))
