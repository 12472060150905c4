"""A refresh leaves what a fresh harvest has, and tells what came, changed and went."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from churn import WHAT, churn, columns, held, moments, populate, sources
from harvest_truth import NEEDS
from made_lists import Thing, made

from itwin_async import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    Session,
    harvest,
    imodels,
)
from itwin_async.emulator import Emulator
from itwin_async.harvest import merging as merging_module
from itwin_async.harvest import refresh as refreshes
from itwin_async.harvest import state as states
from itwin_async.harvest.target import target_files

FORMS = ["out.db", "out.ndjson", "out.ndjson.gz", "out.ndjson.zst", "out.parquet", "out.delta"]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=9, imodels=4, seed=3) as emulator:
        populate(emulator)
        yield emulator


@pytest.fixture(params=FORMS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


async def test_a_refresh_equals_a_fresh_harvest(
    emulator: Emulator, session: Session, target: Path, tmp_path: Path
) -> None:
    await harvest.run(session, sources(), target)
    before = held(target)
    for round_ in (1, 2):
        await churn(emulator, session, round_)
        report = await harvest.run(session, sources(), target, refresh=True)
        assert report.complete
        assert (report.generation, report.resumed) == (1 + round_, False)
        assert not target_files(target).spool.exists()
        fresh = tmp_path / f"fresh {round_}{target.name[3:]}"
        await harvest.run(session, sources(), fresh)
        assert held(target) == held(fresh)
        assert harvest.check(target).items == harvest.check(fresh).items == report.progress.items
        if target.suffix == ".db":
            for table in held(target):
                assert columns(target, table) == columns(fresh, table)
    gone = held(target, current=False)
    for table in ("itwins", "imodels", "changesets", "named_versions", "tags"):
        kept = {(row.list, row.id) for row in held(target)[table]}
        assert {(row.list, row.id) for row in before[table]} - kept <= {
            (row.list, row.id) for row in gone[table]
        }
    assert all(gone[table] for table in ("itwins", "imodels", "changesets"))


async def test_a_refresh_of_what_has_not_changed_changes_nothing(
    session: Session, target: Path
) -> None:
    await harvest.run(session, sources(), target)
    before = held(target)
    report = await harvest.run(session, sources(), target, refresh=True)
    assert report.changes == {"added": 0, "changed": 0, "removed": 0}
    assert list(harvest.changes(target)) == []
    assert held(target) == before
    harvest.check(target)


async def test_moments_tell_when_a_row_came_changed_and_went(
    emulator: Emulator, session: Session, target: Path
) -> None:
    twin = emulator.add_itwin("T")
    names = ("same", "other", "gone")
    same, other, gone = (emulator.add_imodel(twin.id, name).id for name in names)
    source = harvest.lists("imodels", full=True)
    await harvest.run(session, source, target)
    first = {key: moments(target, "imodels", key) for key in (same, other, gone)}
    emulator.remove_imodel(gone)
    await imodels.update_imodel(session, other, name="changed")
    new = emulator.add_imodel(twin.id, "new").id
    await harvest.run(session, source, target, refresh=True)
    status = harvest.status(target)
    assert status.started_at is not None
    assert status.finished_at is not None
    harvested, seen, last, removed = moments(target, "imodels", same)
    assert (harvested, seen, removed) == (first[same][0], first[same][1], None)
    assert last > status.started_at > first[same][2]
    harvested, seen, last, removed = moments(target, "imodels", other)
    assert harvested == last > status.started_at
    assert (seen, removed) == (first[other][1], None)
    assert moments(target, "imodels", gone) == (*first[gone][:3], status.finished_at)
    harvested, seen, last, removed = moments(target, "imodels", new)
    assert harvested == seen == last > status.started_at
    found = {change.id: (change.change, change.table) for change in harvest.changes(target)}
    assert found == {
        other: ("changed", "imodels"),
        gone: ("removed", "imodels"),
        new: ("added", "imodels"),
    }
    assert gone not in {item.id for _, item in harvest.read(target, imodels.IModel)}
    whole = {item.id for _, item in harvest.read(target, imodels.IModel, removed=True)}
    assert gone in whole


async def test_a_row_that_comes_back_is_a_new_one(session: Session, target: Path) -> None:
    lists: dict[str, list[list[Thing]]] = {"one": [[Thing("a"), Thing("b")]]}
    await harvest.run(session, made(lists), target)
    before = moments(target, "things", "b")
    lists["one"] = [[Thing("a")]]
    await harvest.run(session, made(lists), target, refresh=True)
    assert moments(target, "things", "b")[3] is not None
    await harvest.run(session, made(lists), target, refresh=True)
    assert [change.id for change in harvest.changes(target)] == []
    lists["one"] = [[Thing("b"), Thing("a")]]
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert report.changes == {"added": 1, "changed": 0, "removed": 0}
    assert moments(target, "things", "b")[3] is None
    assert moments(target, "things", "b")[1] > before[1]
    assert harvest.check(target).items == 2


async def test_rows_of_a_list_that_fails_are_kept_and_read_by_the_next_run(
    session: Session, target: Path
) -> None:
    failed = ApiError("no", status=403)
    lists: dict[str, Any] = {"one": [[Thing("a")], [Thing("b")]], "two": [[Thing("c")]]}
    await harvest.run(session, made(lists), target)
    lists.update(one=[[Thing("new")], failed], two=[[]])
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert report.finished
    assert not report.complete
    assert [failure.key for failure in report.failures] == ["one"]
    assert report.changes == {"added": 0, "changed": 0, "removed": 1}
    assert sorted(row.id for row in held(target)["things"]) == ["a", "b"]
    harvest.check(target)
    lists.update(one=[[Thing("new")], [Thing("b")]], two=[ApiError("not asked", status=403)])
    report = await harvest.run(session, made(lists), target)
    assert report.complete
    assert report.generation == 2
    assert sorted(row.id for row in held(target)["things"]) == ["b", "new"]
    assert Counter(change.change for change in harvest.changes(target, 2)) == {
        "added": 1,
        "removed": 2,
    }
    assert harvest.check(target).lists_failed == 0


async def test_what_a_failed_list_led_to_is_kept(
    emulator: Emulator, session: Session, target: Path
) -> None:
    """One iTwin cannot be read; the versions of its iModels are neither lost nor forgotten."""
    twin = emulator.add_itwin("closed")
    model = emulator.add_imodel(twin.id, "M").id
    emulator.add_changeset(model)
    version = emulator.add_named_version(model, "V")
    source = harvest.lists("named-versions", "changesets", full=True)
    await harvest.run(session, source, target)
    before = held(target)
    emulator.fail("GET /imodels", status=403, times=None, query={"iTwinId": twin.id})
    report = await harvest.run(session, source, target, refresh=True)
    assert [failure.key for failure in report.failures] == [twin.id]
    assert report.changes["removed"] == 0
    assert held(target) == before
    harvest.check(target)
    emulator.clear_faults()
    emulator.add_changeset(model)
    report = await harvest.run(session, source, target)
    assert report.complete
    assert version.id in {row.id for row in held(target)["named_versions"]}
    assert len([row for row in held(target)["changesets"] if row.list == model]) == 2
    emulator.remove_imodel(model)
    await harvest.run(session, source, target, refresh=True)
    assert version.id in {row.id for row in held(target, current=False)["named_versions"]}
    harvest.check(target)


async def test_only_new_changesets_are_requested(
    emulator: Emulator, session: Session, target: Path
) -> None:
    twin = emulator.add_itwin("T")
    model = emulator.add_imodel(twin.id, "M").id
    ids = [emulator.add_changeset(model).id for _ in range(5)]
    source = harvest.lists("changesets", imodel_ids=[model], full=True)
    await harvest.run(session, source, target, page_size=2)
    ids += [emulator.add_changeset(model).id, emulator.add_changeset(model, waiting=True).id]
    emulator.clear_requests()
    report = await harvest.run(session, source, target, page_size=2, refresh=True)
    assert emulator.request_count == 1
    assert "afterIndex=5" in emulator.requests[-1].query
    assert {row.id for row in held(target)["changesets"]} == set(ids)
    assert report.changes == {"added": 2, "changed": 0, "removed": 0}
    assert report.progress.items == 7
    # The last one waits for its file, so that it is read again.
    emulator.clear_requests()
    report = await harvest.run(session, source, target, refresh=True)
    assert "afterIndex=6" in emulator.requests[-1].query
    assert report.changes == {"added": 0, "changed": 0, "removed": 0}
    assert harvest.check(target).items == 7


async def test_a_new_target_is_harvested_once(
    emulator: Emulator, session: Session, target: Path
) -> None:
    report = await harvest.run(session, harvest.favorite_imodels(), target, refresh=True)
    assert (report.generation, report.changes) == (1, {})
    emulator.clear_requests()
    await harvest.run(session, harvest.favorite_imodels(), target)
    assert emulator.request_count == 0


async def test_an_unfinished_target_is_finished_first(session: Session, target: Path) -> None:
    lists: dict[str, Any] = {"one": [[Thing("a")]], "two": [AuthenticationError("no", status=401)]}
    with pytest.raises(AuthenticationError):
        await harvest.run(session, made(lists), target, concurrency=1)
    lists.update(one=[[Thing("b")]], two=[[Thing("c")]])
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert report.generation == 2
    assert sorted(row.id for row in held(target)["things"]) == ["b", "c"]
    assert [row.id for row in held(target, current=False)["things"]] == ["a"]


async def test_an_interrupted_refresh_goes_on(
    emulator: Emulator, session: Session, target: Path
) -> None:
    await harvest.run(session, sources(), target)
    before = held(target)
    await churn(emulator, session)
    emulator.fail("GET /imodels/*/changesets", status=401, times=None, after=9)
    with pytest.raises(ApiError):
        await harvest.run(session, sources(), target, refresh=True)
    emulator.clear_faults()
    assert held(target) == before
    under_way = harvest.status(target).refresh
    assert under_way is not None
    assert under_way.generation == 2
    assert under_way.lists_done > 0
    emulator.clear_requests()
    report = await harvest.run(session, sources(), target)
    assert report.resumed
    assert report.generation == 2
    assert not [one for one in emulator.requests if one.path.endswith("/itwins")]
    assert harvest.status(target).refresh is None
    fresh = target.with_name("fresh.db")
    await harvest.run(session, sources(), fresh)
    assert held(target) == held(fresh)


async def test_a_clock_that_jumps_back_loses_no_change(
    session: Session, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists: dict[str, Any] = {"one": [[Thing("a"), Thing("b")]]}
    await harvest.run(session, made(lists), target)

    class Past(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(days=3)

    monkeypatch.setattr(states, "datetime", Past)
    lists["one"] = [[Thing("a", "new name"), Thing("c")]]
    report = await harvest.run(session, made(lists), target, refresh=True)
    assert report.changes == {"added": 1, "changed": 1, "removed": 1}
    found = {change.id: change.change for change in harvest.changes(target)}
    assert found == {"a": "changed", "b": "removed", "c": "added"}


async def test_changes_since_a_generation_or_a_moment(session: Session, target: Path) -> None:
    lists: dict[str, Any] = {"one": [[Thing("a")]]}
    await harvest.run(session, made(lists), target)
    lists["one"] = [[Thing("a"), Thing("b")]]
    await harvest.run(session, made(lists), target, refresh=True)
    middle = harvest.status(target).finished_at
    assert middle is not None
    lists["one"] = [[Thing("a", size=3), Thing("b")]]
    await harvest.run(session, made(lists), target, refresh=True)

    def found(since: int) -> set[tuple[str, str]]:
        return {(one.change, one.id) for one in harvest.changes(target, since)}

    assert found(1) == {("added", "a"), ("added", "b")}
    assert found(2) == {("changed", "a"), ("added", "b")}
    assert found(3) == {("changed", "a")}
    (only,) = harvest.changes(target, middle)
    assert only.item == attrs.asdict(Thing("a", size=3))
    assert only.at.tzinfo == UTC
    for bad in (0, 4, datetime(2026, 1, 1)):  # noqa: DTZ001 - what is refused
        with pytest.raises(ArgumentError) as caught:
            list(harvest.changes(target, bad))
        assert caught.value.argument == "since"


async def test_changes_files_leave_nothing_out(
    session: Session, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer of all files has what the target has, though one file could not be written."""
    lists: dict[str, Any] = {"one": [[Thing("a"), Thing("b")]]}
    mirror: dict[str, object] = {}
    file = tmp_path / "changes.ndjson"

    def consume() -> Counter[str]:
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            if line["change"] == "removed":
                mirror.pop(line["id"], None)
            else:
                mirror[line["id"]] = line["item"]
        return Counter(line["change"] for line in lines)

    await harvest.run(session, made(lists), target, changes=file)
    assert consume() == {"added": 2}
    lists["one"] = [[Thing("b", "x"), Thing("c")]]
    from itwin_async.harvest.changes import ChangesFile

    with monkeypatch.context() as patch:
        patch.setattr(ChangesFile, "write", lambda _: (_ for _ in ()).throw(OSError(5, "gone")))
        with pytest.raises(harvest.TargetError):
            await harvest.run(session, made(lists), target, refresh=True, changes=file)
    lists["one"] = [[Thing("b", "x"), Thing("d")]]
    await harvest.run(session, made(lists), target, refresh=True, changes=file)
    assert consume() == {"removed": 2, "changed": 1, "added": 1}
    assert mirror == {item.id: attrs.asdict(item) for _, item in harvest.read(target, Thing)}
    await harvest.run(session, made(lists), target, changes=file)
    assert consume() == {}


async def test_a_sink_of_ones_own_has_no_refresh(session: Session, tmp_path: Path) -> None:
    class Own:
        state = tmp_path / "state.db"

    for argument in ({"refresh": True}, {"changes": tmp_path / "x"}):
        with pytest.raises(ArgumentError) as caught:
            await harvest.run(session, harvest.favorite_itwins(), Own(), **argument)  # type: ignore[arg-type]
        assert caught.value.argument == next(iter(argument))


async def test_a_changes_file_may_not_be_the_target(session: Session, target: Path) -> None:
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, harvest.favorite_itwins(), target, changes=target)


def test_changesets_grow() -> None:
    assert [source.grows for source in harvest.lists(*WHAT)] == [False, False, True, False, False]


async def test_cancelled_while_it_merges(
    emulator: Emulator, session: Session, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harvest.run(session, sources(), target)
    before = held(target)
    await churn(emulator, session)
    merging, go_on = threading.Event(), threading.Event()

    def merge(*arguments: Any, **options: Any) -> Iterator[Any]:
        for number, row in enumerate(merging_module.merge(*arguments, **options)):
            if number == 3:
                merging.set()
                go_on.wait(10)
            yield row

    with monkeypatch.context() as patch:
        patch.setattr(refreshes, "merge", merge)
        patch.setattr(refreshes.Refresh, "stop", stop_and(go_on, refreshes.Refresh.stop))
        task = asyncio.create_task(harvest.run(session, sources(), target, refresh=True))
        await asyncio.to_thread(merging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert held(target) == before
    harvest.check(target)
    report = await harvest.run(session, sources(), target, refresh=True)
    assert report.complete
    assert report.resumed
    assert held(target) != before
    harvest.check(target)


def stop_and(event: threading.Event, stop: Any) -> Any:
    def stopped(job: Any) -> None:
        stop(job)
        event.set()

    return stopped
