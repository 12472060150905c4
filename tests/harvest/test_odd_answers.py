"""Answers that no platform should give, and targets that somebody touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harvest_truth import NEEDS, TARGETS, expected, found

from itwin_async import Session, harvest
from itwin_async.emulator import Emulator

SOURCE = harvest.favorite_imodels()


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


async def test_bytes_that_are_no_text_spoil_their_own_list_only(
    emulator: Emulator, session: Session, target: Path
) -> None:
    body = b'{"iModels":[{"id":"one","displayName":"x","new":"\xff"}],"_links":{}}'
    emulator.fail("GET /imodels/favorites", status=200, body=body, times=1)
    report = await harvest.run(session, SOURCE, target)
    assert [failure.kind for failure in report.failures] == ["DecodeError"]
    assert report.progress.lists_done == 8
    assert (await harvest.run(session, SOURCE, target)).complete
    assert found(target) == expected(emulator)


async def test_numbers_beyond_all_bounds_can_be_read_back(
    emulator: Emulator, session: Session, target: Path
) -> None:
    itwin = next(iter(emulator.state.itwins))
    body = b'{"iModels":[{"id":"one","displayName":"x","new":1e999}],"_links":{}}'
    emulator.fail("GET /imodels/favorites", status=200, body=body)
    report = await harvest.run(session, harvest.favorite_imodels([itwin]), target)
    assert report.progress.items + report.progress.lists_failed == 1
    assert len(found(target)) == report.progress.items


async def test_an_item_that_a_page_has_twice_is_written_once(
    emulator: Emulator, session: Session, target: Path
) -> None:
    itwin = next(iter(emulator.state.itwins))
    rows: list[dict[str, Any]] = [
        {"id": name, "displayName": f"{number}"} for number, name in enumerate("abaca")
    ]
    body = {"iModels": rows, "_links": {}}
    emulator.fail("GET /imodels/favorites", status=200, body=body)
    report = await harvest.run(session, harvest.favorite_imodels([itwin]), target)
    assert report.progress.items == 3
    assert found(target) == [(itwin, "a"), (itwin, "b"), (itwin, "c")]
    names = {item.id: item.display_name for _, item in harvest.read(target)}
    assert names == {"a": "0", "b": "1", "c": "3"}


async def test_a_missing_part_is_not_passed_over(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    target = tmp_path / "out.parquet"
    await harvest.run(session, SOURCE, target)
    (part,) = target.glob("part-*.parquet")
    part.rename(target / "part-000077.parquet")
    with pytest.raises(harvest.TargetError, match=part.name):
        list(harvest.read(target))


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
async def test_another_name_of_a_target_is_the_same_target(
    emulator: Emulator, session: Session, tmp_path: Path, name: str
) -> None:
    target, other = tmp_path / name, tmp_path / f"other-{name}"
    await harvest.run(session, SOURCE, target)
    other.symlink_to(target)
    emulator.clear_requests()
    report = await harvest.run(session, SOURCE, other)
    assert report.complete
    assert emulator.request_count == 0
    assert found(other) == expected(emulator)
    assert {path.name for path in tmp_path.iterdir()} - {f"{name}.state"} == {name, other.name}


async def test_what_cannot_be_written_leaves_nothing_behind(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(Exception, match=r"itwin-async\[parquet\]"):
        await harvest.run(session, SOURCE, tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())
