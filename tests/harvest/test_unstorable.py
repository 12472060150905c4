"""Rows and lists that no target can store fail; they do not disappear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from harvest_truth import NEEDS, TARGETS
from made_lists import MadePager, Thing, made

from itwin_async import ArgumentError, ITwinError, Session, harvest
from itwin_async.harvest.checkpoint import Checkpoint

HUGE = 10**30


@attrs.define
class Numbered:
    id: int
    name: str | None = None


@attrs.define
class Nameless:
    name: str


@attrs.define
class Measured:
    id: float


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


def lists(bad: Any, cls: type = Thing) -> dict[str, Any]:
    good = [cls(1), cls(2)] if cls is Numbered else [cls("1"), cls("2")]
    return {"good": [good], "bad": [good, [*good, cls(bad)], [cls(bad)]], "more": [good, []]}


@pytest.mark.parametrize(
    ("bad", "cls"),
    [
        (None, Thing),
        ("", Thing),
        ("half \ud800", Thing),
        (True, Numbered),
        (None, Numbered),
        (HUGE, Numbered),
        (-HUGE, Numbered),
        (2**63, Numbered),
    ],
)
async def test_an_id_that_cannot_be_stored_costs_its_item_only(
    session: Session, target: Path, bad: Any, cls: type
) -> None:
    report = await harvest.run(session, made(lists(bad, cls), cls), target)
    assert report.finished
    assert report.state == "incomplete"
    assert report.failures == []
    status = harvest.status(target)
    assert report.progress.items == status.items == 6
    assert report.progress.quarantined == status.quarantined == 1
    assert not status.complete
    assert [key for key, _ in harvest.read(target, cls)].count("bad") == 2
    (found,) = harvest.quarantined(target)
    assert (found.list, found.source, found.table) == ("bad", "made", "things")
    assert (found.page, found.position) == (2, 2)
    assert json.loads(found.json)["id"] == bad
    assert found.error
    assert harvest.check(target).quarantined == 1


async def test_with_fail_fast_it_is_raised(session: Session, target: Path) -> None:
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, made(lists(None)), target, fail_fast=True)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0])
async def test_ids_that_are_numbers(session: Session, target: Path, number: int) -> None:
    pages = [[Numbered(number, "a")], [Numbered(7, "b"), Numbered(number, "c")]]
    report = await harvest.run(session, made({"one": pages}, Numbered), target)
    assert report.complete
    found = [(item.id, item.name) for _, item in harvest.read(target, Numbered)]
    assert found == [(number, "a"), (7, "b")]


async def test_half_a_character_in_another_member(session: Session, target: Path) -> None:
    page = [Thing("1"), Thing("2", "half \ud800"), Thing("3")]
    report = await harvest.run(session, made({"bad": [page]}), target)
    assert report.progress.items + report.progress.quarantined == 3
    assert report.progress.items >= 2
    assert len(list(harvest.read(target, Thing))) == report.progress.items
    assert len(harvest.quarantined(target)) == report.progress.quarantined


async def test_a_page_that_is_not_what_it_says(session: Session, target: Path) -> None:
    """As many items as texts; a document may hold a member twice."""

    class Page:
        items = (Thing("1"), Thing("2"))
        cursor, next, raw, undecoded = "1", None, b"", ()

        @staticmethod
        def raw_items() -> list[bytes]:
            return [b'{"id":"1"}']

    class Pager(MadePager):
        async def pages(self, *, tolerant: bool = False) -> Any:
            yield Page()

    source = harvest.Source("made", Thing, lambda *_, **__: Pager([]))  # type: ignore[arg-type, return-value]
    report = await harvest.run(session, source, target)
    assert report.progress.lists_failed == 1


@pytest.mark.parametrize("bad", [None, "", 2**63, "half \ud800"])
async def test_a_list_whose_key_cannot_be_stored_is_set_aside(
    session: Session, target: Path, bad: Any
) -> None:
    outer = [[Thing("good")], [Thing(bad), Thing("more")]]
    source = made(
        {"good": [[Thing("1")]], "more": [[Thing("1")]]},
        outer=lambda _, *, page_size, cursor: MadePager(outer, int(cursor or 0)),
    )
    report = await harvest.run(session, source, target)
    assert report.finished
    assert not report.complete
    assert report.progress.lists_done == 2
    (found,) = harvest.quarantined(target)
    assert found.table is None
    assert (found.page, found.position) == (2, 0)
    with pytest.raises(ITwinError):
        await harvest.run(session, source, target.with_name(f"next-{target.name}"), fail_fast=True)


async def test_titles_and_errors_may_hold_half_a_character(session: Session, target: Path) -> None:
    @attrs.define
    class Outer:
        id: str
        display_name: str

    source = made(
        {"one": [ITwinError("half \ud800")]},
        outer=lambda _, *, page_size, cursor: MadePager([[Outer("one", "t \udfff")]]),
    )
    report = await harvest.run(session, source, target)
    (failure,) = report.failures
    assert failure.key == "one"
    report.to_json().encode()


@pytest.mark.parametrize("bad", [None, 5, "", " ", "half \ud800"])
def test_given_ids_are_not_passed_over(bad: Any) -> None:
    with pytest.raises(ArgumentError):
        harvest.favorite_imodels(["a", bad])


@pytest.mark.parametrize("bad", [None, 5, " ", "half \ud800"])
def test_given_keys_are_texts(bad: Any) -> None:
    with pytest.raises(ArgumentError):
        made({bad: []})


@pytest.mark.parametrize("cls", [Nameless, Measured, int])
async def test_a_class_without_an_id_to_store(session: Session, target: Path, cls: type) -> None:
    with pytest.raises(ArgumentError):
        await harvest.run(session, made({"one": []}, cls), target)
    assert not [path for path in target.parent.rglob("*") if path.is_file()]


def test_the_checkpoint_is_not_made_for_reading(tmp_path: Path) -> None:
    with pytest.raises(harvest.TargetError):
        Checkpoint(tmp_path / "none.db", writable=False)
