"""The rules of a merge, for any history of lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from itwin_async.harvest.changes import change_of
from itwin_async.harvest.merging import Fate, is_same, merge
from itwin_async.harvest.rows import Row

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
LISTS, IDS = "xyz", "abcd"


class Read:
    """What was read, in memory."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = {(row.list, row.id): row for row in rows}
        self._found: set[tuple[str, str]] = set()

    def find(self, row: Row) -> Row | None:
        found = self._rows.get((row.list, row.id))
        if found is not None:
            self._found.add((row.list, row.id))
        return found

    def rest(self) -> Iterator[Row]:
        return (row for known, row in self._rows.items() if known not in self._found)


contents = st.dictionaries(st.sampled_from(IDS), st.integers(0, 2))
readings = st.fixed_dictionaries({key: st.tuples(st.sampled_from(Fate), contents) for key in LISTS})


@settings(deadline=None)
@given(st.lists(readings, max_size=6))
def test_what_is_there_is_what_was_read_last(
    history: list[dict[str, tuple[Fate, dict[str, int]]]],
) -> None:
    rows: list[Row] = []
    expected: dict[tuple[str, str], int] = {}
    mirror: dict[tuple[str, str], bytes] = {}
    for number, reading in enumerate(history):
        start = NEW_YEAR + timedelta(days=number)
        read_at, end = start + timedelta(hours=1), start + timedelta(hours=2)
        new = [
            Row(key, None, id_, json.dumps({"value": value}).encode(), read_at, read_at, read_at)
            for key, (fate, found) in reading.items()
            for id_, value in found.items()
            if fate is not Fate.GONE  # a list that fails has been read in part
        ]
        before = {(row.list, row.id): row for row in rows}
        rows = list(merge(rows, Read(new), fate=lambda key, r=reading: r[key][0], at=end))  # type: ignore[misc]
        for key, (fate, found) in reading.items():
            if fate is not Fate.UNREAD:
                expected = {known: each for known, each in expected.items() if known[0] != key}
            if fate is Fate.READ:
                expected |= {(key, id_): value for id_, value in found.items()}
        there = {(row.list, row.id): row for row in rows if row.removed_at is None}
        assert {known: json.loads(row.text)["value"] for known, row in there.items()} == expected
        assert len({(row.list, row.id) for row in rows}) == len(rows)
        assert set(before) <= {(row.list, row.id) for row in rows}
        for row in rows:
            assert row.first_seen <= row.harvested_at <= row.last_seen
            assert row.removed_at is None or row.removed_at > row.last_seen
            if reading[row.list][0] is Fate.UNREAD:
                assert row == before[row.list, row.id]
            kind = change_of(row, start)
            if kind == "removed":
                del mirror[row.list, row.id]
            elif kind is not None:
                assert (kind == "added") == ((row.list, row.id) not in mirror)
                mirror[row.list, row.id] = row.text
        assert mirror == {known: row.text for known, row in there.items()}


def test_links_and_signatures_are_no_content() -> None:
    one = b'{"id":"a","_links":{"self":1},"url":"https://x.blob/f?se=1&sig=abc","n":[{"_links":2}]}'
    other = b'{"n":[{"_links":3}],"url":"https://x.blob/f?se=2&sig=def","id":"a","_links":null}'
    assert is_same(one, other)
    assert not is_same(one, other.replace(b"/f?", b"/g?"))
    assert not is_same(b'{"url":"https://x?layer=1"}', b'{"url":"https://x?layer=2"}')
    assert not is_same(b'{"id":"a","size":1}', b'{"id":"a"}')
