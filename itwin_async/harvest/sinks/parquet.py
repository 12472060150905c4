"""A directory of Parquet files with typed, nested columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from itwin_async._tables.arrow import array, arrow, field
from itwin_async._tables.columns import Column
from itwin_async.harvest.columns import MOMENTS
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import RowSink

if TYPE_CHECKING:
    import pyarrow as pa

_ENOUGH = 50_000
_PART = re.compile(r"part-(\d{6})\.parquet(\.tmp)?")


class ParquetSink(RowSink):
    """
    Parts ``part-000000.parquet`` and so on, each written whole before it gets its name.

    Args:
        path: the directory.
        state: the database of the checkpoint.
        with_id: whether ids have a column of their own, since items have none.

    """

    def __init__(self, path: Path, state: Path, *, with_id: bool = False) -> None:
        self.state = state
        self._with_id = with_id
        self._path = path
        self._arrow = arrow("Parquet", extra="parquet")
        self._columns: Sequence[Column] = ()
        self._schema: pa.Schema | None = None
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._parts = 0

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Remove parts that were written after the mark, the number of finished parts."""
        self._columns = columns
        self._schema = self._arrow.schema([*self._fields(columns)])
        self._parts = int(mark or 0)
        self._path.mkdir(exist_ok=True)
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        for part in parts_of(self._path, self._parts):
            with reading(part), part.open("rb") as file:
                pq.read_metadata(file)
        for match, path in _matches(self._path):
            if match[2] or int(match[1]) >= self._parts:
                if mark is None:
                    raise TargetError(f"{self._path} holds Parquet files and is no harvest")
                path.unlink()

    def write_rows(self, rows: Sequence[Row], items: Sequence[object]) -> None:
        """Take rows."""
        text, made = self._arrow.string(), ["id"] if self._with_id else []
        arrays = [
            self._arrow.array([getattr(row, name) for row in rows], text)
            for name in ("list", "list_name", *made)
        ]
        arrays += [array(column, items) for column in self._columns]
        arrays.append(self._arrow.array([row.text.decode() for row in rows], text))
        moments = self._arrow.timestamp("us", tz="UTC")
        arrays += [
            self._arrow.array([getattr(row, name) for row in rows], moments) for name in MOMENTS
        ]
        self._batches.append(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows += len(rows)

    def rows(self) -> Iterator[Row]:
        """Read the rows of all finished parts."""
        return rows_of(self._path, self._parts)

    @property
    def waiting(self) -> bool:
        """Whether there are enough rows for a part."""
        return self._rows >= _ENOUGH

    def commit(self) -> str:
        """Write a part, if there are rows, and return the number of finished parts."""
        if self._rows:
            self._write(self._path / _name(self._parts))
            self._parts += 1
            self._batches.clear()
            self._rows = 0
        return str(self._parts)

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        yield from _ids(self._arrow.Table.from_batches(self._batches, self._schema), key)
        for number in range(self._parts):
            part = self._path / _name(number)
            with reading(part), part.open("rb") as file:
                yield from _ids(pq.read_table(file, columns=["list", "id"]), key)

    def close(self) -> None:
        """Forget what is not written."""
        self._batches.clear()

    def _fields(self, columns: Sequence[Column]) -> Iterator[pa.Field]:
        pa = self._arrow
        yield pa.field("list", pa.string(), nullable=False)
        yield pa.field("list_name", pa.string())
        if self._with_id:
            yield pa.field("id", pa.string(), nullable=False)
        yield from map(field, columns)
        yield pa.field("json", pa.string(), nullable=False)
        for name in MOMENTS:
            nullable = name == "removed_at"
            yield pa.field(name, pa.timestamp("us", tz="UTC"), nullable=nullable)

    def _write(self, path: Path) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

        table = self._arrow.Table.from_batches(self._batches, self._schema)
        temporary = path.with_name(f"{path.name}.tmp")
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)


def parts_of(path: Path, count: int) -> list[Path]:
    """
    List the finished parts of a directory, in order.

    Raises:
        TargetError: one is missing.

    """
    parts = [path / _name(number) for number in range(count)]
    for part in parts:
        if not part.exists():
            raise damaged(part, "it is missing")
    return parts


def rows_of(path: Path, count: int) -> Iterator[Row]:
    """
    Read the rows of the finished parts of a directory, removed ones too.

    Raises:
        TargetError: a part is missing or damaged.

    """
    arrow("Parquet", extra="parquet")
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    names = ["list", "list_name", "id", "json", *MOMENTS]
    for part in parts_of(path, count):
        # Opened here, since pyarrow takes no names that are not UTF-8.
        with reading(part), part.open("rb") as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            for batch in parquet.iter_batches(1000):
                for values in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                    key, name, id_, text, *seen, removed = values
                    # pyarrow has a zone of its own
                    seen = [moment.astimezone(UTC) for moment in seen]
                    gone = None if removed is None else removed.astimezone(UTC)
                    yield Row(key, name, str(id_), text.encode(), *seen, gone)


def _ids(table: pa.Table, key: str) -> Iterator[str]:
    for found, name in zip(table["list"].to_pylist(), table["id"].to_pylist(), strict=True):
        if found == key:
            yield str(name)


def _matches(path: Path) -> Iterator[tuple[re.Match[str], Path]]:
    for part in sorted(path.iterdir()):
        match = _PART.fullmatch(part.name)
        if match is not None:
            yield match, part


def _name(number: int) -> str:
    return f"part-{number:06d}.parquet"


def _sync_directory(path: Path) -> None:
    if os.name != "posix":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
