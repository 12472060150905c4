"""Sources of the caller's own, and values that no column can hold."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from harvest_truth import NEEDS, expected, found, lines

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
    state = emulator.state
    first = next(iter(state.favorites["demo"].itwins))
    state.itwins[first] = attrs.evolve(state.itwins[first], status="Inactive")
    report = await harvest.run(session, source, tmp_path / "out.db", page_size=4)
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
    source = harvest.favorite_imodels([itwin]).full()
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
    monkeypatch.setattr(sys.modules["itwin_async.harvest.telling"], "_TICK", 0.01)
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


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ids_as_windows_programs_write_them(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "ids.txt"
    text = end.join(["# iTwins \u2014 mine", "one", "", "  two # second", "one"])
    file.write_bytes(MARKS.get(encoding, b"") + text.encode(encoding))
    for given in (file, str(file)):
        (source,) = harvest.lists("changesets", imodel_ids=given)
        assert source.keys == ("one", "two")


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        "one\ntwo".encode("utf-16-le"),
        b"one\0two",
        b"\xff\xfeo",
        b"caf\xe9",
        b"\x1f\x8b\x08",
    ],
)
def test_a_file_that_holds_no_text_is_told(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "ids.txt"
    file.write_bytes(data)
    with pytest.raises(ArgumentError):
        harvest.favorite_imodels(file)


@pytest.mark.parametrize("name", ["ids\0.txt", "", ".", "x" * 300])
def test_a_file_of_ids_that_cannot_be_there(name: str) -> None:
    with pytest.raises(ArgumentError):
        harvest.favorite_imodels(name)


def test_a_huge_number_is_an_id_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("9" * 5000 + "\n1e400\n")
    (source,) = harvest.lists("changesets", imodel_ids=file)
    assert source.keys == ("9" * 5000, "1e400")


@pytest.mark.parametrize("bad", ["a\0.db", "x" * 300 + ".db", b"a.db", 5, None])
async def test_targets_that_no_file_can_be(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ArgumentError, harvest.TargetError)):
        await harvest.run(session, own("a"), bad)
    if isinstance(bad, str):
        for look in (harvest.status, harvest.check, lambda name: next(harvest.read(name))):
            with pytest.raises((ArgumentError, harvest.TargetError)):
                look(bad)
    assert not list(tmp_path.iterdir())


async def test_a_target_behind_links_in_a_circle(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to("b.db")
    (tmp_path / "b.db").symlink_to("a.db")
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, own("a"), tmp_path / "a.db")


@pytest.mark.parametrize("bad", ["a\0.json", "x" * 300, "."])
async def test_outputs_that_no_file_can_be(session: Session, tmp_path: Path, bad: str) -> None:
    target = tmp_path / "out.db"
    await harvest.run(session, harvest.favorite_itwins().full(), target)
    with pytest.raises((ArgumentError, harvest.TargetError)):
        harvest.export_geojson(target, tmp_path / bad)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes there")
@pytest.mark.parametrize("ending", ["db", "ndjson", "parquet"])
async def test_a_name_that_is_no_utf_8(session: Session, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("pyarrow")
    target = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9." + ending.encode())
    source = harvest.favorite_imodels().full()
    report = await harvest.run(session, source, target)
    assert report.target == target
    assert json.loads(report.to_json())["target"].endswith(f"caf\\udce9.{ending}")
    assert json.loads(harvest.check(target).to_json())["items"] == report.progress.items
    assert len(list(harvest.read(target))) == report.progress.items
    output = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.geojson")
    assert harvest.export_geojson(target, output).features


async def test_numbers_beyond_all_bounds_on_a_map(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    itwin, target = next(iter(emulator.state.itwins)), tmp_path / "out.ndjson"
    south_west = '{"latitude":0,"longitude":0}'
    items = [
        f'{{"id":"{name}","extent":{{"southWest":{south_west},"northEast":{north_east}}}{more}}}'
        for name, north_east, more in [
            ("a", '{"latitude":1,"longitude":1}', f',"containersEnabled":{10**30}'),
            ("b", '{"latitude":1e999,"longitude":1}', ""),
        ]
    ]
    body = f'{{"iModels":[{",".join(items)}],"_links":{{}}}}'.encode()
    emulator.fail("GET /imodels/favorites", status=200, body=body)
    source = harvest.favorite_imodels([itwin]).full()
    report = await harvest.run(session, source, target)
    done = harvest.export_geojson(target, tmp_path / "out.json") if report.complete else None
    if done is not None:
        assert (done.features, done.without_place) == (1, 1)
        (feature,) = json.loads((tmp_path / "out.json").read_text())["features"]
        assert feature["properties"]["containers_enabled"] == 10**30
