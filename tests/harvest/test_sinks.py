from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from harvest_truth import NEEDS, TARGETS, expected, found, lines

from itwin_async import AuthenticationError, Session, harvest
from itwin_async.emulator import Emulator, Fault
from itwin_async.harvest.target import target_files

FULL = harvest.favorite_imodels().full()


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


async def test_everything_is_there_once(emulator: Emulator, session: Session, target: Path) -> None:
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=4)
    assert report.complete
    assert not report.resumed
    assert report.progress.items == report.progress.new_items == len(expected(emulator))
    assert found(target) == expected(emulator)
    stranger = sorted((str(row["list"]), str(row["item"]["id"])) for row in lines(target))  # type: ignore[index]
    assert stranger == expected(emulator)
    assert not list(target.parent.glob("*.lock"))


async def test_a_finished_harvest_asks_for_nothing(
    emulator: Emulator, session: Session, target: Path
) -> None:
    await harvest.run(session, FULL, target)
    emulator.clear_requests()
    report = await harvest.run(session, FULL, target)
    assert report.complete
    assert not report.resumed
    assert report.progress.new_items == 0
    assert emulator.request_count == 0
    assert found(target) == expected(emulator)


async def test_an_interrupted_harvest_goes_on(
    emulator: Emulator, session: Session, target: Path
) -> None:
    emulator.fail("GET /imodels/favorites", status=401, times=None, after=7)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, FULL, target, page_size=10, concurrency=3)
    emulator.clear_faults()
    before = harvest.status(target)
    assert not before.finished
    assert 0 < before.items < len(expected(emulator))
    assert len(found(target)) == before.items
    emulator.clear_requests()
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=3)
    assert report.complete
    assert report.resumed
    assert report.progress.new_items == len(expected(emulator)) - before.items
    assert found(target) == expected(emulator)
    whole = len(expected(emulator)) / 10 + 9 + 1
    assert emulator.request_count < whole


async def test_a_token_that_the_server_no_longer_takes_doubles_nothing(
    emulator: Emulator, session: Session, target: Path
) -> None:
    fault = Fault(match="GET /imodels/favorites", expire_continuation=True, after=12, times=6)
    applied = emulator.fault(fault)
    report = await harvest.run(session, FULL, target, page_size=5, concurrency=2)
    assert applied.applied == 6
    assert report.complete, report.failures
    assert found(target) == expected(emulator)
    with closing(sqlite3.connect(target_files(target).state)) as state:
        assert state.execute("SELECT count(*) FROM harvest_seen").fetchone() == (0,)


async def test_a_token_that_expires_between_two_runs_doubles_nothing(
    emulator: Emulator, session: Session, target: Path
) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=None, after=9)
    report = await harvest.run(session, FULL, target, page_size=5, concurrency=2)
    assert not report.complete
    emulator.clear_faults()
    emulator.fault(Fault(match="GET /imodels/favorites", expire_continuation=True, times=3))
    report = await harvest.run(session, FULL, target, page_size=5, concurrency=2)
    assert report.complete, report.failures
    assert found(target) == expected(emulator)


async def test_the_other_sources(emulator: Emulator, session: Session, target: Path) -> None:
    report = await harvest.run(session, harvest.favorite_itwins(), target)
    wanted = sorted(emulator.state.favorites["demo"].itwins)
    assert report.complete
    assert sorted(item.id for _, item in harvest.read(target)) == wanted


async def test_columns_hold_typed_values(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "typed.db"
    await harvest.run(session, FULL, target)
    with closing(sqlite3.connect(target)) as database:
        columns = [row[1:3] for row in database.execute("PRAGMA table_info(favorite_imodels)")]
        row = database.execute(
            "SELECT display_name, created_date_time, extent_south_west_latitude, json"
            " FROM favorite_imodels WHERE extent_south_west_latitude IS NOT NULL"
        ).fetchone()
    assert ("extent_south_west_latitude", "REAL") in columns
    assert isinstance(row[2], float)
    assert row[1].endswith("Z")
    assert json.loads(row[3])["displayName"] == row[0]


async def test_parquet_columns_are_typed(session: Session, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    target = tmp_path / "typed.parquet"
    await harvest.run(session, FULL, target)
    (part,) = target.glob("part-*.parquet")
    schema = pq.read_schema(part)
    assert schema.field("created_date_time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("extent").type.field("south_west").type.field("latitude").type == "double"
    assert schema.field("list").type == "string"


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
async def test_members_that_the_models_do_not_know_are_kept(
    emulator: Emulator, session: Session, tmp_path: Path, name: str
) -> None:
    itwin = next(iter(emulator.state.favorites["demo"].itwins))
    body = {
        "iModels": [
            {"id": "one", "displayName": "é\n\u2028", "newMember": {"deep": [1, None, "x\\n"]}}
        ],
        "_links": {"next": None},
    }
    emulator.fail("GET /imodels/favorites", status=200, body=body)
    report = await harvest.run(session, harvest.favorite_imodels([itwin]), tmp_path / name)
    assert report.complete
    (row,) = lines(tmp_path / name)
    assert (row["list"], row["item"]) == (itwin, body["iModels"][0])


async def test_parts_without_their_harvest_are_left_alone(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    target = tmp_path / "out.parquet"
    target.mkdir()
    (target / "part-000000.parquet").write_bytes(b"somebody else's")
    with pytest.raises(harvest.TargetError, match="is no harvest"):
        await harvest.run(session, FULL, target)
    assert (target / "part-000000.parquet").read_bytes() == b"somebody else's"


async def test_a_file_that_was_cut_is_refused(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    await harvest.run(session, FULL, target)
    with target.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, FULL, target)


async def test_a_part_that_was_removed_is_missed(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    target = tmp_path / "out.parquet"
    await harvest.run(session, FULL, target)
    (part,) = target.glob("part-*.parquet")
    part.unlink()
    with pytest.raises(harvest.TargetError, match=part.name):
        await harvest.run(session, FULL, target)
