"""The row of a target, the same in every form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

import attrs


@attrs.frozen
class Row:
    """
    An item in a list, and since when it is there.

    Attributes:
        list: key of the list.
        list_name: display name of what the list belongs to, if it is known.
        id: what tells the item from the others of its list.
        text: JSON of the item, as the platform sent it.
        harvested_at: when this content was read.
        first_seen: when the item was found in the list.
        last_seen: when the list was read last with the item in it.
        removed_at: when the list was read without it; ``None`` while it is there.

    """

    list: str
    list_name: str | None
    id: str
    text: bytes
    harvested_at: datetime
    first_seen: datetime
    last_seen: datetime
    removed_at: datetime | None = None


def batched(rows: Iterable[Row], count: int) -> Iterator[Sequence[Row]]:
    """Cut rows into batches."""
    left = iter(rows)
    while batch := list(islice(left, count)):
        yield batch
