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
from itwin_async._tables.arrow import arrow
from itwin_async.harvest.blocking import Put
from itwin_async.harvest.lake import LakeTable
from itwin_async.harvest.lake.columns import RowColumns
from itwin_async.harvest.pages import keys_of
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sources import Source
from itwin_async.harvest.whole_lists import ListReader
from itwin_async.paging import Pager
from itwin_async.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

_CONCURRENCY = 8
_LEFT_OUT = {"links", "first_seen", "last_seen", "removed_at"}  # what is read once has no history


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
            if items.item is not None:
                for key, name in keys_of(source, items.item.key, [item]):
                    found.setdefault(key, Found(key, name))
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
        reader = ListReader(session, source, found.key, found.name, page_size=page_size, keep=False)
        async with aclosing(reader):
            while (page := await reader.next()) is not None:
                now, new, items = datetime.now(UTC), list[Row](), list[object]()
                for item, text in zip(page.items, page.raw_items(), strict=True):
                    name = source.id_of(item, text)
                    if name not in known:
                        known.add(name)
                        new.append(Row(found.key, found.name, name, text, now, now, now))
                        items.append(item)
                if new:
                    await put(rows.batch(new, items))

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
        table = LakeTable(source.table, source.name, source.item, source.id)
        self._columns = RowColumns(table, nested=not flat)
        kept = [field for field in self._columns.schema if field.name not in _LEFT_OUT]
        self.schema = arrow("an Arrow table").schema(kept)

    def batch(self, rows: Sequence[Row], items: Sequence[object]) -> pa.RecordBatch:
        """Write rows and their items."""
        return self._columns.batch(rows, items).select(self.schema.names)


def _list_of(
    source: Source[object], page_size: int, session: Session, found: Found
) -> Pager[object]:
    return source.inner(session, found.key, page_size=page_size, cursor=None)
