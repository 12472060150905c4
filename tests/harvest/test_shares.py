"""Harvests in shares: together they are the whole, each list once, and one target again."""

from __future__ import annotations

import asyncio
import json
import pickle
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from doubles import refused
from harvest_truth import NEEDS
from list_platform import ListPlatform, rows_of

from itwin_async import Session, harvest, imodels
from itwin_async.emulator import Emulator

pytestmark = pytest.mark.slow

NAMES = harvest.list_names()
FORMS = ["out.db", "out.ndjson.gz", "out.parquet"]


@pytest.fixture
async def lists(platform: ListPlatform) -> AsyncIterator[Session]:
    async with Session(platform.token, base_url=platform.base_url) as session:
        yield session


def content(target: Path) -> dict[str, list[tuple[str, str]]]:
    """All rows of all tables, whatever the form."""
    return {
        table: sorted((key, repr(item)) for key, item in harvest.read(target, table=table))
        for table in harvest.status(target).tables
    }


async def harvested(
    session: Session, sources: Any, folder: Path, of: int, name: str = "out.db"
) -> list[Path]:
    targets = [folder / f"{number}-{name}" for number in range(1, of + 1)]
    for number, target in enumerate(targets, 1):
        share = pickle.loads(pickle.dumps(harvest.share(sources, number, of)))
        report = await harvest.run(session, share, target, page_size=2)
        assert report.complete, report.failures
    return targets


@pytest.mark.parametrize("name", FORMS)
async def test_shares_are_the_whole(
    lists: Session, platform: ListPlatform, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    sources = harvest.lists(*NAMES, full=True)
    whole = tmp_path / "whole.db"
    await harvest.run(lists, sources, whole, page_size=2)
    platform.seen.clear()
    shares = await harvested(lists, sources, tmp_path, 3, name)
    below = [one for one in platform.seen if one[1]]
    assert len(below) == len(set(below))  # lists of something are read by one share
    merged = tmp_path / f"merged-{name}"
    found = harvest.merge(merged, shares[::-1])
    assert found.complete
    assert content(merged) == content(whole)
    assert found.tables == harvest.status(whole).tables
    assert found.source == harvest.status(whole).source
    assert found.lists_known == harvest.status(whole).lists_known
    assert harvest.check(merged).complete
    assert sum(bool(harvest.status(share).items) for share in shares) > 1
    # It is the harvest without shares, and goes on as that.
    platform.seen.clear()
    again = await harvest.run(lists, sources, merged, page_size=2)
    assert (again.complete, again.progress.calls, platform.seen) == (True, 0, [])
    assert (await harvest.run(lists, sources, merged, page_size=2, refresh=True)).complete
    assert content(merged) == content(whole)


@pytest.mark.parametrize(
    "names", [("itwins",), ("imodels",), ("changesets", "tags"), ("itwins", "imodels", "users")]
)
@pytest.mark.parametrize("of", [1, 2, 5])
async def test_any_number_of_shares(
    lists: Session, tmp_path: Path, names: tuple[str, ...], of: int
) -> None:
    for number, options in enumerate(({}, {"status": ["Active", "Trial"]})):
        sources = harvest.lists(*names, **options)  # type: ignore[arg-type]
        folder = tmp_path / str(number)
        folder.mkdir()
        await harvest.run(lists, sources, folder / "whole.db")
        shares = await harvested(lists, sources, folder, of)
        harvest.merge(folder / "merged.ndjson", shares)
        assert content(folder / "merged.ndjson") == content(folder / "whole.db")


async def test_given_ids_are_divided(lists: Session, tmp_path: Path) -> None:
    itwins = [row["id"] for row in rows_of("itwins.list_itwins", ())]
    sources = harvest.lists("imodels", "users", itwin_ids=itwins)
    await harvest.run(lists, sources, tmp_path / "whole.db")
    shares = await harvested(lists, sources, tmp_path, 4)
    harvest.merge(tmp_path / "merged.db", shares)
    assert content(tmp_path / "merged.db") == content(tmp_path / "whole.db")
    assert (await harvest.run(lists, sources, tmp_path / "merged.db")).progress.calls == 0


async def test_moments_and_removed_rows_are_kept(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    shares = await harvested(session, harvest.favorite_imodels(), tmp_path, 2)
    gone = next(iter(emulator.state.favorites["demo"].imodels))
    await imodels.remove_favorite(session, gone)
    for number, share in enumerate(shares, 1):
        source = harvest.share(harvest.favorite_imodels(), number, 2)
        await harvest.run(session, source, share, refresh=True)

    def rows(target: Path) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(target)) as database:
            return database.execute(
                "SELECT list, list_name, id, json, harvested_at, first_seen, last_seen, removed_at"
                " FROM favorite_imodels"
            ).fetchall()

    harvest.merge(tmp_path / "merged.db", shares)
    found = rows(tmp_path / "merged.db")
    assert sorted(found) == sorted([*rows(shares[0]), *rows(shares[1])])
    assert [row[2] for row in found if row[-1]] == [gone]
    harvest.check(tmp_path / "merged.db")


async def test_lists_that_failed_are_read_by_a_run_of_the_whole(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    source, targets = harvest.favorite_imodels(), [tmp_path / "1.db", tmp_path / "2.db"]
    emulator.fail("GET /imodels/favorites", status=403, times=2)
    for number, target in enumerate(targets, 1):
        await harvest.run(session, harvest.share(source, number, 2), target)
    merged = harvest.merge(tmp_path / "merged.db", targets)
    assert (merged.state, merged.lists_failed) == ("incomplete", 2)
    report = await harvest.run(session, source, tmp_path / "merged.db")
    assert (report.complete, report.progress.calls) == (True, 2)
    await harvest.run(session, source, tmp_path / "whole.db")
    assert content(tmp_path / "merged.db") == content(tmp_path / "whole.db")


async def test_what_cannot_be_merged(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    source, target = harvest.favorite_imodels(), tmp_path / "merged.db"
    one, two = await harvested(session, source, tmp_path, 2)
    other = tmp_path / "other.db"
    await harvest.run(session, harvest.share(source.full(), 2, 2), other)
    third = tmp_path / "third.db"
    await harvest.run(session, harvest.share(source, 2, 3), third)
    whole = tmp_path / "whole.db"
    await harvest.run(session, source, whole)
    for shares in ([one], [one, one], [one, two, two], [one, other], [one, third], [whole, one]):
        with pytest.raises(harvest.TargetError):
            harvest.merge(target, shares)
        assert not target.exists()
    with refused("shares"):
        harvest.merge(target, [])
    with refused("target"):
        harvest.merge(tmp_path / "merged.delta", [one, two])
    with refused("shares"):
        harvest.merge(target, [one, tmp_path / "two.delta"])
    with pytest.raises(harvest.TargetError) as missing:
        harvest.merge(target, [one, tmp_path / "none.db"])
    assert missing.value.kind == "missing"
    for there in (whole, one):
        before = there.read_bytes()
        with pytest.raises(harvest.TargetError):
            harvest.merge(there, [one, two])
        assert there.read_bytes() == before
    unfinished = tmp_path / "unfinished.db"
    emulator.fail("GET /imodels/favorites", status=401, times=None)
    with pytest.raises(Exception, match="401"):
        await harvest.run(session, harvest.share(source, 2, 2), unfinished)
    with pytest.raises(harvest.TargetError):
        harvest.merge(target, [one, unfinished])


@pytest.mark.parametrize("name", ["merged.db", "merged.ndjson", "merged.parquet"])
async def test_a_merge_that_fails_leaves_nothing(
    session: Session, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    (tmp_path / "shares").mkdir()
    one, two = await harvested(session, harvest.favorite_imodels(), tmp_path / "shares", 2)
    with closing(sqlite3.connect(two)) as database:
        database.execute("DELETE FROM favorite_imodels WHERE rowid = 1")
        database.commit()
    with pytest.raises(harvest.TargetError):
        harvest.merge(tmp_path / name, [one, two])
    assert [path.name for path in tmp_path.iterdir()] == ["shares"]


KILLED = """
import os, sys
from itwin_async import harvest
from itwin_async.harvest import swap
swap.commit = lambda *_: os._exit(9)
harvest.merge(sys.argv[1], sys.argv[2:])
"""


@pytest.mark.parametrize("name", ["merged.db", "merged.ndjson", "merged.parquet"])
async def test_a_merge_that_is_killed_is_no_harvest_and_begins_again(
    session: Session, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    source, target = harvest.favorite_imodels(), tmp_path / name
    shares = await harvested(session, source, tmp_path, 2)
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, target, *shares)
    assert await killed.wait() == 9
    assert not harvest.status(target).finished
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, source, target)
    harvest.merge(target, shares)
    await harvest.run(session, source, tmp_path / "whole.db")
    assert content(target) == content(tmp_path / "whole.db")
    assert harvest.check(target).complete


@pytest.mark.parametrize(("number", "of"), [(0, 2), (3, 2), (1, 0), ("1", 2), (True, 2)])
def test_shares_that_are_none(number: Any, of: Any) -> None:
    with refused("of" if of == 0 else "number"):
        harvest.share(harvest.favorite_imodels(), number, of)


async def test_a_share_is_part_of_what_a_target_is(session: Session, tmp_path: Path) -> None:
    source, target = harvest.favorite_imodels(), tmp_path / "out.db"
    await harvest.run(session, harvest.share(source, 1, 2), target)
    for other in (source, harvest.share(source, 2, 2), harvest.share(source, 1, 3)):
        with pytest.raises(harvest.TargetError):
            await harvest.run(session, other, target)
    assert json.loads(harvest.status(target).to_json())["source"]["share"] == "1 of 2"
