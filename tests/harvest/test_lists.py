"""Every list of the platform as a source, alone and with others in one target."""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from doubles import refused
from harvest_truth import NEEDS
from list_platform import OPERATIONS, ListPlatform, guid, list_platform, rows_of
from memory_sink import Memory

from itwin_async import RetryPolicy, Session, harvest, imodels, itwins
from itwin_async.operations import DetailListOperation

NAMES = harvest.list_names()
FORMS = ["out.db", "out.ndjson", "out.ndjson.gz", "out.parquet"]
ITWINS = [row["id"] for row in rows_of("itwins.list_itwins", ())]
IMODELS = [row["id"] for itwin in ITWINS for row in rows_of("imodels.list_imodels", (itwin,))]


@pytest.fixture
async def session(platform: ListPlatform) -> AsyncIterator[Session]:
    async with Session(platform.token, base_url=platform.base_url) as session:
        yield session


def stored(path: Path, table: str, *, alone: bool) -> list[tuple[str, Any]]:
    """What a table holds, as a stranger reads it: list and item."""
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            rows = database.execute(f'SELECT list, json FROM "{table}"').fetchall()
        return [(key, json.loads(text)) for key, text in rows]
    if path.suffix == ".parquet":
        import pyarrow.dataset as ds

        folder = path if alone else path / table
        rows = ds.dataset(sorted(folder.glob("part-*"))).to_table().to_pylist()
        return [(row.pop("list"), row) for row in rows]
    start, _, end = path.name.partition(".")
    file = path if alone else path.with_name(f"{start}.{table}.{end}")
    data = file.read_bytes()
    if path.suffix == ".gz":
        import gzip

        data = gzip.decompress(data)
    lines = [json.loads(line) for line in data.splitlines()]
    return [(line["list"], line["item"]) for line in lines]


def test_every_list_has_a_name_and_a_table_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == len(OPERATIONS)
    assert {"imodels", "named-versions", "favorite-itwins", "saved-views", "tags"} <= {*NAMES}
    assert len({source.table for source in harvest.lists(*NAMES)}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_each_alone(
    platform: ListPlatform, session: Session, tmp_path: Path, name: str
) -> None:
    (source,) = pickle.loads(pickle.dumps(harvest.lists(name)))
    target = tmp_path / "out.db"
    report = await harvest.run(session, source, target, page_size=2)
    assert report.complete, report.failures
    (operation,) = [one for one in OPERATIONS if one.item is source.item and _named(one.name, name)]
    lists = [of for found, of in platform.seen if found == operation.name]
    wanted = [("/".join(of), row) for of in lists for row in rows_of(operation.name, of)]
    assert len(wanted) == report.progress.items >= 5 * len(lists) - 3 * len(lists)
    found = stored(target, source.table, alone=True)
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, map(list, wanted)))
    assert len(list(harvest.read(target))) == len(wanted)
    assert harvest.check(target).finished
    platform.seen.clear()
    again = await harvest.run(session, source, target, page_size=2)
    assert again.complete
    assert not platform.seen


def _named(operation: str, name: str) -> bool:
    wing, _, function = operation.partition(".list_")
    plain = function.replace("_", "-")
    return name in {plain, f"{plain.removesuffix('s')}-{wing}"}


@pytest.mark.parametrize("name", FORMS)
async def test_all_in_one_target(
    platform: ListPlatform, session: Session, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = tmp_path / name
    sources = harvest.lists(*NAMES, full=True)
    report = await harvest.run(session, sources, target, page_size=2)
    assert report.complete, report.failures
    # Whatever leads to several lists is requested once.
    assert len(platform.seen) == len(set(platform.seen))
    status = harvest.check(target)
    assert len(status.tables) == len(NAMES)
    assert status.items == sum(status.tables.values())
    for source in sources:
        (operation,) = [one for one in OPERATIONS if _same(one, source)]
        lists = [of for found, of in platform.seen if found == operation.name]
        count = sum(len(rows_of(operation.name, of)) for of in lists)
        rows = stored(target, source.table, alone=False)
        assert len(rows) == count == status.tables[source.table]
        assert {key for key, _ in rows} == {"/".join(of) for of in lists}
        assert len(list(harvest.read(target, source.item, table=source.table))) == count
    assert len(stored(target, "changesets", alone=False)) == 5 * len(IMODELS)


def _same(operation: Any, source: harvest.Source[object]) -> bool:
    full = isinstance(operation, DetailListOperation) and operation.full is source.item
    return (full or operation.item is source.item) and _named(operation.name, source.name)


@pytest.mark.parametrize("name", FORMS)
async def test_moments_are_read_with_the_same_zone(
    session: Session, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    await harvest.run(session, harvest.lists("changesets"), tmp_path / name)
    moments = [
        item.push_date_time for _, item in harvest.read(tmp_path / name, imodels.ChangesetSummary)
    ]
    assert moments
    assert all(moment is not None and moment.tzinfo is UTC for moment in moments)


async def test_iModels_that_are_given(  # noqa: N802 - the platform's word
    platform: ListPlatform, session: Session, tmp_path: Path
) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(IMODELS[:2]))
    sources = harvest.lists("changesets", "users", imodel_ids=ids)
    report = await harvest.run(session, sources, tmp_path / "out.db")
    assert report.complete
    assert report.progress.lists_known == 4
    assert {name for name, _ in platform.seen} == {"imodels.list_changesets", "imodels.list_users"}
    assert report.source["imodels"].startswith("2 given")


async def test_iTwins_that_are_given_lead_to_their_iModels(  # noqa: N802
    platform: ListPlatform, session: Session, tmp_path: Path
) -> None:
    sources = harvest.lists("imodels", "named-versions", itwin_ids=ITWINS[:1])
    report = await harvest.run(session, sources, tmp_path / "out.db")
    assert report.complete
    assert not [name for name, _ in platform.seen if name == "itwins.list_itwins"]
    assert harvest.status(tmp_path / "out.db").tables == {"imodels": 2, "named_versions": 10}


async def test_iTwins_of_the_favorites(  # noqa: N802
    platform: ListPlatform, session: Session, tmp_path: Path
) -> None:
    sources = harvest.lists("groups", "tags", of="favorite-itwins")
    report = await harvest.run(session, sources, tmp_path / "out.db")
    assert report.complete
    assert report.source["itwins"] == "all favorites"
    assert platform.seen[0][0] == "itwins.list_favorites"


async def test_a_list_that_leads_to_others_and_fails_gets_another_chance(
    platform: ListPlatform, session: Session, tmp_path: Path
) -> None:
    sources = harvest.lists("extensions", itwin_ids=ITWINS)
    platform.refused = "/savedviews"
    report = await harvest.run(session, sources, tmp_path / "out.db")
    assert report.finished
    assert not report.complete
    assert [failure.source for failure in report.failures] == ["saved-views"] * len(ITWINS)
    platform.refused = ""
    report = await harvest.run(session, sources, tmp_path / "out.db")
    assert report.complete, report.failures
    assert report.progress.items == len(ITWINS) * 5 * 5


async def test_without_the_first_list_there_is_nothing(
    platform: ListPlatform, session: Session, tmp_path: Path
) -> None:
    platform.refused = "/itwins"
    with pytest.raises(Exception, match="403"):
        await harvest.run(session, harvest.lists("imodels"), tmp_path / "out.db")
    platform.refused = ""
    report = await harvest.run(session, harvest.lists("imodels"), tmp_path / "out.db")
    assert report.complete


async def test_what_several_lists_need_is_there_once(
    platform: ListPlatform, session: Session, tmp_path: Path
) -> None:
    sources = harvest.lists("users", "imodels", "itwins")
    await harvest.run(session, sources, tmp_path / "out.db")
    names = [name for name, _ in platform.seen]
    assert names.count("itwins.list_itwins") == 1
    assert names.count("imodels.list_imodels") == len(ITWINS)
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        joined = database.execute(
            "SELECT count(*) FROM users JOIN imodels ON users.list = imodels.id"
            " JOIN itwins ON imodels.list = itwins.id"
        ).fetchone()
    assert joined == (5 * len(IMODELS),)


async def test_items_without_an_id_have_one_in_every_table(
    session: Session, tmp_path: Path
) -> None:
    sources = harvest.lists("locks", "extended-data", "extensions")
    await harvest.run(session, sources, tmp_path / "out.db", page_size=1)
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        for table in ("locks", "extended_data", "extensions"):
            rows = database.execute(f"SELECT count(*), count(DISTINCT list || id) FROM {table}")
            count, ids = rows.fetchone()
            assert count == ids > 0
        given = database.execute("SELECT id = changeset_id FROM extended_data").fetchall()
        assert set(given) == {(1,)}
    locks = list(harvest.read(tmp_path / "out.db", imodels.Lock))
    assert len({repr(lock) for _, lock in locks}) == 5 * len(IMODELS)


async def test_one_class_in_several_tables_needs_a_name(session: Session, tmp_path: Path) -> None:
    sources = harvest.lists("itwins", "favorite-itwins")
    await harvest.run(session, sources, tmp_path / "out.db")
    for options in ({}, {"table": "nothing"}):
        with pytest.raises(harvest.TargetError):
            next(harvest.read(tmp_path / "out.db", itwins.ITwinSummary, **options))
    rows = harvest.read(tmp_path / "out.db", itwins.ITwinSummary, table="favorite_itwins")
    assert len(list(rows)) == 5


async def test_other_lists_are_another_harvest(session: Session, tmp_path: Path) -> None:
    await harvest.run(session, harvest.lists("itwins"), tmp_path / "out.db")
    for names in (("itwins", "imodels"), ("imodels",)):
        with pytest.raises(harvest.TargetError):
            await harvest.run(session, harvest.lists(*names), tmp_path / "out.db")


async def test_a_target_of_an_older_format_is_refused(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    with closing(sqlite3.connect(target)) as database:
        database.execute("CREATE TABLE harvest_meta (name TEXT PRIMARY KEY, value TEXT)")
        database.execute("INSERT INTO harvest_meta VALUES ('format', '1'), ('identity', '{}')")
        database.commit()
    before = target.read_bytes()
    for look in (harvest.status, harvest.check, lambda name: next(harvest.read(name))):
        with pytest.raises(harvest.TargetError, match="format 1"):
            look(target)
    with pytest.raises(harvest.TargetError, match="format 1"):
        await harvest.run(session, harvest.lists("itwins"), target)
    assert target.read_bytes() == before


def test_wrong_names_and_ids_are_refused() -> None:
    with refused("names"):
        harvest.lists()
    with refused("names"):
        harvest.lists("everything")
    with refused("of"):
        harvest.lists("imodels", of="imodels")
    with refused("itwin_ids"):
        harvest.lists("itwins", "exports", itwin_ids=ITWINS)
    with refused("imodel_ids"):
        harvest.lists("itwins", imodel_ids=IMODELS)
    with refused("imodel_ids"):
        harvest.lists("imodels", "changesets", imodel_ids=IMODELS)


async def test_sources_that_cannot_share_a_target(session: Session, tmp_path: Path) -> None:
    one, two = harvest.lists("itwins", "users")
    given = harvest.lists("imodels", itwin_ids=ITWINS)
    for sources in ([], [one, one], [two, *given], ["itwins"]):
        with refused("source"):
            await harvest.run(session, sources, tmp_path / "out.db")  # type: ignore[arg-type]
    for sources in ([one, two], harvest.lists("locks")):
        with refused("target"):
            await harvest.run(session, sources, Memory(tmp_path))
    assert not list(tmp_path.iterdir())


async def test_an_output_is_none_of_the_tables(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    await harvest.run(session, harvest.lists("itwins", "imodels", full=True), target)
    with pytest.raises(harvest.TargetError):
        harvest.export_geojson(target, tmp_path / "out.imodels.ndjson")
    assert len(list(harvest.read(target, imodels.IModel))) == len(IMODELS)
    assert harvest.export_geojson(target, tmp_path / "map.geojson").without_place == 9


async def test_lists_that_fail_in_between_lose_nothing(tmp_path: Path) -> None:
    policy = RetryPolicy(retries=99, base=0.001, cap=0.002)
    with list_platform(every=5) as platform:
        async with Session(platform.token, base_url=platform.base_url, retry=policy) as session:
            report = await harvest.run(
                session, harvest.lists(*NAMES), tmp_path / "out.db", page_size=1
            )
    assert report.complete, report.failures
    assert harvest.check(tmp_path / "out.db").tables["changesets"] == 5 * len(IMODELS)
    assert guid("a") != guid("b")
