"""The rules by which a new reading of lists and the rows that are there become one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import Enum
from typing import Protocol

import attrs

from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks.ndjson import parse

# What a storage service adds to an address that is good for some time.
_SIGNED = re.compile(
    r"https?://[^?\s]*\?(?:[^\s]*&)?(?:sig|X-Amz-Signature|X-Goog-Signature)=", re.IGNORECASE
)


class Fate(Enum):
    """What became of a list in a new reading."""

    READ = "read to its end"
    UNREAD = "not read, or not to its end"
    GONE = "no longer there"


class NewRows(Protocol):
    """The rows of a table in a new reading."""

    def find(self, row: Row) -> Row | None:
        """Find the row of the same list and id."""
        ...

    def rest(self) -> Iterator[Row]:
        """Read the rows that were never found."""
        ...


def merge(
    old: Iterable[Row],
    new: NewRows,
    *,
    fate: Callable[[str], Fate],
    at: datetime,
    carried: Callable[[Row], Row | None] = lambda _: None,
) -> Iterator[Row]:
    """
    Yield the rows of a table after a new reading: all that were there, and then those that came.

    Rows of lists that were not read stay as they are. A row that was removed and is back is a new
    one. What differs in signatures and links alone has not changed.

    Args:
        old: the rows that are there, removed ones too.
        new: the rows that were read.
        fate: tells what became of a list, by its key.
        at: when the reading was finished.
        carried: gives the new state of a row that was left out of the reading, since it is known to
            be there; ``None`` for others.

    """
    for row in old:
        found_fate = fate(row.list)
        if found_fate is Fate.UNREAD:
            yield row
            continue
        found = new.find(row) if found_fate is Fate.READ else None
        if found is not None:
            yield _met_again(row, found)
        elif row.removed_at is not None:
            yield row
        else:
            kept = carried(row) if found_fate is Fate.READ else None
            yield kept or attrs.evolve(row, removed_at=at)
    for row in new.rest():
        if fate(row.list) is Fate.READ:
            yield row


def is_same(one: bytes, other: bytes) -> bool:
    """Tell whether two items have the same content, but for links and signatures."""
    return one == other or _content(parse(one)) == _content(parse(other))


def content_of(text: bytes) -> str:
    """Write what counts as the content of an item, in one way."""
    return json.dumps(_content(parse(text)), sort_keys=True)


def _met_again(row: Row, found: Row) -> Row:
    if row.removed_at is not None:
        return found
    if is_same(row.text, found.text):
        return attrs.evolve(found, harvested_at=row.harvested_at, first_seen=row.first_seen)
    return attrs.evolve(found, first_seen=row.first_seen)


def _content(value: object) -> object:
    if isinstance(value, dict):
        return {name: _content(each) for name, each in value.items() if name != "_links"}
    if isinstance(value, list):
        return [_content(each) for each in value]
    if isinstance(value, str) and _SIGNED.match(value):
        return value.partition("?")[0]
    return value
