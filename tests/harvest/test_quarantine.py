"""Items that do not decode are set aside with their JSON; pages and lists are read all the same."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harvest_truth import NEEDS, TARGETS, expected, found

from itwin_async import DecodeError, Session, harvest, imodels
from itwin_async.emulator import Emulator, Fault

SOURCE = harvest.favorite_imodels()
LISTS = "GET /imodels/favorites"


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


def spoil(emulator: Emulator, itwin: str, *numbers: int) -> None:
    """Let some items of an iTwin's first page have a number for a name."""
    ids = [pair[1] for pair in expected(emulator) if pair[0] == itwin]
    rows: list[dict[str, Any]] = [{"id": id_, "displayName": "x", "new": [1]} for id_ in ids]
    for number in numbers:
        rows[number]["displayName"] = 5
    body = json.dumps({"iModels": rows, "_links": {}})
    emulator.fault(Fault(match=LISTS, query={"iTwinId": itwin}, body=body, times=None))


async def test_one_odd_item_costs_neither_its_page_nor_its_list(
    emulator: Emulator, session: Session, target: Path
) -> None:
    itwin = list(emulator.state.favorites["demo"].itwins)[4]
    wanted = [pair for pair in expected(emulator) if pair[0] == itwin]
    spoil(emulator, itwin, 3, 17)
    report = await harvest.run(session, SOURCE, target)
    assert report.finished
    assert report.state == harvest.status(target).state == "incomplete"
    assert report.progress.lists_done == 9
    assert report.progress.quarantined == harvest.status(target).quarantined == 2
    lost = {wanted[3], wanted[17]}
    assert found(target) == [pair for pair in expected(emulator) if pair not in lost]
    aside = harvest.quarantined(target)
    assert [(one.list, one.page, one.position) for one in aside] == [(itwin, 1, 3), (itwin, 1, 17)]
    assert [json.loads(one.json)["id"] for one in aside] == [wanted[3][1], wanted[17][1]]
    assert aside[0].list_name == emulator.state.itwins[itwin].display_name
    assert aside[0].table == "favorite_imodels"
    assert "displayName" in aside[0].error
    assert aside[0].harvested_at.tzinfo is not None
    assert harvest.quarantined(target, 1) == aside[:1]
    again = await harvest.run(session, SOURCE, target)
    assert again.progress.calls == 0
    assert again.state == "incomplete"
    assert harvest.check(target).quarantined == 2


async def test_the_table_can_be_read_by_anybody(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    spoil(emulator, next(iter(emulator.state.favorites["demo"].itwins)), 0)
    await harvest.run(session, SOURCE, tmp_path / "out.db")
    with closing(sqlite3.connect(tmp_path / "out.db")) as database:
        rows = database.execute(
            "SELECT key, json FROM harvest_quarantine JOIN harvest_lists ON list = number"
        ).fetchall()
    assert len(rows) == 1


async def test_with_fail_fast_it_is_raised(
    emulator: Emulator, session: Session, target: Path
) -> None:
    spoil(emulator, next(iter(emulator.state.favorites["demo"].itwins)), 0)
    with pytest.raises(DecodeError):
        await harvest.run(session, SOURCE, target, fail_fast=True)


async def test_a_page_of_odd_items_only_is_an_odd_page(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    itwin = next(iter(emulator.state.favorites["demo"].itwins))
    spoil(emulator, itwin, *range(35))
    report = await harvest.run(session, SOURCE, tmp_path / "out.db")
    assert [(failure.key, failure.kind) for failure in report.failures] == [(itwin, "DecodeError")]
    assert report.progress.quarantined == 0


async def test_an_odd_itwin_leads_nowhere_and_is_told(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    ids = list(emulator.state.favorites["demo"].itwins)
    rows: list[dict[str, Any]] = [{"id": name, "displayName": "x"} for name in ids]
    rows[2]["displayName"] = [1]
    emulator.fault(
        Fault(
            match="GET /itwins/favorites",
            body=json.dumps({"iTwins": rows, "_links": {}}),
            times=None,
        )
    )
    report = await harvest.run(session, SOURCE, tmp_path / "out.db")
    assert report.progress.lists_done == report.progress.lists_known == len(ids) - 1
    (aside,) = harvest.quarantined(tmp_path / "out.db")
    assert aside.table is None
    assert not report.complete


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
async def test_a_refresh_that_meets_an_odd_item_removes_nothing(
    emulator: Emulator, session: Session, tmp_path: Path, name: str
) -> None:
    target, wanted = tmp_path / name, expected(emulator)
    await harvest.run(session, SOURCE, target)
    spoil(emulator, wanted[0][0], 3)
    report = await harvest.run(session, SOURCE, target, refresh=True)
    assert report.progress.quarantined == 1
    assert harvest.status(target).quarantined == 1
    assert found(target) == wanted
    emulator.clear_faults()
    assert (await harvest.run(session, SOURCE, target, refresh=True)).complete
    assert harvest.status(target).complete
    assert harvest.quarantined(target) == []


async def test_a_pager_tells_which_items_do_not_decode(
    emulator: Emulator, session: Session
) -> None:
    itwin = next(iter(emulator.state.favorites["demo"].itwins))
    spoil(emulator, itwin, 1)
    pager = imodels.list_favorites(session, itwin)
    with pytest.raises(DecodeError):
        await pager.collect()
    (page,) = [page async for page in pager.pages(tolerant=True)]
    assert len(page) == len(page.raw_items()) == 34
    (odd,) = page.undecoded
    assert odd.index == 1
    assert json.loads(odd.raw)["displayName"] == 5
    assert json.loads(page.raw_items()[1])["id"] == page[1].id
    assert "$.iModels[1].displayName" in odd.error
    after = imodels.list_favorites(session, itwin, cursor=page.cursor)
    (rest,) = [page async for page in after.pages(tolerant=True)]
    assert (list(rest), rest.undecoded, rest.raw_items()) == ([], (), [])


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
async def test_shares_are_merged_with_what_they_set_aside(
    emulator: Emulator, session: Session, tmp_path: Path, name: str
) -> None:
    itwin = list(emulator.state.favorites["demo"].itwins)[4]
    spoil(emulator, itwin, 3, 17)
    parts = [tmp_path / f"{number}-{name}" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        await harvest.run(session, harvest.share(SOURCE, number, 2), part)
    merged = harvest.merge(tmp_path / name, parts)
    assert (merged.quarantined, merged.state) == (2, "incomplete")
    assert {one.list for one in harvest.quarantined(tmp_path / name)} == {itwin}


async def test_a_lake_counts_them_too(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    target = tmp_path / "out.delta"
    spoil(emulator, next(iter(emulator.state.favorites["demo"].itwins)), 3)
    report = await harvest.run(session, SOURCE, target)
    assert report.state == harvest.status(target).state == "incomplete"
    assert len(harvest.quarantined(target)) == harvest.status(target).quarantined == 1
