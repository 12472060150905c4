from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from caller import Caller
from doubles import settle, skip_time, until
from hypothesis import given
from hypothesis import strategies as st

from itwin_async.emulator import Emulator, Extent, Fault, World
from itwin_async.emulator.world.ids import GuidGenerator, is_guid
from itwin_async.emulator.world.tables import Selection, Table


def fingerprint(world: World) -> str:
    rows = [row.full() for row in world.itwins.values()]
    models = [row.full("") for row in world.imodels.values()]
    return hashlib.sha256(json.dumps([rows, models]).encode()).hexdigest()[:16]


def test_a_seed_gives_the_same_world_everywhere() -> None:
    assert fingerprint(World(7, 5, 20)) == fingerprint(World(7, 5, 20))
    assert fingerprint(World(7, 5, 20)) == "d472becb86b64af2"
    assert fingerprint(World(8, 5, 20)) != fingerprint(World(7, 5, 20))


def test_names_and_ids_are_unique() -> None:
    world = World(0, 60, 50)
    assert len({row.display_name for row in world.itwins.values()}) == 60
    assert len({row.number for row in world.itwins.values()}) == 60
    models = list(world.imodels.values())
    assert len(models) == len(world.imodels) == 3000
    assert len({row.id for row in models}) == 3000
    assert len({(row.itwin_id, row.name) for row in models}) == 3000
    assert all(world.imodels[row.id] == row for row in models[::97])
    assert "abc" not in world.imodels


@given(
    st.integers(0, 2**64), st.integers(0, 15), st.integers(0, 2**28 - 1), st.integers(0, 2**32 - 1)
)
def test_ids_know_what_they_were_made_for(seed: int, kind: int, shelf: int, row: int) -> None:
    mint = GuidGenerator(seed)
    guid = mint.guid(kind, shelf, row)
    assert is_guid(guid)
    assert guid[14] == "4"
    assert guid[19] in "89ab"
    assert mint.find(guid) == (kind, shelf, row)


@given(st.uuids())
def test_foreign_ids_are_not_found(guid: Any) -> None:
    assert GuidGenerator(1).find(str(guid)) is None


@pytest.mark.parametrize(
    ("favorites", "itwins", "imodels"),
    [(True, 10, 80), (False, 0, 0), (0.5, 5, 40), (3, 3, 30), (100, 10, 80), (0, 0, 0), (1, 1, 10)],
)
def test_share_of_favorites(favorites: float | bool, itwins: int, imodels: int) -> None:
    marks = World(0, 10, 8, favorites=favorites).favorites["demo"]
    assert (len(marks.itwins), len(marks.imodels)) == (itwins, imodels)


def test_a_million_rows_are_made_when_looked_at() -> None:
    world = World(0, 200, 5000)
    assert len(world.imodels) == 1_000_000
    assert all(not table.kept for table in world.tables.values())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "front", "remove", "mark", "unmark"]), st.integers(0, 30)
        ),
        max_size=60,
    )
)
def test_a_selection_follows_its_table(steps: list[tuple[str, int]]) -> None:
    table, selection = Table[object](lambda row: row, 5), Selection(range(5))
    rows, favored = list(range(5)), set(range(5))
    for step, number in steps:
        if step in {"add", "front"}:
            position = table.add(object(), front=step == "front")
            assert position not in rows
            rows = [position, *rows] if step == "front" else [*rows, position]
            continue
        if not rows:
            continue
        position = rows[number % len(rows)]
        if step == "remove":
            table.remove(position)
            rows.remove(position)
            favored.discard(position)
        elif step == "mark":
            selection.add(position)
            favored.add(position)
        else:
            selection.discard(position)
            favored.discard(position)
    for copy in (table, table.copy()):
        assert list(copy.positions()) == rows
        assert len(copy) == len(rows)
    for held in (selection, selection.copy()):
        assert list(held.positions(table)) == [row for row in rows if row in favored]


async def test_building_by_hand(call: Caller, emulator: Emulator) -> None:
    itwin = emulator.add_itwin(
        "Dock", sub_class="Asset", status="Trial", type="Port", number="D-1", latitude=1.5
    )
    assert (itwin.class_, itwin.type, itwin.latitude) == ("Thing", "Port", 1.5)
    model = emulator.add_imodel(
        itwin,
        "Crane",
        description="x",
        extent=(1, 2, 3, 4),
        id="A" * 8 + "-1111-4111-8111-" + "b" * 12,
    )
    assert model.id == "aaaaaaaa-1111-4111-8111-bbbbbbbbbbbb"
    assert model.extent == Extent(1, 2, 3, 4)
    reply = await call("GET", f"/imodels/{model.id.upper()}")
    assert reply.json["iModel"]["displayName"] == "Crane"
    ana = emulator.add_user("ana", email="ana@example.net")
    emulator.favorite(ana, itwin, model)
    emulator.recent("ana", model, itwin.id)
    assert emulator.state.favorites["ana"].imodels == [model.id]
    assert emulator.state.recents["ana"].itwins == [itwin.id]
    emulator.unfavorite("ana", model.id)
    assert emulator.state.favorites["ana"].imodels == []
    emulator.remove_imodel(model)
    assert (await call("GET", f"/imodels/{model.id}")).status == 404
    assert emulator.state.recents["ana"].imodels == []
    emulator.remove_itwin(itwin)
    assert (await call("GET", f"/itwins/{itwin.id}")).status == 404
    assert emulator.state.favorites["ana"].itwins == []


def test_an_unknown_user_has_empty_lists() -> None:
    state = Emulator(itwins=1, imodels=1).state
    for lists in (state.favorites, state.recents):
        assert (lists["zoe"].itwins, lists["zoe"].imodels) == ([], [])
        assert list(lists) == ["demo"]
        assert "zoe" not in lists


def test_building_refuses() -> None:
    emulator = Emulator()
    first = next(iter(emulator.state.itwins))
    for wrong in (
        lambda: emulator.add_itwin(sub_class="Odd"),
        lambda: emulator.add_itwin(status="Odd"),
        lambda: emulator.add_itwin(id="abc"),
        lambda: emulator.add_itwin(id=first),
        lambda: emulator.add_itwin(number=emulator.state.itwins[first].number),
        lambda: emulator.add_itwin(latitude=100),
        lambda: emulator.add_itwin(longitude=-181),
        lambda: emulator.add_itwin("x" * 256),
        lambda: emulator.add_itwin(created="yesterday"),
        lambda: emulator.add_imodel(first, extent={"southWest": None}),
        lambda: emulator.add_imodel(first, extent=(0, 0, 100, 0)),
        lambda: emulator.add_imodel(first, emulator.state.imodels_of(first)[3].name),
        lambda: emulator.add_imodel(first, description="x" * 256),
        lambda: emulator.add_imodel(first, state="odd"),
        lambda: emulator.add_imodel(first, containers_enabled=8),
        lambda: emulator.load({"itwins": [{"number": "N"}, {"number": "N"}]}),
        lambda: emulator.load({"itwins": [{"imodels": [{"name": "A"}, {"name": "A"}]}]}),
        lambda: emulator.load({"itwin": []}),
        lambda: emulator.load({"itwins": [{"displayname": "x"}]}),
        lambda: emulator.load({"itwins": {}}),
        lambda: emulator.load({"favorites": {"ana": ["nothing"]}}),
        lambda: World(0, -1),
        lambda: World(0, 1, "3"),  # type: ignore[arg-type]
        lambda: World(0, 1, 3, favorites=1.5),
        lambda: World(0, 1, 3, favorites=-1),
    ):
        with pytest.raises(ValueError, match=r".+"):
            wrong()
    assert emulator.export() == Emulator().export()
    for missing in (lambda: emulator.add_imodel("x"), lambda: emulator.favorite("ana", "x")):
        with pytest.raises(KeyError):
            missing()


async def test_a_name_is_free_again(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    old = emulator.state.imodels_of(itwin_id)[0]
    new = emulator.add_imodel(itwin_id, "Quay")
    kept = emulator.snapshot()
    renamed = await call("PATCH", f"/imodels/{new.id}", json={"name": old.name})
    assert renamed.status == 409
    assert (await call("PATCH", f"/imodels/{new.id}", json={"name": "Pier"})).status == 200
    emulator.add_imodel(itwin_id, "Quay")
    emulator.remove_imodel(old)
    emulator.add_imodel(itwin_id, old.name)
    with pytest.raises(ValueError, match="Pier"):
        emulator.add_imodel(itwin_id, "Pier")
    emulator.restore(kept)
    emulator.add_imodel(itwin_id, "Pier")
    with pytest.raises(ValueError, match="Quay"):
        emulator.add_imodel(itwin_id, "Quay")


WORLD = {
    "users": ["bob"],
    "itwins": [
        {
            "displayName": "Dock",
            "subClass": "Asset",
            "imodels": [
                {"displayName": "Crane"},
                {
                    "name": "Quay",
                    "extent": {
                        "southWest": {"latitude": 1, "longitude": 2},
                        "northEast": {"latitude": 3, "longitude": 4},
                    },
                },
            ],
        }
    ],
    "favorites": {"ana": ["Dock", "Quay"]},
    "recents": {"ana": ["Crane", "Quay"]},
}


async def test_load_and_export(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(WORLD), encoding="utf-8")
    async with Emulator(itwins=0) as emulator:
        emulator.load(path)
        dock = next(iter(emulator.state.itwins.values()))
        crane, quay = emulator.state.imodels_of(dock.id)
        assert (dock.display_name, dock.sub_class) == ("Dock", "Asset")
        assert emulator.state.favorites["ana"].imodels == [quay.id]
        assert emulator.state.recents["ana"].imodels == [crane.id, quay.id]
        assert "bob" in emulator.state.users
        exported = json.loads(json.dumps(emulator.export()))
    other = Emulator(itwins=0)
    other.load(exported)
    assert other.export() == exported


@pytest.mark.parametrize(
    ("itwin", "words"),
    [
        ({"number": 7}, r"itwins\[1\]\.number"),
        ({"latitude": "x"}, r"itwins\[1\]\.latitude"),
        ({"latitude": 91}, r"itwins\[1\]\.latitude"),
        ({"createdDateTime": "yesterday"}, r"itwins\[1\]\.createdDateTime"),
        ({"status": "Foo"}, r"itwins\[1\].status"),
        ({"status": None}, r"itwins\[1\]\.status"),
        ({"imodels": [{"extent": 5}]}, r"itwins\[1\]\.imodels\[0\]\.extent"),
        ({"imodels": [{"isSecured": "no"}]}, r"imodels\[0\]\.isSecured"),
        ({"imodels": [{"id": "x"}]}, r"itwins\[1\]\.imodels\[0\]: an id is a GUID"),
    ],
)
def test_a_world_with_a_wrong_value_is_refused_whole(itwin: dict[str, Any], words: str) -> None:
    emulator = Emulator(itwins=2, imodels=2)
    before = emulator.export()
    with pytest.raises(ValueError, match=words):
        emulator.load({"itwins": [{"displayName": "Good"}, {"displayName": "Bad", **itwin}]})
    assert emulator.export() == before


def test_a_name_that_two_things_have_is_no_name() -> None:
    emulator = Emulator(itwins=0)
    harbour = {"displayName": "Harbour", "imodels": [{"displayName": "Harbour"}, {"name": "Quay"}]}
    with pytest.raises(ValueError, match=r"favorites\.ana.*Harbour"):
        emulator.load({"itwins": [harbour], "favorites": {"ana": ["Quay", "Harbour"]}})
    with pytest.raises(ValueError, match=r"recents\.ana.*Nope"):
        emulator.load({"itwins": [harbour], "recents": {"ana": ["Quay", "Nope"]}})
    emulator.load({"itwins": [harbour], "favorites": {"ana": ["Quay"]}})
    assert len(emulator.state.favorites["ana"].imodels) == 1


async def test_what_came_before_a_reset_does_nothing_behind_it(
    session: aiohttp.ClientSession,
) -> None:
    async with Emulator(favorites=0.0) as emulator:
        path = f"/itwins/favorites/{next(iter(emulator.state.itwins))}"
        call = Caller(session, emulator.base_url, emulator.token)
        fault = emulator.fault(Fault(match="POST /**", latency=0.1))
        late = asyncio.ensure_future(call("POST", path))
        await until(lambda: fault.applied)
        emulator.reset()
        with pytest.raises(aiohttp.ClientError):
            await late
        assert emulator.requests == []
        assert emulator.state.favorites["demo"].itwins == []
        assert (await call("POST", path)).status == 204


async def test_a_slow_emulator_forgets_what_waits_in_it(session: aiohttp.ClientSession) -> None:
    async with Emulator(latency=60, favorites=0.0) as emulator:
        path = f"/itwins/favorites/{next(iter(emulator.state.itwins))}"
        call = Caller(session, emulator.base_url, emulator.token)
        late = asyncio.ensure_future(call("POST", path))
        await settle(200)  # until it is in the emulator, which tells nobody before its work
        emulator.reset()
        skip_time(61)
        with pytest.raises(aiohttp.ClientError):
            await late
        assert emulator.request_count == 0
        later = asyncio.ensure_future(call("POST", path))
        await settle(200)
        skip_time(61)
        assert (await later).status == 204


async def test_snapshots(call: Caller, emulator: Emulator) -> None:
    before = emulator.export()
    kept = emulator.snapshot()
    itwin = emulator.add_itwin()
    emulator.favorite("demo", itwin)
    model = next(iter(emulator.state.imodels))
    emulator.unfavorite("demo", model)
    emulator.remove_imodel(list(emulator.state.imodels)[3])
    await call("POST", "/savedviews/tags", json={"displayName": "x"})
    after = emulator.export()
    later = emulator.snapshot()
    for _ in range(2):
        emulator.restore(kept)
        assert emulator.export() == before
        assert not emulator.state.tags
        emulator.remove_itwin(next(iter(emulator.state.itwins)))
    emulator.restore(later)
    assert emulator.export() == after
    emulator.fail("*", status=500)
    emulator.reset()
    assert emulator.export() == before
    assert (emulator.requests, emulator.request_count, emulator.faults) == ([], 0, [])
