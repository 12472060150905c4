from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from harvest_truth import expected, found
from memory_sink import Memory

from itwin_async import (
    ArgumentError,
    AuthenticationError,
    PermissionDeniedError,
    Quota,
    RetryPolicy,
    Session,
    TransportError,
    harvest,
    imodels,
)
from itwin_async.emulator import Emulator, Fault

SOURCE = harvest.favorite_imodels()


async def test_a_sink_of_ones_own(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    sink = Memory(tmp_path)
    report = await harvest.run(session, SOURCE, sink, page_size=10)
    assert report.complete
    assert sorted(sink.kept) == expected(emulator)


async def test_a_slow_sink_slows_the_requests(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    sink = Memory(tmp_path)
    sink.gate.clear()
    running = asyncio.create_task(harvest.run(session, SOURCE, sink, page_size=1, concurrency=2))
    before = -1
    while before != emulator.request_count:
        before = emulator.request_count
        await asyncio.sleep(0.15)
    # Some dozens of small pages in the queue, some with two workers, and some requested before.
    assert emulator.request_count < 100
    sink.gate.set()
    report = await running
    assert report.complete
    assert sorted(sink.kept) == expected(emulator)


async def test_a_full_disk_is_said_and_what_is_there_stays(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    sink = Memory(tmp_path)
    sink.problem = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(harvest.TargetError, match="the disk is full"):
        await harvest.run(session, SOURCE, sink, page_size=10)
    assert sink.kept
    sink.problem = None
    report = await harvest.run(session, SOURCE, sink, page_size=10)
    assert report.complete
    assert sink.marks[-1] == str(len(expected(emulator)) - report.progress.new_items)
    assert sorted(sink.kept) == expected(emulator)


async def test_one_bad_itwin_is_noted_and_the_rest_goes_on(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    target = tmp_path / "out.db"
    match = "GET /imodels/favorites"
    emulator.fail(match, status=403)
    emulator.fail(match, status=404, after=1)
    emulator.fault(Fault(match=match, malformed=True, after=2))
    report = await harvest.run(session, SOURCE, target, concurrency=1)
    assert [failure.kind for failure in report.failures] == [
        "PermissionDeniedError",
        "NotFoundError",
        "DecodeError",
    ]
    assert not report.complete
    assert report.progress.lists_failed == harvest.status(target).lists_failed == 3
    assert all(failure.title for failure in report.failures)
    failed = {failure.key for failure in report.failures}
    assert found(target) == [pair for pair in expected(emulator) if pair[0] not in failed]
    emulator.clear_faults()
    report = await harvest.run(session, SOURCE, target)
    assert report.complete
    assert found(target) == expected(emulator)


async def test_an_itwin_that_vanishes_midway_is_noted(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    itwin = list(emulator.state.favorites["demo"].itwins)[4]
    ids = [*emulator.state.favorites["demo"].itwins]
    emulator.remove_itwin(itwin)
    report = await harvest.run(session, harvest.favorite_imodels(ids), tmp_path / "out.db")
    assert [(failure.key, failure.kind) for failure in report.failures] == [
        (itwin, "NotFoundError")
    ]
    assert report.progress.lists_done == len(ids) - 1


async def test_fail_fast_raises_the_error(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=1, after=3)
    with pytest.raises(PermissionDeniedError):
        await harvest.run(session, SOURCE, tmp_path / "out.db", fail_fast=True)
    report = await harvest.run(session, SOURCE, tmp_path / "out.db", fail_fast=True)
    assert report.complete
    assert found(tmp_path / "out.db") == expected(emulator)


async def test_a_refused_token_ends_it(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    emulator.expire(emulator.token)
    with pytest.raises(AuthenticationError):
        await harvest.run(session, SOURCE, tmp_path / "out.db")


async def test_a_platform_that_is_away_ends_it(tmp_path: Path) -> None:
    policy = RetryPolicy(base=0.0)
    async with Session("token", base_url="http://127.0.0.1:9", retry=policy) as session:
        ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(1000)]
        source = harvest.favorite_imodels(ids)
        with pytest.raises(TransportError):
            await harvest.run(session, source, tmp_path / "out.db", concurrency=2)
        status = harvest.status(tmp_path / "out.db")
        assert status.lists_known == 1000
        assert status.lists_failed < 20


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (harvest.favorite_imodels().full(), "prefer is minimal there"),
        (harvest.recent_imodels(), "source is favorite-imodels there, recent-imodels here"),
        (
            harvest.favorite_imodels(["ecc2584e-83c3-41d1-a8de-aa184ae6dcfe"]),
            "itwins is all favorites there, 1 given",
        ),
    ],
)
async def test_a_target_of_another_harvest_is_refused(
    session: Session, tmp_path: Path, other: harvest.Source[Any], words: str
) -> None:
    target = tmp_path / "out.db"
    await harvest.run(session, SOURCE, target)
    before = found(target)
    with pytest.raises(harvest.TargetError, match=words):
        await harvest.run(session, other, target)
    assert found(target) == before


async def test_two_harvests_at_once_do_not_share_a_target(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    target = tmp_path / "out.ndjson"
    outcomes = await asyncio.gather(
        *(harvest.run(session, SOURCE, target, page_size=10) for _ in range(3)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, harvest.TargetError)]
    assert len(refused) == 2
    assert "in use by another harvest" in str(refused[0])
    assert found(target) == expected(emulator)


@pytest.mark.parametrize("bad", ["out", "out.txt", ".db", ""])
async def test_names_that_say_nothing(session: Session, bad: str) -> None:
    with pytest.raises(ArgumentError, match="target must be a name that ends in"):
        await harvest.run(session, SOURCE, bad)


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "4"])
async def test_strange_concurrency(session: Session, tmp_path: Path, bad: Any) -> None:
    with pytest.raises(ArgumentError, match="concurrency"):
        await harvest.run(session, SOURCE, tmp_path / "x.db", concurrency=bad)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [0, 1001, "10", True])
async def test_strange_page_sizes(session: Session, tmp_path: Path, bad: Any) -> None:
    with pytest.raises(ArgumentError, match="page_size"):
        await harvest.run(session, SOURCE, tmp_path / "x.db", page_size=bad)


async def test_targets_that_cannot_be_used(session: Session, tmp_path: Path) -> None:
    with pytest.raises(harvest.TargetError, match="cannot be written"):
        await harvest.run(session, SOURCE, tmp_path / "nowhere" / "out.db")
    (tmp_path / "text.db").write_text("this is no database, however long it may be " * 50)
    with pytest.raises(harvest.TargetError, match="not a database"):
        await harvest.run(session, SOURCE, tmp_path / "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE mine (a)")
    other.close()
    with pytest.raises(harvest.TargetError, match="something else"):
        await harvest.run(session, SOURCE, tmp_path / "other.db")
    (tmp_path / "mine.ndjson").write_text('{"a": 1}\n')
    with pytest.raises(harvest.TargetError, match="exists already and is no harvest"):
        await harvest.run(session, SOURCE, tmp_path / "mine.ndjson")
    assert (tmp_path / "mine.ndjson").read_text() == '{"a": 1}\n'


async def test_progress_grows_and_ends_with_everything(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    seen: list[harvest.Progress] = []
    report = await harvest.run(
        session, SOURCE, tmp_path / "out.db", page_size=10, on_progress=seen.append
    )
    counts = [(one.lists_done, one.items, one.calls) for one in seen]
    assert counts == sorted(counts)
    assert seen[-1] == report.progress
    assert seen[-1].all_known
    assert seen[-1].lists_done == seen[-1].lists_known == 9
    assert seen[-1].calls == emulator.request_count


async def test_an_error_in_on_progress_is_the_callers(session: Session, tmp_path: Path) -> None:
    def show(_: harvest.Progress) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await harvest.run(session, SOURCE, tmp_path / "out.db", on_progress=show)
    report = await harvest.run(session, SOURCE, tmp_path / "out.db")
    assert report.complete


@pytest.mark.parametrize("pause", range(0, 60, 4))
async def test_cancelling_leaves_what_can_be_gone_on_with(
    emulator: Emulator, session: Session, tmp_path: Path, pause: int
) -> None:
    target = tmp_path / "out.ndjson"
    running = asyncio.create_task(harvest.run(session, SOURCE, target, page_size=5))
    for _ in range(pause):
        await asyncio.sleep(0.001)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    report = await harvest.run(session, SOURCE, target, page_size=5)
    assert report.complete
    assert found(target) == expected(emulator)


async def test_the_report_is_json(session: Session, tmp_path: Path) -> None:
    report = await harvest.run(session, SOURCE, tmp_path / "out.db")
    data = json.loads(report.to_json())
    assert data["progress"]["items"] == report.progress.items
    assert data["source"]["source"] == "favorite-imodels"
    assert data["finished"] is True


async def test_status_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(harvest.TargetError, match="does not exist"):
        harvest.status(tmp_path / "none.db")
    assert not list(tmp_path.iterdir())


async def test_status_tells_what_is_durable(session: Session, tmp_path: Path) -> None:
    report = await harvest.run(session, SOURCE, tmp_path / "out.db", page_size=10)
    status = harvest.status(tmp_path / "out.db")
    assert status.finished
    assert (status.lists_done, status.items) == (9, report.progress.items)
    assert status.source == report.source


async def test_given_ids_from_a_file(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    ids = list(emulator.state.favorites["demo"].itwins)[:3]
    file = tmp_path / "ids.txt"
    file.write_text(f"# mine\n{ids[0]}\n\n  {ids[1]} # second\n{ids[2]}\n{ids[0]}\n")
    report = await harvest.run(session, harvest.favorite_imodels(file), tmp_path / "out.db")
    assert report.complete
    assert harvest.status(tmp_path / "out.db").finished
    assert found(tmp_path / "out.db") == [p for p in expected(emulator) if p[0] in ids]
    with pytest.raises(ArgumentError, match="a readable file"):
        harvest.favorite_imodels(tmp_path / "none.txt")


async def test_no_ids_at_all(session: Session, tmp_path: Path) -> None:
    report = await harvest.run(session, harvest.favorite_imodels([]), tmp_path / "out.db")
    assert report.complete
    assert report.progress.lists_known == 0
    assert harvest.status(tmp_path / "out.db").finished


def test_ids_that_are_none() -> None:
    with pytest.raises(ArgumentError) as caught:
        harvest.favorite_imodels(["a/b"])
    assert caught.value.argument == "itwin_ids"


async def test_sources_are_data(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    ids = list(emulator.state.favorites["demo"].itwins)
    whole = harvest.favorite_imodels(ids)
    parts = [pickle.loads(pickle.dumps(part)) for part in whole.split(4)]
    pairs = []
    for number, part in enumerate(parts):
        target = tmp_path / f"{number}.db"
        assert (await harvest.run(session, part, target)).complete
        pairs += found(target)
    assert sorted(pairs) == expected(emulator)
    assert len({str(part.identity) for part in parts}) == 4
    with pytest.raises(ArgumentError, match="one whose keys are given"):
        SOURCE.split(2)


async def test_a_source_of_ones_own(emulator: Emulator, session: Session, tmp_path: Path) -> None:
    itwin = next(iter(emulator.state.favorites["demo"].itwins))
    source = harvest.Source(
        "mine",
        imodels.IModelSummary,
        lambda session, key, *, page_size, cursor: imodels.list_favorites(
            session, key, page_size=page_size, cursor=cursor
        ),
        keys=(itwin,),
        table="imodels",
    )
    report = await harvest.run(session, source, tmp_path / "out.db")
    assert report.progress.items == 35
    assert found(tmp_path / "out.db") == [p for p in expected(emulator) if p[0] == itwin]


async def test_a_churning_list_doubles_nothing(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    emulator.fault(Fault(match="GET /itwins/favorites", churn="add", times=None, after=1))
    report = await harvest.run(
        session, harvest.favorite_itwins(), tmp_path / "out.ndjson", page_size=2
    )
    assert report.complete
    ids = [item.id for _, item in harvest.read(tmp_path / "out.ndjson")]
    assert len(ids) == len(set(ids)) >= 9


async def test_a_quota_is_kept(emulator: Emulator, tmp_path: Path) -> None:
    now = 0.0

    def clock() -> float:
        return now

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await asyncio.sleep(0)

    policy = RetryPolicy(clock=clock, sleep=sleep)
    async with Session(
        emulator.token,
        base_url=emulator.base_url,
        quota=Quota(10, per_seconds=60),
        retry=policy,
        timeout=10_000,
    ) as session:
        report = await harvest.run(session, SOURCE, tmp_path / "out.db", page_size=10)
    assert report.complete
    assert now > (report.progress.calls / 10 - 1) * 60


async def test_nobody_is_told_of_a_list_that_is_not_there(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    """An outer list in many small pages, whose last lists are found at the last moment."""
    for number in range(5):
        report = await harvest.run(
            session, SOURCE, tmp_path / f"{number}.db", page_size=1, concurrency=40
        )
        assert report.progress.lists_done == report.progress.lists_known == 9
