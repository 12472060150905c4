"""A refresh of a target in PostgreSQL: one transaction, whatever happens to the server."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from churn import churn, held, populate, sources
from made_lists import Thing, made
from postgres_server import PostgresServer

from itwin_async import AuthenticationError, Session, harvest
from itwin_async.emulator import Emulator
from itwin_async.harvest.postgres.table import PostgresTable
from itwin_async.harvest.target import target_files


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=9, imodels=4, seed=3) as emulator:
        populate(emulator)
        yield emulator


@pytest.fixture
def target(server: PostgresServer) -> Any:  # whose helpers say Path
    return server.url()


async def test_a_refresh_equals_a_fresh_harvest(
    emulator: Emulator, session: Session, target: Any, tmp_path: Path
) -> None:
    await harvest.run(session, sources(), target)
    await churn(emulator, session, 1)
    report = await harvest.run(session, sources(), target, refresh=True)
    assert report.complete
    assert report.generation == harvest.status(target).generation == 2
    assert not target_files(target).spool.exists()
    fresh = tmp_path / "fresh.db"
    await harvest.run(session, sources(), fresh)
    assert held(target) == held(fresh)
    assert harvest.check(target).items == harvest.check(fresh).items == report.progress.items
    found = list(harvest.changes(target))
    kinds = {kind: sum(one.change == kind for one in found) for kind in report.changes or {}}
    assert kinds == report.changes
    assert all(kinds.values())
    again = await harvest.run(session, sources(), target, refresh=True)
    assert again.changes == {"added": 0, "changed": 0, "removed": 0}
    assert held(target) == held(fresh)


async def test_a_file_of_changes(
    emulator: Emulator, session: Session, target: Any, tmp_path: Path
) -> None:
    file = tmp_path / "changes.ndjson"
    await harvest.run(session, sources(), target, changes=file)
    assert len(file.read_text().splitlines()) == harvest.status(target).items
    await churn(emulator, session, 1)
    report = await harvest.run(session, sources(), target, refresh=True, changes=file)
    assert report.changes is not None
    assert len(file.read_text().splitlines()) == sum(report.changes.values()) > 0


async def test_lists_that_failed_are_read_by_the_next_refresh(
    emulator: Emulator, session: Session, target: Any, tmp_path: Path
) -> None:
    await harvest.run(session, sources(), target)
    await churn(emulator, session, 1)
    emulator.fail("GET /imodels/*/changesets", status=404, times=3)
    emulator.fail("GET /imodels", status=403, times=2)
    broken = await harvest.run(session, sources(), target, refresh=True)
    assert not broken.complete
    harvest.check(target)
    emulator.clear_faults()
    report = await harvest.run(session, sources(), target)
    assert report.complete
    fresh = tmp_path / "fresh.db"
    await harvest.run(session, sources(), fresh)
    assert held(target) == held(fresh)
    harvest.check(target)


async def test_a_refresh_that_is_interrupted_goes_on(
    emulator: Emulator, session: Session, target: Any, tmp_path: Path
) -> None:
    await harvest.run(session, sources(), target)
    before = held(target)
    await churn(emulator, session, 1)
    emulator.fail("GET /imodels/*/changesets", status=401, times=None, after=2)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, sources(), target, refresh=True)
    assert held(target) == before
    assert harvest.status(target).refresh is not None
    emulator.clear_faults()
    report = await harvest.run(session, sources(), target)
    assert report.complete
    assert report.resumed
    fresh = tmp_path / "fresh.db"
    await harvest.run(session, sources(), fresh)
    assert held(target) == held(fresh)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["connections", "server"])
async def test_a_server_that_goes_away_during_the_merge(
    emulator: Emulator,
    session: Session,
    server: PostgresServer,
    target: Any,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await harvest.run(session, sources(), target)
    before = held(target)
    await churn(emulator, session, 1)
    replace, calls = PostgresTable.replace_by_staged, []

    def disturbed(self: PostgresTable, database: Any) -> None:
        replace(self, database)
        calls.append(self.name)
        if len(calls) == 2:
            server.restart() if how == "server" else server.kill_backends()

    monkeypatch.setattr(PostgresTable, "replace_by_staged", disturbed)
    with pytest.raises(harvest.TargetError) as caught:
        await harvest.run(session, sources(), target, refresh=True)
    assert "s3cr3t" not in str(caught.value)
    assert held(target) == before
    assert harvest.status(target).generation == 1
    emulator.clear_requests()
    report = await harvest.run(session, sources(), target)
    assert report.complete
    assert emulator.request_count == 0  # everything was read
    fresh = tmp_path / "fresh.db"
    await harvest.run(session, sources(), fresh)
    assert held(target) == held(fresh)
    harvest.check(target)


async def test_readers_see_the_old_rows_or_the_new_ones(
    emulator: Emulator, session: Session, server: PostgresServer, target: Any
) -> None:
    await harvest.run(session, sources(), target)
    schema = target.rpartition("schema=")[2]
    ask = (
        f"SELECT (SELECT max(number) FROM {schema}.harvest_generations),"
        f" (SELECT count(*) FROM {schema}.imodels WHERE removed_at IS NULL),"
        f" (SELECT count(*) FROM {schema}.itwins WHERE removed_at IS NULL)"
    )
    seen, done = {server.sql(ask)[0]}, threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(server.sql(ask)[0])

    await churn(emulator, session, 1)
    thread = threading.Thread(target=look)
    thread.start()
    try:
        await harvest.run(session, sources(), target, refresh=True)
    finally:
        done.set()
        thread.join()
    seen.add(server.sql(ask)[0])
    assert len(seen) == 2
    assert {generation for generation, *_ in seen} == {1, 2}


async def test_two_machines_do_not_refresh_it_at_once(
    emulator: Emulator,
    session: Session,
    target: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await harvest.run(session, sources(), target)
    emulator.fail("GET /imodels/*/changesets", status=401, times=None, after=2)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, sources(), target, refresh=True)
    emulator.clear_faults()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
        assert (await harvest.run(session, sources(), target, refresh=True)).generation == 2
    # What this machine had read is of no use any more.
    report = await harvest.run(session, sources(), target, refresh=True)
    assert (report.generation, report.resumed) == (3, False)


async def test_one_per_cent_of_many_rows(
    server: PostgresServer, target: Any, session: Session
) -> None:
    """The statements that replace rows take what is staged as one set."""
    lists = {f"{n}": [[Thing(f"{n}-{m}", "old") for m in range(200)]] for n in range(50)}
    await harvest.run(session, made(lists), target)
    for key, [page] in lists.items():
        page[0] = Thing(f"{key}-0", "new")
        page[1] = Thing(f"{key}-new", "added")
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert report.changes == {"added": 50, "changed": 50, "removed": 50}
    assert harvest.check(target).items == 10_000
    schema = target.rpartition("schema=")[2]
    moments = f"count(*) FILTER (WHERE first_seen < last_seen), count(*) FROM {schema}.things"
    assert server.sql(f"SELECT {moments} WHERE removed_at IS NULL") == [(9_950, 10_000)]
    assert server.sql(f"SELECT {moments} WHERE removed_at IS NOT NULL")[0][1] == 50
