"""What PostgreSQL has no place for: nothing of it is lost in silence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from made_lists import Thing, made
from postgres_server import PostgresServer

from itwin_async import Session, harvest

HUGE = 10**30


@attrs.define
class Odd:
    id: str
    text: str | None = None
    whole: int | None = None
    real: float | None = None
    yes: bool | None = None
    some: list[str] | None = None


@pytest.fixture
def target(server: PostgresServer) -> str:
    return server.url()


def cells(server: PostgresServer, target: str, columns: str) -> list[tuple[Any, ...]]:
    schema = target.rpartition("schema=")[2]
    return server.sql(f"SELECT {columns} FROM {schema}.things ORDER BY id")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\0b", "a\ufffdb"),
        ("\ud83d", "\ufffd"),
        ("tab\t line\n \\N \\. \x7f \x1b", "tab\t line\n \\N \\. \x7f \x1b"),
        ("\\N", "\\N"),
        ("", ""),
        ("é € 🏗 \u2028", "é € 🏗 \u2028"),
        ("x" * 3_000_000, "x" * 3_000_000),
    ],
)
async def test_texts(
    session: Session, server: PostgresServer, target: str, text: str, shown: str
) -> None:
    some = None if text == "\ud83d" else [text]
    items = [Odd("1", text, some=some), Odd("2", "plain")]
    report = await harvest.run(session, made({"list": [items]}, Odd), target)
    assert report.complete
    assert [item for _, item in harvest.read(target, Odd)] == items
    assert cells(server, target, "text")[0] == (shown,)
    assert harvest.check(target).items == 2


@pytest.mark.parametrize("whole", [0, 2**63 - 1, -(2**63), 2**63, HUGE, -HUGE])
async def test_whole_numbers(
    session: Session, server: PostgresServer, target: str, whole: int
) -> None:
    items = [Odd("1", whole=whole, yes=True), Odd("2", whole=5, real=0.1)]
    report = await harvest.run(session, made({"list": [items]}, Odd), target)
    assert report.complete
    assert [item for _, item in harvest.read(target, Odd)] == items
    fits = -(2**63) <= whole < 2**63
    # What is too large for a column is in the JSON, from where it can be had as numeric.
    found = cells(server, target, "whole, (json ->> 'whole')::numeric, yes, real")
    assert found == [(whole if fits else None, whole, True, None), (5, 5, None, 0.1)]


@pytest.mark.parametrize("bad", ["a\0b", "x" * 3000])
async def test_an_item_whose_id_cannot_be_stored_is_set_aside(
    session: Session, target: str, bad: str
) -> None:
    pages = [[Thing("1"), Thing(bad, "odd"), Thing("2")], [Thing("3"), Thing(bad, "odd")]]
    lists = {"good": [[Thing("1")]], "bad": pages}
    report = await harvest.run(session, made(lists), target)
    assert report.finished
    assert report.progress.items == harvest.check(target).items == 4
    assert [item.id for _, item in harvest.read(target, Thing)].count(bad) == 0
    (odd,) = harvest.quarantined(target)
    assert odd.list == "bad"
    assert json.loads(odd.json) == {"id": bad, "name": "odd", "size": None}
    again = await harvest.run(session, made(lists), target, refresh=True)
    assert again.progress.items == 4
    assert [one.json for one in harvest.quarantined(target)] == [odd.json]


async def test_ids_that_are_numbers(session: Session, server: PostgresServer, target: str) -> None:
    @attrs.define
    class Numbered:
        id: int

    pages = [[Numbered(1), Numbered(2**63 - 1)], [Numbered(2), Numbered(1)]]
    report = await harvest.run(session, made({"list": pages}, Numbered), target)
    assert report.complete
    assert report.progress.items == 3
    assert cells(server, target, "id") == [(1,), (2,), (2**63 - 1,)]


async def test_moments(
    session: Session, server: PostgresServer, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @attrs.define
    class Timed:
        id: str
        at: datetime | None = None

    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    last = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-12)))
    usual = datetime(2026, 2, 28, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    items = [Timed("1", first), Timed("2", last), Timed("3", usual), Timed("4")]
    texts = [b'{"id":"%d"}' % number for number in range(1, 5)]
    monkeypatch.setattr("made_lists.MadePage.raw_items", lambda _: texts)
    before = datetime.now(UTC)
    assert (await harvest.run(session, made({"list": [items]}, Timed), target)).complete
    found = cells(server, target, "at::text, harvested_at, first_seen, last_seen, removed_at")
    shown = [row[0] for row in found]
    assert "BC" in shown[0]
    assert shown[1].startswith("10000-01-01")
    assert shown[2].startswith("2026-02-28 06:30:00.000001")
    assert shown[3] is None
    for _, *moments, removed in found:
        assert moments[0] == moments[1] == moments[2]
        assert before <= moments[0] <= datetime.now(UTC)
        assert removed is None
