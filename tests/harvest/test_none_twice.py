"""Whatever a server repeats, each item of a list is in the target once, in every form of target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harvest_truth import NEEDS, TARGETS, expected, found, lines
from made_lists import Thing, made
from memory_sink import Memory

from itwin_async import NotFoundError, Session, harvest
from itwin_async.emulator import Emulator

SOURCE = harvest.favorite_imodels()


def things(names: str) -> list[Thing]:
    return [Thing(name) for name in names]


def gone() -> NotFoundError:
    return NotFoundError("gone", status=404)


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


async def run(session: Session, target: Any, *pages: Any) -> harvest.Report:
    return await harvest.run(session, made({"list": pages}), target)


def ids(target: Path) -> str:
    return "".join(item.id for _, item in harvest.read(target, Thing))


@pytest.mark.parametrize(
    "pages",
    [
        ["ab", "ab", "c"],
        ["ab", "bc"],
        ["abc", "cab", ""],
        ["a", "", "b", "a", "c", "c"],
        ["aab", "c"],
    ],
)
async def test_a_page_is_repeated(session: Session, target: Path, pages: list[str]) -> None:
    report = await run(session, target, *map(things, pages))
    assert report.complete
    assert ids(target) == "abc"
    assert report.progress.items == harvest.status(target).items == 3


async def test_a_page_is_repeated_across_a_resume(session: Session, target: Path) -> None:
    report = await run(session, target, things("ab"), gone(), things("c"))
    assert report.progress.lists_failed == 1
    report = await run(session, target, things("xx"), things("ab"), things("ca"))
    assert report.complete
    assert ids(target) == "abc"
    assert report.progress.items == 3


async def test_a_list_that_begins_again_after_a_resume(session: Session, target: Path) -> None:
    """A cursor that is refused, in another run than the one that wrote the first page."""
    from itwin_async import InvalidRequestError

    await run(session, target, things("ab"), gone())
    report = await run(
        session, target, things("ba"), InvalidRequestError("no such token", status=400)
    )
    assert not report.complete
    report = await run(session, target, things("ba"), things("cb"))
    assert report.complete
    assert ids(target) == "abc"


async def test_lists_may_share_items(session: Session, target: Path) -> None:
    source = made({"one": [things("ab"), things("b")], "two": [things("ab"), things("c")]})
    report = await harvest.run(session, source, target)
    assert report.progress.items == 5
    assert sorted((key, item.id) for key, item in harvest.read(target, Thing)) == [
        *(("one", name) for name in "ab"),
        *(("two", name) for name in "abc"),
    ]


async def test_a_sink_of_ones_own(session: Session, tmp_path: Path) -> None:
    sink = Memory(tmp_path)
    await run(session, sink, things("ab"), things("ba"), gone())
    await run(session, sink, things("ab"), things("ba"), things("bc"))
    assert [name for _, name in sink.kept] == ["a", "b", "c"]


async def test_a_target_of_an_earlier_version(
    emulator: Emulator, session: Session, target: Path
) -> None:
    """It has lists that are half read, whose ids nobody noted."""
    import sqlite3
    from contextlib import closing

    from itwin_async.harvest.target import target_files

    emulator.fail("GET /imodels/favorites", status=403, times=None, after=9)
    await harvest.run(session, SOURCE, target, page_size=5, concurrency=2)
    emulator.clear_faults()
    with closing(sqlite3.connect(target_files(target).state)) as state, state:
        assert state.execute("SELECT count(*) FROM harvest_lists WHERE checked").fetchone() > (0,)
        state.execute("UPDATE harvest_lists SET checked = 0, cursor = cursor")
        state.execute("DELETE FROM harvest_seen")
    report = await harvest.run(session, SOURCE, target, page_size=5, concurrency=2)
    assert report.complete
    assert found(target) == expected(emulator)
    assert len(list(lines(target))) == len(expected(emulator))
