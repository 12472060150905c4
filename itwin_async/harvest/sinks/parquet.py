"""A directory of Parquet files with typed, nested columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from itwin_async._tables.arrow import array, arrow, field
from itwin_async._tables.columns import Column
from itwin_async.harvest.columns import MOMENTS
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.rows import Row, batched
from itwin_async.harvest.sinks import RowSink
from itwin_async.harvest.sinks import parts as parts_
from itwin_async.harvest.sinks.parts import Part, PartWriter
from itwin_async.harvest.swap import (
    Replacement,
    Swap,
    discard,
    is_movable,
    stage_copy,
    staged_anew,
    staged_for,
    sync_folder,
)

if TYPE_CHECKING:
    import pyarrow as pa

_ENOUGH_ROWS = 50_000
_ENOUGH_BYTES = 32 * 2**20  # in memory
_JOINED = 64  # small batches take ten times the memory that their rows need
_MANY = 100  # small parts
_ROWS_AT_ONCE = 1000


class ParquetSink(RowSink):
    """
    Parts ``part-000000.parquet`` and so on, each written whole before it gets its name.

    There is always one, if without rows, so that the columns can be seen.

    Args:
        path: the directory.
        state: the database of the checkpoint.
        target: the target, beside which lies what is not finished; readers of the directory
            trip over other files. By default ``path``.
        with_id: whether ids have a column of their own, since items have none.

    """

    def __init__(
        self, path: Path, state: Path, target: Path | None = None, *, with_id: bool = False
    ) -> None:
        self.state = state
        self._with_id = with_id
        self._path = path
        self._arrow = arrow("Parquet", extra="parquet")
        self._columns: Sequence[Column] = ()
        self._schema: pa.Schema
        self._small: list[pa.RecordBatch] = []
        self._batches: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0
        self._parts: list[Part] = []
        self._next = 0
        self._obsolete: list[Part] = []
        self._many = _MANY
        self._staged = staged_for(path, target or path)
        self._draft = self._staged.with_name(f"{self._staged.name}.part")
        self._is_movable = True

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Remove parts that were written after the mark, which names the finished ones."""
        self._columns = columns
        self._schema = self._arrow.schema([*self._fields(columns)])
        if not mark:
            self._path.mkdir(parents=True, exist_ok=True)
        for left in (self._staged, self._draft):
            discard(left)
        sync_folder(self._path.parent)
        # A folder that is a mount point keeps its place, and its files are made in it.
        self._is_movable = is_movable(self._path)
        if not self._is_movable:
            self._draft = self._path / ".new.part"
            discard(self._draft)
        self._adopt(mark)
        known = {part.number for part in self._parts}
        for number, path in parts_.numbered(self._path).items():
            if number not in known:
                if mark is None:
                    raise TargetError(f"{self._path} holds Parquet files and is no harvest")
                path.unlink()

    def write_rows(self, rows: Sequence[Row], items: Sequence[object]) -> None:
        """Take rows."""
        batch = self._batch(rows, items)
        self._small.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if len(self._small) >= _JOINED:
            self._join()

    @property
    def waiting(self) -> bool:
        """Whether there is enough for a part."""
        return self._rows >= _ENOUGH_ROWS or self._bytes >= _ENOUGH_BYTES

    def commit(self) -> str:
        """Write a part, if there are rows, and return which parts count."""
        if self._rows or not self._parts:
            with PartWriter(self._draft, self._schema) as writer:
                for batch in (*self._batches, *self._small):
                    writer.add(batch)
            part = self._named(self._draft, self._path)
            self._obsolete = [part for part in self._parts if not part.rows]
            self._parts = [*(part for part in self._parts if part.rows), part]
            self.close()
        return parts_.mark_of(self._parts)

    def committed(self) -> None:
        """Remove what no longer counts, now that the mark is durable."""
        for part in self._obsolete:
            (self._path / part.name).unlink(missing_ok=True)
        self._obsolete = []

    def compact(self, *, last: bool) -> Replacement | None:
        """
        Merge small parts into parts of a sensible size, beside the directory.

        Args:
            last: merge all; else only some, and only where there are very many.

        """
        if not self._is_movable or (
            not last and sum(part.is_small for part in self._parts) < self._many
        ):
            return None
        groups = parts_.groups_of(self._parts)
        if not last:
            groups = [max(groups, key=len)] if groups else []
        if not groups:
            return None
        try:
            return self._staged_parts(groups)
        except OSError:  # small parts are as good; the disk may be full
            discard(self._staged)
            self._many *= 2
            return None

    def replace(self, rows: Iterable[Row], read: Callable[[bytes], object]) -> Replacement:
        """
        Make a whole new generation of rows, beside the directory.

        Args:
            rows: the rows.
            read: makes an item of its JSON.

        """
        staged_anew(self._path, self._staged)
        self._staged.mkdir()
        made: list[Part] = []
        left = batched(rows, _ROWS_AT_ONCE)
        chunk = next(left, ())
        while chunk or not made:
            with PartWriter(self._draft, self._schema) as writer:
                while chunk and not writer.is_full:
                    writer.add(self._batch(chunk, [read(row.text) for row in chunk]))
                    chunk = next(left, ())
            made.append(self._named(self._draft, self._staged))
        return self._replacement(made, made[0])

    def replaced(self, mark: str) -> None:
        """Go on with what took the place of the former parts."""
        self._adopt(mark)

    def rows(self) -> Iterator[Row]:
        """Read the rows of all finished parts."""
        with ExitStack() as stack:
            mark = parts_.mark_of(self._parts)
            yield from parts_.rows_of(parts_.open_all(self._path, mark, stack))

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        for batch in (*self._batches, *self._small):
            for found, name in zip(batch["list"].to_pylist(), batch["id"].to_pylist(), strict=True):
                if found == key:
                    yield str(name)
        for part in self._parts:
            yield from parts_.ids_of(self._path / part.name, key)

    def close(self) -> None:
        """Forget what is not written."""
        self._batches.clear()
        self._small.clear()
        self._rows = self._bytes = 0

    def _adopt(self, mark: str | None) -> None:
        found = [parts_.part_at(self._path, number) for number in parts_.numbers_of(mark)]
        for part, schema in found:
            if schema != self._schema:
                raise TargetError(
                    f"{self._path / part.name} has columns of another version of the package; "
                    "begin a new target"
                )
        self._parts = [part for part, _ in found]
        self._next = max([self._next, *(part.number + 1 for part in self._parts)])

    def _named(self, draft: Path, folder: Path) -> Part:
        """Give a part its name, in a folder."""
        name = parts_.name_of(self._next)
        draft.replace(folder / name)
        sync_folder(folder)
        part, _ = parts_.part_at(folder, self._next)
        self._next += 1
        return part

    def _staged_parts(self, groups: Sequence[Sequence[Part]]) -> Replacement:
        discard(self._staged)
        self._staged.mkdir()
        merged: dict[int, Part] = {}
        for group in groups:
            sources = [self._path / part.name for part in group]
            parts_.merge(sources, self._draft, self._schema)
            merged[group[0].number] = self._named(self._draft, self._staged)
        gone = {part.number for group in groups for part in group[1:]}
        left = [merged.get(part.number, part) for part in self._parts if part.number not in gone]
        for part in left:
            if part not in merged.values():
                stage_copy(self._path / part.name, self._staged)
        return self._replacement(left, next(iter(merged.values())))

    def _replacement(self, parts: Sequence[Part], new: Part) -> Replacement:
        sync_folder(self._staged)
        sync_folder(self._staged.parent)
        return Replacement(parts_.mark_of(parts), Swap(self._path, self._staged, new.name))

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

    def _batch(self, rows: Sequence[Row], items: Sequence[object]) -> pa.RecordBatch:
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
        return self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _join(self) -> None:
        table = self._arrow.Table.from_batches(self._small, self._schema)
        before = sum(batch.nbytes for batch in self._small)
        joined = table.combine_chunks().to_batches()
        self._batches += joined
        self._bytes += sum(batch.nbytes for batch in joined) - before
        self._small.clear()
