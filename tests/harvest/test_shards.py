"""Shards of a harvest: read by anybody, in any order, more than once, with the rows of one run."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from doubles import refused
from sqlite_lake import SqliteLake

from itwin_async import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    Session,
    harvest,
)
from itwin_async.emulator import Emulator, Fault
from itwin_async.harvest import Shard, Source, TargetError


def rows_of(lake: SqliteLake, *tables: str) -> list[tuple[str, str, str, bytes]]:
    return sorted(
        (table, row.list, row.id, row.text) for table in tables for row in lake.rows(table)
    )


async def rows_of_run(
    session: Session, folder: Path, *names: str, full: bool = False
) -> list[tuple[str, str, str, bytes]]:
    target = folder / "single.db"
    await harvest.run(session, harvest.lists(*names, full=full), target)
    with sqlite3.connect(target) as database:
        found = [
            (table, key, id_, text.encode())
            for table in (name.replace("-", "_") for name in names)
            for key, id_, text in database.execute(f"SELECT list, id, json FROM {table}")
        ]
    database.close()
    return sorted(found)


async def all_of(session: Session, *given: Any, **options: Any) -> list[Shard]:
    return [shard async for shard in harvest.shards(session, *given, **options)]


@pytest.mark.parametrize(
    "names",
    [["favorite-imodels"], ["imodels", "named-versions"], ["itwins"], ["changesets", "tags"]],
)
async def test_shards_have_the_rows_of_one_run(
    session: Session, tmp_path: Path, names: list[str]
) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    found = await all_of(session, harvest.lists(*names), lake, size=4, page_size=3)
    assert all(1 <= len(shard.lists) <= 4 for shard in found)
    for shard in reversed(found):
        await harvest.read_shard(session, pickle.loads(pickle.dumps(shard)), lake, page_size=7)
    tables = [name.replace("-", "_") for name in names]
    assert rows_of(lake, *tables) == await rows_of_run(session, tmp_path, *names)
    assert not await all_of(session, harvest.lists(*names), lake)


async def test_a_shard_that_is_read_twice_is_written_once(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    make = partial(SqliteLake, str(tmp_path / "lake"))
    found = await all_of(session, harvest.favorite_imodels(), make)
    (shard,) = found
    first, second = await asyncio.gather(
        *(harvest.read_shard(session, shard, make) for _ in range(2))
    )
    emulator.clear_requests()
    third = await harvest.read_shard(session, shard, make)
    assert not emulator.requests
    rows = rows_of(make(), "favorite_imodels")
    assert len(set(rows)) == len(rows) == first.items == second.items == third.items
    assert first.new_items + second.new_items == len(rows)
    assert (third.new_items, third.calls, third.lists) == (0, 0, len(shard.lists))


async def test_names_of_outer_items_are_there(session: Session, tmp_path: Path) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    for shard in await all_of(session, harvest.lists("imodels"), lake):
        await harvest.read_shard(session, shard, lake)
    assert all(row.list_name for row in lake.rows("imodels"))


async def test_lists_that_fail_are_reported_and_tried_again(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    lake, source = SqliteLake(str(tmp_path / "lake")), harvest.favorite_imodels()
    (shard,) = await all_of(session, source, lake)
    emulator.fault(Fault(match="GET /imodels/favorites", status=404, times=2))
    report = await harvest.read_shard(session, shard, lake, concurrency=1)
    assert [failure.kind for failure in report.failures] == ["NotFoundError"] * 2
    assert report.lists == len(shard.lists) - 2
    (again,) = await all_of(session, source, lake)
    assert sorted(again.lists) == sorted(
        (failure.key, failure.title) for failure in report.failures
    )
    assert not (await harvest.read_shard(session, again, lake)).failures
    assert rows_of(lake, "favorite_imodels") == await rows_of_run(
        session, tmp_path, "favorite-imodels"
    )


async def test_the_first_failure_is_raised_where_it_is_asked_for(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    (shard,) = await all_of(session, harvest.favorite_imodels(), lake)
    emulator.fault(Fault(match="GET /imodels/favorites", status=404, times=1))
    with pytest.raises(NotFoundError):
        await harvest.read_shard(session, shard, lake, fail_fast=True)


async def test_an_outer_list_that_fails_is_a_failure_of_its_own(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    emulator.fault(Fault(match="GET /imodels", status=404, times=1))
    found = harvest.shards(session, harvest.lists("named-versions"), lake)
    shards = [shard async for shard in found]
    assert shards
    assert found.all_known
    assert [failure.source for failure in found.failures] == ["imodels"]
    emulator.fault(Fault(match="GET /itwins", status=404, times=1))
    with pytest.raises(NotFoundError):
        await all_of(session, harvest.lists("imodels"), SqliteLake(str(tmp_path / "other")))


async def test_what_is_no_lists_fault_ends_a_shard(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    (shard,) = await all_of(session, harvest.favorite_imodels(), lake)
    emulator.fault(Fault(match="GET /imodels/favorites", status=401))
    with pytest.raises(AuthenticationError):
        await harvest.read_shard(session, shard, lake)
    async with Session("t", base_url="https://other.example.com") as other:
        with pytest.raises(ConfigurationError):
            await harvest.read_shard(other, shard, lake)
    with pytest.raises(TargetError):
        await all_of(session, harvest.lists("imodels"), lake)
    assert rows_of(lake, "favorite_imodels") == []


async def test_a_stale_cursor_begins_the_list_again(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    found = await all_of(session, harvest.favorite_imodels(), lake)
    emulator.fault(Fault(match="GET /imodels/favorites", expire_continuation=True, every=9))
    for shard in found:
        report = await harvest.read_shard(session, shard, lake, page_size=2)
        assert not report.failures
    rows = rows_of(lake, "favorite_imodels")
    assert rows == await rows_of_run(session, tmp_path, "favorite-imodels")


def own_tasks() -> list[asyncio.Task[Any]]:
    """Those that are not the emulator's."""
    return [task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task)]


async def test_leaving_the_shards_leaves_nothing(session: Session, tmp_path: Path) -> None:
    lake = SqliteLake(str(tmp_path / "lake"))
    before = own_tasks()
    found = harvest.shards(session, harvest.lists("named-versions"), lake, size=1, page_size=2)
    assert await anext(found)
    await found.aclose()
    assert own_tasks() == before


async def test_shards_are_small_however_many_keys_there_are(
    session: Session, tmp_path: Path
) -> None:
    keys = [f"00000000-0000-0000-0000-{number:012d}" for number in range(5000)]
    source: Source[Any] = harvest.lists("imodels", itwin_ids=keys)[0]
    lake = SqliteLake(str(tmp_path / "lake"))
    found = await all_of(session, source, lake, size=100)
    assert len(found) == 50
    assert len(pickle.dumps(found[0])) < 20_000


async def test_what_is_no_target_of_many_machines_is_refused(
    session: Session, tmp_path: Path
) -> None:
    for target in (5, object(), lambda: 5):
        with refused("target"):
            harvest.shards(session, harvest.favorite_imodels(), target)  # type: ignore[arg-type]
    with refused("size"):
        harvest.shards(session, harvest.favorite_imodels(), SqliteLake("x"), size=0)
    with refused("shard"):
        await harvest.read_shard(session, "x", SqliteLake("x"))  # type: ignore[arg-type]


async def test_a_harvest_is_finished_when_all_shards_are_read(
    session: Session, emulator: Emulator, tmp_path: Path
) -> None:
    lake, source = SqliteLake(str(tmp_path / "lake")), harvest.favorite_imodels()
    found = harvest.shards(session, source, lake, size=2)
    first = await anext(found)
    with pytest.raises(ConfigurationError):
        await found.finish()
    emulator.fault(Fault(match="GET /imodels/favorites", status=404, times=1))
    reports = [await harvest.read_shard(session, first, lake)]
    reports += [await harvest.read_shard(session, shard, lake) async for shard in found]
    failed = await found.finish(failure for report in reports for failure in report.failures)
    assert [failure.kind for failure in failed] == ["NotFoundError"]
    state = lake.state()
    assert state is not None
    assert (state.finished is not None, state.failed) == (True, 1)
