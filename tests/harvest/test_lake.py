"""Targets that many machines may write: a Delta table, and parts in a store in memory."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest
from harvest_truth import expected
from made_lists import Thing, made

from itwin_async import (
    ArgumentError,
    AuthenticationError,
    PermissionDeniedError,
    Session,
    harvest,
)
from itwin_async.emulator import Emulator
from itwin_async.harvest.lake import LakeTable, LakeTarget, ListRows, Revision, open_lake
from itwin_async.harvest.lake.object_stores import store_of
from itwin_async.harvest.lake.spool import SpoolStore
from itwin_async.harvest.plan import plan
from itwin_async.harvest.rows import Row
from itwin_async.harvest.target import locked, target_files

FULL = harvest.favorite_imodels().full()
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(params=["delta", "parquet"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "delta":
        pytest.importorskip("deltalake")
        return str(tmp_path / "out.delta")
    pytest.importorskip("obstore")
    return f"memory://{uuid4()}/out.parquet"


def opened(target: str, *tables: LakeTable, **identity: str) -> LakeTarget:
    lake = open_lake(target_files(target))
    assert lake is not None
    if tables:
        lake.prepare(identity or {"source": "made"}, tables)
    return lake


def rows(key: str, count: int, name: str | None = None) -> ListRows:
    found = [
        Row(key, name, f"{key}-{number}", text(f"{key}-{number}"), NOW, NOW, NOW)
        for number in range(count)
    ]
    return ListRows(key, name, found)


def text(name: str) -> bytes:
    return json.dumps({"id": name, "name": None, "size": 7}).encode()


def pairs(target: str) -> list[tuple[str, str]]:
    return sorted((key, item.id) for key, item in harvest.read(target))  # type: ignore[attr-defined]


THINGS = LakeTable("things", "made", Thing)


async def test_everything_is_there_once(emulator: Emulator, session: Session, target: str) -> None:
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=4)
    assert report.complete
    assert report.target == target
    assert report.progress.items == report.progress.new_items == len(expected(emulator))
    assert pairs(target) == expected(emulator)
    found = harvest.check(target)
    assert found.finished
    assert found.finished_at is not None
    assert found.lists_done == found.lists_known == 9
    assert found.tables == {"favorite_imodels": len(expected(emulator))}


async def test_published_rows_leave_the_spool(session: Session, target: str) -> None:
    await harvest.run(session, FULL, target)
    with closing(sqlite3.connect(target_files(target).state)) as spool:
        assert spool.execute("SELECT count(*) FROM favorite_imodels").fetchone() == (0,)
        assert spool.execute("PRAGMA freelist_count").fetchone() == (0,)


@pytest.mark.parametrize("with_spool", [True, False])
async def test_a_finished_harvest_asks_for_nothing(
    emulator: Emulator, session: Session, target: str, with_spool: bool
) -> None:
    await harvest.run(session, FULL, target)
    if not with_spool:
        target_files(target).state.unlink()
    emulator.clear_requests()
    report = await harvest.run(session, FULL, target)
    assert report.complete
    assert report.progress.new_items == 0
    assert report.progress.items == len(expected(emulator))
    assert emulator.request_count == 0
    assert pairs(target) == expected(emulator)


@pytest.mark.parametrize("with_spool", [True, False])
async def test_an_interrupted_harvest_goes_on(
    emulator: Emulator,
    session: Session,
    target: str,
    with_spool: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("itwin_async.harvest.lake.spool._PUBLISH_AFTER", 0.0)
    emulator.fail("GET /imodels/favorites", status=401, times=None, after=25)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, FULL, target, page_size=10, concurrency=3)
    emulator.clear_faults()
    there = pairs(target)
    assert 0 < len(there) < len(expected(emulator))
    before = harvest.status(target)
    assert not before.finished
    if not with_spool:
        target_files(target).state.unlink()
        assert harvest.status(target).items == len(there)
    emulator.clear_requests()
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=3)
    assert report.complete
    assert pairs(target) == expected(emulator)
    whole = len(expected(emulator)) / 10 + 9 + 1
    assert emulator.request_count < whole  # lists that are there are not read again


async def test_a_target_that_was_removed_is_read_again(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    pytest.importorskip("deltalake")
    target = str(tmp_path / "out.delta")
    await harvest.run(session, FULL, target)
    shutil.rmtree(target)
    with pytest.raises(harvest.TargetError):
        harvest.status(target)
    report = await harvest.run(session, FULL, target)
    assert report.complete
    assert pairs(target) == expected(emulator)


async def test_several_tables(emulator: Emulator, session: Session, target: str) -> None:
    sources = harvest.lists("favorite-itwins", "favorite-imodels")
    report = await harvest.run(session, sources, target)
    assert report.complete
    found = sorted(
        (key, item.id)
        for key, item in harvest.read(target, table="favorite_imodels")  # type: ignore[attr-defined]
    )
    assert found == expected(emulator)
    assert harvest.status(target).tables == {
        "favorite_itwins": 9,
        "favorite_imodels": len(found),
    }
    with pytest.raises(harvest.TargetError, match="favorite_itwins"):
        list(harvest.read(target))


async def test_lists_that_fail_are_told_on_every_machine(
    emulator: Emulator, session: Session, target: str
) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=1)
    report = await harvest.run(session, FULL, target)
    assert report.finished
    assert not report.complete
    target_files(target).state.unlink()
    found = harvest.status(target)
    assert found.finished
    assert found.lists_failed == 1
    assert found.failures == report.failures
    emulator.clear_faults()
    assert (await harvest.run(session, FULL, target)).complete
    assert harvest.status(target).lists_failed == 0
    assert pairs(target) == expected(emulator)


async def test_another_harvest_is_refused(session: Session, target: str) -> None:
    await harvest.run(session, FULL, target)
    target_files(target).state.unlink()
    for other in (harvest.tags(), harvest.lists("favorite-itwins", "favorite-imodels")):
        with pytest.raises(harvest.TargetError, match=r"another harvest|other sources"):
            await harvest.run(session, other, target)
        assert not target_files(target).state.exists()


async def test_an_empty_harvest_has_its_columns(session: Session, target: str) -> None:
    report = await harvest.run(session, made({"a": [[]]}), target)
    assert report.complete
    assert columns(target)[:2] == ["list", "list_name"]
    assert {"id", "size", "json", "harvested_at", "removed_at"} <= {*columns(target)}
    assert harvest.check(target).lists_done == 1


def columns(target: str) -> list[str]:
    if target.endswith(".delta"):
        from deltalake import DeltaTable

        return [field.name for field in DeltaTable(target).schema().fields]
    import obstore
    import pyarrow.parquet as pq

    store = store_of(target.rpartition("/")[0], {})
    (part,) = [one["path"] for chunk in obstore.list(store, "out.parquet") for one in chunk]
    import io

    found = io.BytesIO(bytes(obstore.get(store, part).bytes()))
    names: list[str] = pq.read_schema(found).names
    return names


def test_a_list_is_committed_once(target: str) -> None:
    one, two = opened(target, THINGS), opened(target, THINGS)
    assert one.commit("things", [rows("a", 3), rows("none", 0)]) == 3
    assert two.commit("things", [rows("a", 3), rows("b", 2)]) == 2
    assert one.commit("things", [rows("b", 2), rows("none", 0)]) == 0
    assert one.committed("things") == two.committed("things") == {"a": 3, "b": 2, "none": 0}
    found = list(one.rows("things"))
    assert sorted(row.id for row in found) == ["a-0", "a-1", "a-2", "b-0", "b-1"]
    assert found[0].harvested_at == found[0].last_seen == NOW
    assert found[0].removed_at is None
    assert json.loads(found[0].text)["size"] == 7


def test_a_generation_replaces_the_other_once(target: str) -> None:
    lake = opened(target, THINGS)
    lake.commit("things", [rows("a", 3), rows("b", 2)])
    lake.finish([])
    gone = Row("b", None, "b-0", text("b-0"), NOW, NOW, NOW, NOW)
    new = [*rows("a", 2).rows, gone]
    for _ in range(2):  # a refresh that was killed is finished
        lake.replace("things", iter(new), Revision(2, "r"), {"a": 2, "c": 0})
        state = opened(target).state()
        assert state is not None
        assert (state.generation, state.finished) == (2, None)
        assert opened(target).committed("things") == {"a": 2, "c": 0}
        assert sorted(row.id for row in opened(target).rows("things")) == ["a-0", "a-1", "b-0"]
    lake.finish([])
    assert [key for key, _ in harvest.read(target, Thing)] == ["a", "a"]
    assert len(list(harvest.read(target, Thing, removed=True))) == 3
    assert harvest.check(target).items == 2
    # What the first generation had is not added again.
    assert lake.commit("things", [rows("a", 3)]) == 0


def test_rows_stay_where_files_are_made_one(target: str) -> None:
    lake = opened(target, THINGS)
    for number in range(5):
        lake.commit("things", [rows(f"{number}", number)])
    before = sorted(lake.rows("things"), key=lambda row: row.id)
    lake.compact()
    lake.compact()
    assert sorted(lake.rows("things"), key=lambda row: row.id) == before
    assert lake.committed("things") == {f"{number}": number for number in range(5)}
    assert opened(target, THINGS).commit("things", [rows("4", 4)]) == 0


def test_missing_rows_are_found(target: str) -> None:
    lake = opened(target, THINGS)
    short = rows("a", 3)
    lake.commit("things", [short, rows("b", 1)])
    assert harvest.check(target).items == 4
    lake.replace("things", iter(short.rows), Revision(2, "r"), {"a": 3, "b": 1})
    with pytest.raises(harvest.TargetError, match="the list b has 0 rows"):
        harvest.check(target)


def test_other_columns_are_refused(target: str) -> None:
    import attrs

    opened(target, THINGS)
    other = attrs.make_class("Thing", {"id": attrs.field(type=str)})
    with pytest.raises(harvest.TargetError, match="other columns"):
        opened(target, LakeTable("things", "made", other))


async def test_finished_lists_are_published_by_time(session: Session, target: str) -> None:
    """By an injected clock, while another list is still being read."""
    now = 0.0
    source = made({"a": [[Thing("1")]], "b": [[Thing("2")], [Thing("3")]]})
    lake = opened(target, THINGS)
    spool = target_files(target).path
    spool.parent.mkdir(parents=True, exist_ok=True)
    store = SpoolStore(lake, target_files(target), plan([source]), clock=lambda: now)
    store.open({"source": "made"})
    first, second = store.open_lists(0, 10)[0]
    page = await anext(source.inner(session, "a", page_size=1, cursor=None).pages())
    store.apply([lambda: store.add_page(first, page, [], "1", done=True)])
    page = await anext(source.inner(session, "b", page_size=1, cursor=None).pages())
    store.apply([lambda: store.add_page(second, page, [], "1", done=False)])
    now = 19.0
    store.apply([])
    assert store.unsaved
    assert lake.committed("things") == {}
    now = 20.0
    store.apply([])
    assert not store.unsaved
    assert lake.committed("things") == {"a": 1}
    store.close()


async def test_a_list_that_another_machine_commits_meanwhile_is_there_once(
    session: Session, target: str
) -> None:
    first = opened(target)

    def meanwhile(key: str) -> None:
        other = opened(target)
        other.prepare(
            {"source": "made", "item": "Thing", **known["identity"]}, [THINGS]
        ) if "identity" in known else None
        if key == "b":
            state = other.state()
            assert state is not None
            other.prepare(state.identity, [THINGS])
            other.commit("things", [rows("b", 1), rows("c", 2)])

    known: dict[str, dict[str, str]] = {}
    source = made({key: [[Thing(f"{key}-0")]] for key in "abcd"}, before=meanwhile)
    report = await harvest.run(session, source, target, concurrency=1)
    assert report.complete
    found = [row.id for row in first.rows("things")]
    assert sorted(found) == ["a-0", "b-0", "c-0", "c-1", "d-0"]


@pytest.mark.parametrize(
    "name",
    [
        "s3://bucket/x.db",
        "s3://bucket",
        "s3://key:secret@bucket/out.delta",
        "s3://secret@bucket/out.delta",
        "s3://bucket/out.delta?sig=secret",
        "ftp://bucket/out.delta",
        "memory://bucket/out.delta",
        "of%20another/out.delta",
    ],
)
def test_addresses_that_make_no_sense(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        harvest.status(name)
    assert caught.value.argument == "target"
    assert "secret" not in str(caught.value)


async def test_options_that_make_no_sense(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    with pytest.raises(ArgumentError) as caught:
        await harvest.run(session, FULL, tmp_path / "x.db", storage_options={"key": "hidden"})
    assert caught.value.argument == "storage_options"
    with pytest.raises(ArgumentError) as caught:
        harvest.status("s3://bucket/x.parquet", storage_options={"nonsense": "hidden"})
    assert caught.value.argument == "storage_options"
    assert "hidden" not in str(caught.value)
    with pytest.raises(ArgumentError):
        harvest.status("s3://bucket/x.parquet", storage_options={"key": 1})  # type: ignore[dict-item]


@pytest.fixture
def closed_port() -> Iterator[str]:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{found.getsockname()[1]}"


@pytest.mark.parametrize("ending", ["delta", "parquet"])
async def test_what_gives_access_is_never_told(
    session: Session, tmp_path: Path, closed_port: str, ending: str
) -> None:
    pytest.importorskip("deltalake" if ending == "delta" else "obstore")
    secrets = {
        "azure_storage_account_name": "account",
        "azure_storage_sas_token": "sig=aHVzaA%3D%3D",
        "azure_storage_endpoint": closed_port,
        "azure_allow_http": "true",
        "max_retries": "0",
    }
    if ending == "parquet":
        del secrets["max_retries"]
    with pytest.raises(harvest.TargetError) as caught:
        await harvest.run(session, FULL, f"az://bucket/out.{ending}", storage_options=secrets)
    told = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert "aHVzaA" not in told
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"aHVzaA" not in path.read_bytes()


def test_a_delta_table_of_something_else_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    target = str(tmp_path / "out.delta")
    write_deltalake(target, pa.table({"a": [1]}))
    with pytest.raises(harvest.TargetError, match="something else"):
        opened(target, THINGS)
    assert DeltaTable(target).version() == 0


Rows = dict[str, list[list[Thing] | BaseException]]


def first_night() -> Rows:
    return {"a": [[Thing("1"), Thing("2")]], "b": [[Thing("3")]], "c": [[]]}


def second_night(lists: Rows) -> None:
    lists["a"] = [[Thing("1", "new name"), Thing("4")]]
    lists["c"] = [[Thing("5")]]


def seen(target: str, since: datetime) -> dict[str, tuple[bool, bool, bool]]:
    """Of each row: is it new, was its content read, is it gone, since the first night."""
    return {
        row.id: (row.first_seen > since, row.harvested_at > since, row.removed_at is not None)
        for row in opened(target).rows("things")
    }


REFRESHED = {
    "1": (False, True, False),
    "2": (False, False, True),
    "3": (False, False, False),
    "4": (True, True, False),
    "5": (True, True, False),
}


@pytest.mark.parametrize("with_spool", [True, False])
async def test_a_refresh_tells_what_came_and_went(
    session: Session, target: str, tmp_path: Path, with_spool: bool
) -> None:
    lists = first_night()
    await harvest.run(session, made(lists), target, concurrency=1)
    if not with_spool:
        target_files(target).state.unlink()
    night = datetime.now(UTC)
    second_night(lists)
    report = await harvest.run(session, made(lists), target, concurrency=1, refresh=True)
    assert report.complete
    assert report.generation == 2
    assert report.changes == {"added": 2, "changed": 1, "removed": 1}
    assert report.progress.items == 4
    assert seen(target, night) == REFRESHED
    found = harvest.check(target)
    assert (found.generation, found.finished, found.items) == (2, True, 4)
    assert found.refresh is None
    again = await harvest.run(session, made(lists), target)
    assert again.complete
    assert seen(target, night) == REFRESHED


async def test_lists_that_fail_in_a_refresh_are_read_by_the_next_run(
    session: Session, target: str
) -> None:
    lists = first_night()
    await harvest.run(session, made(lists), target)
    night = datetime.now(UTC)
    second_night(lists)
    now = lists["a"]
    lists["a"] = [PermissionDeniedError("no", status=403)]
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert (report.finished, report.complete) == (True, False)
    assert {row.id for row in opened(target).rows("things")} == {"1", "2", "3", "5"}
    assert harvest.status(target).lists_failed == 1
    lists["a"] = now
    target_files(target).state.unlink()  # another machine
    report = await harvest.run(session, made(lists), target)
    assert report.complete
    assert report.generation == 2
    assert seen(target, night) == REFRESHED
    assert harvest.check(target).complete


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_refresh_that_is_cut_off_is_finished(
    session: Session, target: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    lists = first_night()
    await harvest.run(session, made(lists), target)
    night = datetime.now(UTC)
    second_night(lists)
    name = "fates" if moment == "before" else "note_published"
    with monkeypatch.context() as patched:
        patched.setattr(f"itwin_async.harvest.lake_merge.{name}", _cut_off)
        with pytest.raises(harvest.TargetError):
            await harvest.run(session, made(lists), target, refresh=True)
    lists["c"] = [AssertionError("it is not read again")]
    report = await harvest.run(session, made(lists), target)
    assert report.complete
    assert report.generation == 2
    assert report.changes == {"added": 2, "changed": 1, "removed": 1}
    assert seen(target, night) == REFRESHED
    assert harvest.check(target).complete


def _cut_off(*_: object) -> NoReturn:
    raise OSError("cut off")


async def test_a_machine_learns_of_a_refresh_by_another(
    session: Session, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = first_night()
    await harvest.run(session, made(lists), target)
    spool = target_files(target).state
    kept = spool.read_bytes()
    night = datetime.now(UTC)
    second_night(lists)
    await harvest.run(session, made(lists), target, refresh=True)
    spool.write_bytes(kept)  # as on a machine that has seen the first night only
    report = await harvest.run(session, made(lists), target)
    assert report.complete
    assert report.generation == 2
    assert seen(target, night) == REFRESHED
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert report.generation == 3
    assert report.changes == {"added": 0, "changed": 0, "removed": 0}


def test_two_refreshes_at_once_are_one(target: str) -> None:
    one, two = opened(target, THINGS), opened(target, THINGS)
    one.commit("things", [rows("a", 1)])
    first, second = list(one.rows("things")), list(two.rows("things"))
    one.replace("things", iter(first), Revision(2, "one"), {"a": 1})
    with pytest.raises(harvest.TargetError, match="another machine"):
        two.replace("things", iter(second), Revision(2, "two"), {"a": 1})
    assert len(list(two.rows("things"))) == 1


async def test_changes_are_written(session: Session, target: str, tmp_path: Path) -> None:
    lists, file = first_night(), tmp_path / "changes.ndjson"
    await harvest.run(session, made(lists), target, changes=file)
    assert len(file.read_text().splitlines()) == 3
    second_night(lists)
    await harvest.run(session, made(lists), target, refresh=True, changes=file)
    kinds = sorted(json.loads(line)["change"] for line in file.read_text().splitlines())
    assert kinds == ["added", "added", "changed", "removed"]


async def test_a_second_harvest_on_this_machine_is_refused(session: Session, target: str) -> None:
    files = target_files(target)
    with locked(files.lock, files.name):
        with pytest.raises(harvest.TargetError) as caught:
            await harvest.run(session, FULL, target)
        assert caught.value.kind == "busy"
        assert target in str(caught.value)
    assert (await harvest.run(session, FULL, target)).complete


def test_another_format_is_refused_by_name(target: str) -> None:
    opened(target, THINGS)
    if target.endswith(".delta"):
        from deltalake import DeltaTable

        table = DeltaTable(target)
        told = json.loads(table.metadata().description)
        told["itwin_async"]["format"] = "99"
        table.alter.set_table_description(json.dumps(told))
    else:
        import obstore

        store, path = store_of(target.rpartition("/")[0], {}), "out.parquet.harvest/manifest.json"
        told = json.loads(bytes(obstore.get(store, path).bytes()))
        obstore.put(store, path, json.dumps({**told, "format": "99"}).encode())
    with pytest.raises(harvest.TargetError, match="format 99"):
        harvest.status(target)
    with pytest.raises(harvest.TargetError, match="format 99"):
        opened(target, THINGS)


async def test_a_folder_of_any_name(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    target = tmp_path / "50% #1 é?" / "out.delta"
    target.parent.mkdir()
    assert (await harvest.run(session, FULL, target)).complete
    assert harvest.check(target).complete
    assert [path.name for path in sorted(target.parent.iterdir())] == [
        "out.delta",
        "out.delta.spool",
    ]


def test_parts_on_their_way_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that is cut off before or after it counts leaves nothing that a reader sees."""
    obstore = pytest.importorskip("obstore")
    target = f"memory://{uuid4()}/out.parquet"
    store = store_of(target.rpartition("/")[0], {})

    def seen() -> int:
        return sum(len(chunk) for chunk in obstore.list(store, "out.parquet"))

    lake = opened(target, THINGS)
    for name, there in (("put", {}), ("copy", {"a": 3})):
        with monkeypatch.context() as patched:
            patched.setattr(obstore, name, _cut_off)
            with pytest.raises(harvest.TargetError):
                lake.commit("things", [rows("a", 3)])
        assert opened(target).committed("things") == there
        assert seen() == 0
    assert len(list(opened(target).rows("things"))) == 3
    opened(target, THINGS)  # the next run
    assert seen() == 1
    assert len(list(opened(target).rows("things"))) == 3
