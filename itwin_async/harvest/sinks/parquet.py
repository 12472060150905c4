"""A directory of Parquet files with typed, nested columns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from itwin_async._tables.arrow import array, arrow, field
from itwin_async._tables.columns import Column
from itwin_async.harvest.columns import Identify
from itwin_async.harvest.errors import TargetError, damaged, reading

if TYPE_CHECKING:
    import pyarrow as pa

_ENOUGH = 50_000
_PART = re.compile(r"part-(\d{6})\.parquet(\.tmp)?")


class ParquetSink:
    """
    Parts ``part-000000.parquet`` and so on, each written whole before it gets its name.

    Args:
        path: the directory.
        state: the database of the checkpoint.
        identify: makes ids where items have none of their own, for a column ``id``.

    """

    def __init__(self, path: Path, state: Path, identify: Identify | None = None) -> None:
        self.state = state
        self._identify = identify
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
        made = ["list", "id"] if self._identify else ["list"]
        fields = [self._arrow.field(name, self._arrow.string(), nullable=False) for name in made]
        self._schema = self._arrow.schema(fields + [field(column) for column in columns])
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

    def write(self, key: str, items: Sequence[object], texts: Sequence[bytes]) -> None:
        """Take rows."""
        arrow, identify = self._arrow, self._identify
        arrays = [arrow.array([key] * len(items), arrow.string())]
        if identify is not None:
            made = [identify(item, text) for item, text in zip(items, texts, strict=True)]
            arrays.append(arrow.array(made, arrow.string()))
        arrays += [array(column, items) for column in self._columns]
        self._batches.append(arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows += len(items)

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
