"""Whole lists as Arrow batches, for engines that keep the rows themselves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import attrs

from itwin_async import bulk
from itwin_async._arguments import invalid
from itwin_async._tables.arrow import array, arrow, field
from itwin_async._tables.frames import flattened
from itwin_async.errors import DecodeError
from itwin_async.harvest.blocking import Put
from itwin_async.harvest.columns import columns_with_id
from itwin_async.harvest.sources import Source
from itwin_async.paging import Pager
from itwin_async.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

_CONCURRENCY = 8


@attrs.frozen
class Found:
    """A list of a source: its key, and the name of what it belongs to where that is known."""

    key: str
    name: str | None = None


async def find_lists(session: Session, source: Source[object], page_size: int) -> list[Found]:
    """
    Find the lists of a source, each once, by reading the lists that lead to them.

    Raises:
        ArgumentError: the outer list is no source.
        ITwinError: a list that leads to others cannot be read.

    """
    if source.outer is None:
        return [Found(key) for key in source.keys]
    if not isinstance(source.outer, Source):
        raise invalid("source", source.name, "one whose outer list is a source")
    above = await find_lists(session, source.outer, page_size)
    read = partial(_list_of, source.outer, page_size)
    found: dict[str, Found] = {}
    async with aclosing(aiter(bulk.join(read, session, above, concurrency=_CONCURRENCY))) as items:
        async for item in items:
            if items.item is not None and (source.only is None or source.only(item)):
                try:
                    key = source.key_of(items.item.key, item)
                except ValueError as problem:
                    raise DecodeError(f"the list of lists cannot be read: {problem}") from None
                title = getattr(item, "display_name", None)
                found.setdefault(key, Found(key, title if isinstance(title, str) else None))
    return list(found.values())


async def read_lists(
    session: Session,
    put: Put[pa.RecordBatch],
    /,
    *,
    source: Source[object],
    lists: Sequence[Found],
    rows: ArrowRows,
    page_size: int,
    concurrency: int,
) -> None:
    """
    Read lists to their ends, several at once, and hand over each page as a batch.

    What a list has twice is handed over the first time.

    Raises:
        ITwinError: a list cannot be read.

    """

    async def read(session: Session, found: Found) -> None:
        known: set[str] = set()
        async with aclosing(_list_of(source, page_size, session, found).pages()) as pages:
            async for page in pages:
                new: list[tuple[str, object, bytes]] = []
                for item, text in zip(page.items, page.raw_items(), strict=True):
                    name = source.id_of(item, text)
                    if name not in known:
                        known.add(name)
                        new.append((name, item, text))
                if new:
                    await put(rows.batch(found, new))

    await bulk.each(read, session, lists, concurrency=concurrency, fail_fast=True)


class ArrowRows:
    """
    Makes batches of a source's rows, with the columns of a harvest's tables.

    Args:
        source: the source.
        flat: whether nested columns are dissolved, their names joined by ``_``.

    Attributes:
        schema: the schema of each batch.

    """

    schema: pa.Schema

    def __init__(self, source: Source[object], *, flat: bool) -> None:
        pa = arrow("an Arrow table")
        known = columns_with_id(source.item, source.id)
        self._columns = [column for column in known if column.name != "links"]
        self._flat = flat
        self._makes_id = source.id != "id"
        moment = pa.timestamp("us", tz="UTC")
        made = [pa.field("id", pa.string(), nullable=False)] if self._makes_id else []
        self._nested = pa.schema(
            [
                pa.field("list", pa.string(), nullable=False),
                pa.field("list_name", pa.string()),
                *made,
                *(field(column) for column in self._columns),
                pa.field("json", pa.string(), nullable=False),
                pa.field("harvested_at", moment, nullable=False),
            ]
        )
        empty = self._nested.empty_table()
        self.schema = flattened(empty).schema if flat else self._nested

    def batch(self, found: Found, read: Sequence[tuple[str, object, bytes]]) -> pa.RecordBatch:
        """Write rows of a list, each an id, an item and its JSON, that were read at this moment."""
        pa, count = arrow("an Arrow table"), len(read)
        ids, items, texts = zip(*read, strict=True)
        moment = self._nested.field("harvested_at").type
        columns = [
            pa.array([found.key] * count, pa.string()),
            pa.array([found.name] * count, pa.string()),
            *([pa.array(ids, pa.string())] if self._makes_id else []),
            *(array(column, items) for column in self._columns),
            pa.array([text.decode() for text in texts], pa.string()),
            pa.array([datetime.now(UTC)] * count, moment),
        ]
        table = pa.Table.from_arrays(columns, schema=self._nested)
        whole = flattened(table) if self._flat else table
        (batch,) = whole.combine_chunks().to_batches()
        return batch


def _list_of(
    source: Source[object], page_size: int, session: Session, found: Found
) -> Pager[object]:
    return source.inner(session, found.key, page_size=page_size, cursor=None)
