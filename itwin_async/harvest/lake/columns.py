"""Rows as Arrow batches with a table's columns, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from itwin_async._json.codec import Codec
from itwin_async._tables.arrow import arrow, typed
from itwin_async.harvest.columns import MOMENTS, columns_with_id, flat, getter
from itwin_async.harvest.lake.protocol import LakeTable
from itwin_async.harvest.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 2000
_READ = ("list", "list_name", "id", "json", *MOMENTS)


class RowColumns:
    """
    The columns of a table, and how rows become batches of them.

    Args:
        table: the table.
        nested: keep columns of columns; else they are dissolved.

    Attributes:
        schema: the Arrow schema.

    """

    def __init__(self, table: LakeTable, *, nested: bool) -> None:
        pa = arrow("this target", extra="parquet")
        given = columns_with_id(table.item, table.id)
        self._columns = list(given) if nested else list(flat(given, leave=("links",)))
        self._getters = [getter(column) for column in self._columns]
        self._item = table.item
        self._with_id = table.id != "id"
        text, moment = pa.string(), pa.timestamp("us", tz="UTC")
        fields = [pa.field("list", text, nullable=False), pa.field("list_name", text)]
        if self._with_id:
            fields.append(pa.field("id", text, nullable=False))
        fields += [
            pa.field(column.name, typed(column, ()).type, nullable=column.name != "id")
            for column in self._columns
        ]
        fields.append(pa.field("json", text, nullable=False))
        fields += [pa.field(name, moment, nullable=name == MOMENTS[-1]) for name in MOMENTS]
        self.schema = pa.schema(fields)

    def batches(self, rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
        """Write rows, some at a time."""
        left = iter(rows)
        while part := list(islice(left, _AT_ONCE)):
            body = b'{"items":[' + b",".join(row.text for row in part) + b"]}"
            items, _ = Codec().page(body, self._item, "items")
            yield self.batch(part, items)

    def batch(self, rows: Sequence[Row], items: Sequence[object]) -> pa.RecordBatch:
        """Write rows whose items are at hand."""
        pa = arrow("this target", extra="parquet")
        arrays = [
            pa.array([row.list for row in rows], pa.string()),
            pa.array([row.list_name for row in rows], pa.string()),
        ]
        if self._with_id:
            arrays.append(pa.array([row.id for row in rows], pa.string()))
        arrays += [
            typed(column, [get(item) for item in items])
            for column, get in zip(self._columns, self._getters, strict=True)
        ]
        arrays.append(pa.array([row.text.decode() for row in rows], pa.string()))
        kind = pa.timestamp("us", tz="UTC")
        arrays += [pa.array([getattr(row, name) for row in rows], kind) for name in MOMENTS]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """Read rows back; the batches have at least the columns ``READ``."""
    for batch in batches:
        columns = [batch.column(name).to_pylist() for name in _READ]
        for key, name, id_, text, *moments in zip(*columns, strict=True):
            since, first, last, gone = (_utc(moment) for moment in moments)
            yield Row(key, name, str(id_), text.encode(), since, first, last, gone)  # type: ignore[arg-type]


READ = list(_READ)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
