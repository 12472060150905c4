"""Harvests into a real PostgreSQL server."""

from __future__ import annotations

import pytest
from harvest_truth import expected
from postgres_server import PostgresServer

from itwin_async import AuthenticationError, Session, harvest
from itwin_async.emulator import Emulator, Fault

pytestmark = pytest.mark.slow

FULL = harvest.favorite_imodels().full()


@pytest.fixture
def target(server: PostgresServer) -> str:
    return server.url()


def schema_of(target: str) -> str:
    return target.rpartition("schema=")[2]


def found(target: str) -> list[tuple[str, str]]:
    return sorted((key, item.id) for key, item in harvest.read(target))  # type: ignore[attr-defined]


def stranger(server: PostgresServer, target: str) -> list[tuple[str, str]]:
    """Lists and ids of the items, by a query of one's own."""
    rows = server.sql(f"SELECT list, json ->> 'id', id FROM {schema_of(target)}.favorite_imodels")
    assert all(id_ == own for _, id_, own in rows)
    return sorted((key, id_) for key, id_, _ in rows)


async def test_everything_is_there_once(
    emulator: Emulator, session: Session, server: PostgresServer, target: str
) -> None:
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=4)
    assert report.complete
    assert not report.resumed
    assert report.progress.items == report.progress.new_items == len(expected(emulator))
    assert found(target) == stranger(server, target) == expected(emulator)
    assert harvest.status(target).finished
    assert harvest.check(target).items == len(expected(emulator))
    emulator.clear_requests()
    again = await harvest.run(session, FULL, target)
    assert again.complete
    assert again.progress.new_items == emulator.request_count == 0


async def test_items_and_columns_are_those_of_sqlite(
    emulator: Emulator, session: Session, server: PostgresServer, target: str, tmp_path: object
) -> None:
    names = harvest.list_names()
    sources = harvest.lists(*names, full=True)
    await harvest.run(session, sources, target)
    other = f"{tmp_path}/out.db"
    await harvest.run(session, sources, other)
    assert harvest.status(target).tables == harvest.status(other).tables
    for table in harvest.status(target).tables:
        mine = sorted(map(repr, harvest.read(target, table=table)))
        assert mine == sorted(map(repr, harvest.read(other, table=table)))


async def test_an_interrupted_harvest_goes_on(
    emulator: Emulator, session: Session, server: PostgresServer, target: str
) -> None:
    emulator.fail("GET /imodels/favorites", status=401, times=None, after=7)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, FULL, target, page_size=10, concurrency=3)
    emulator.clear_faults()
    before = harvest.status(target)
    assert not before.finished
    assert 0 < before.items < len(expected(emulator))
    assert len(found(target)) == before.items
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=3)
    assert report.complete
    assert report.progress.new_items == len(expected(emulator)) - before.items
    assert found(target) == stranger(server, target) == expected(emulator)


async def test_a_token_that_the_server_no_longer_takes_doubles_nothing(
    emulator: Emulator, session: Session, server: PostgresServer, target: str
) -> None:
    fault = Fault(match="GET /imodels/favorites", expire_continuation=True, after=12, times=6)
    applied = emulator.fault(fault)
    report = await harvest.run(session, FULL, target, page_size=5, concurrency=2)
    assert applied.applied == 6
    assert report.complete, report.failures
    assert stranger(server, target) == expected(emulator)
    assert server.sql(f"SELECT count(*) FROM {schema_of(target)}.harvest_seen") == [(0,)]
