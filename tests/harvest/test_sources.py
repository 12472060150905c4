"""Sources of the caller's own, and values that no column can hold."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from itwin_async import (
    ArgumentError,
    Quota,
    RetryPolicy,
    Session,
    harvest,
    imodels,
    itwins,
    saved_views,
)
from itwin_async.emulator import Emulator
from itwin_async.paging import Pager
from tests.harvest.truth import NEEDS, expected, found, lines


def models(
    session: Session, key: str, *, page_size: int, cursor: str | None
) -> Pager[imodels.IModelSummary]:
    return imodels.list_favorites(session, key, page_size=page_size, cursor=cursor)


def active(session: Session, *, page_size: int, cursor: str | None) -> Pager[Any]:
    return itwins.list_favorites(session, page_size=page_size, cursor=cursor)


def broken(session: Session, key: str, *, page_size: int, cursor: str | None) -> Pager[Any]:
    raise ZeroDivisionError("mine")


def own(*keys: str, **options: Any) -> harvest.Source[imodels.IModelSummary]:
    return harvest.Source("mine", imodels.IModelSummary, models, keys=keys, **options)


async def test_an_outer_list_of_ones_own(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    source = harvest.Source("mine", imodels.IModelSummary, models, outer=active)
    report = await harvest.run(session, source, tmp_path / "out.db", page_size=4)
    state = emulator.state
    wanted = {
        key for key in state.favorites["demo"].itwins if state.itwins[key].status != "Inactive"
    }
    assert report.complete, report.failures
    assert report.progress.lists_known == len(wanted) < len(state.favorites["demo"].itwins)
    assert found(tmp_path / "out.db") == [p for p in expected(emulator) if p[0] in wanted]


async def test_keys_are_part_of_what_a_target_is(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    one, two, *_ = emulator.state.favorites["demo"].itwins
    await harvest.run(session, own(one), tmp_path / "out.db")
    with pytest.raises(harvest.TargetError, match=r"keys is 1 given \(\w+\) there, 2 given"):
        await harvest.run(session, own(one, two), tmp_path / "out.db")
    report = await harvest.run(session, own(one), tmp_path / "out.db")
    assert report.complete


async def test_a_table_of_ones_own(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    one = next(iter(emulator.state.favorites["demo"].itwins))
    target = tmp_path / "out.db"
    await harvest.run(session, own(one, table='my "rows"'), target)
    assert found(target) == [pair for pair in expected(emulator) if pair[0] == one]


async def test_a_defect_of_a_source_comes_as_it_is(session: Session, tmp_path: Path) -> None:
    source = harvest.Source("mine", imodels.IModelSummary, partial(broken), keys=("a", "b"))
    with pytest.raises(ZeroDivisionError, match="mine"):
        await harvest.run(session, source, tmp_path / "out.db")


async def test_a_page_size_is_no_matter_of_lists(session: Session, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="page_size must be a whole number from 1 to 1000"):
        await harvest.run(session, own("a"), tmp_path / "out.db", page_size=1001)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.parquet"])
@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("containersEnabled", 2**63),
        ("containersEnabled", -(10**30)),
        ("createdDateTime", "9999-12-31T23:59:59-05:00"),
        ("createdDateTime", "0001-01-01T00:00:00+05:00"),
        ("displayName", "nul \x00, quote ', line \n, \u2028 and \U0001f5fa"),
    ],
)
async def test_a_strange_value_stops_nothing(
    emulator: Emulator, session: Session, tmp_path: Path, name: str, member: str, value: object
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    itwin = next(iter(emulator.state.favorites["demo"].itwins))
    items = [{"id": f"{number}", "displayName": "plain"} for number in range(130)]
    items[77][member] = value  # type: ignore[assignment]
    emulator.fail(
        "GET /imodels/favorites", status=200, body={"iModels": items, "_links": {"next": None}}
    )
    source = harvest.favorite_imodels([itwin], prefer="representation")
    report = await harvest.run(session, source, tmp_path / name)
    assert report.complete, report.failures
    assert len(found(tmp_path / name)) == 130
    rows = {str(row["item"]["id"]): row["item"] for row in lines(tmp_path / name)}  # type: ignore[index]
    assert len(rows) == 130
    if name != "out.parquet":
        assert rows["77"] == items[77]


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
async def test_nothing_lies_beside_a_finished_target(
    session: Session, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    await harvest.run(session, harvest.favorite_imodels(), target)
    assert harvest.status(target).finished
    assert found(target)
    ours = {target.name} | ({f"{name}.state"} if name == "out.ndjson" else set())
    assert {path.name for path in tmp_path.iterdir()} == ours


async def test_progress_goes_on_while_everything_waits_for_the_quota(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["itwin_async.harvest.run"], "_TICK", 0.01)
    seen: list[harvest.Progress] = []
    waits = asyncio.Event()

    async def sleep(_: float) -> None:
        await waits.wait()

    policy = RetryPolicy(sleep=sleep)
    quota = Quota(1, per_seconds=60)
    told = asyncio.Event()

    def show(progress: harvest.Progress) -> None:
        seen.append(progress)
        if len(seen) > 2:
            told.set()

    async with Session(
        emulator.token, base_url=emulator.base_url, quota=quota, retry=policy, timeout=None
    ) as paced:
        lists = own(*list(emulator.state.itwins)[:3])
        work = harvest.run(paced, lists, tmp_path / "out.db", on_progress=show)
        running = asyncio.create_task(work)
        await asyncio.wait_for(told.wait(), 30)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert seen[-1].waiting > 0
    assert [one.seconds for one in seen] == sorted(one.seconds for one in seen)


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.parquet"])
async def test_the_tags_of_every_itwin(
    emulator: Emulator, session: Session, tmp_path: Path, name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    ids = list(emulator.state.favorites["demo"].itwins)
    wanted = []
    for number in range(3):
        tag = await saved_views.create_tag(session, f"tag {number}", itwin_id=ids[number // 2])
        wanted.append((ids[number // 2], tag.id))
    report = await harvest.run(session, harvest.tags(), tmp_path / name)
    assert report.complete
    assert report.progress.lists_done == len(ids)
    assert found(tmp_path / name) == sorted(wanted)


async def test_recents(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    state = emulator.state
    model = next(iter(state.favorites["demo"].imodels))
    emulator.recent("demo", model, *list(state.favorites["demo"].itwins)[:3])
    report = await harvest.run(session, harvest.recent_itwins(), tmp_path / "itwins.db")
    assert report.complete
    recents = emulator.state.recents["demo"]
    assert sorted(key for _, key in found(tmp_path / "itwins.db")) == sorted(recents.itwins)
    report = await harvest.run(session, harvest.recent_imodels(), tmp_path / "imodels.db")
    assert report.complete
    kept = set(emulator.state.favorites["demo"].itwins)
    of = {key: emulator.state.imodels[key].itwin_id for key in recents.imodels}
    assert recents.itwins
    assert recents.imodels
    assert found(tmp_path / "imodels.db") == sorted(
        (itwin, key) for key, itwin in of.items() if itwin in kept
    )
