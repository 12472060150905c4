"""Parts of a Parquet folder: their names and marks, and how they are written, read and merged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

import attrs

from itwin_async._tables.arrow import arrow
from itwin_async.harvest.columns import MOMENTS
from itwin_async.harvest.errors import damaged, reading
from itwin_async.harvest.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MOST_ROWS = 1_000_000
MOST_BYTES = 128 * 2**20
GROUP_ROWS = 100_000
GROUP_BYTES = 32 * 2**20  # in memory

_NAME = re.compile(r"part-(\d{6,})\.parquet")
_ROWS_AT_ONCE = 1000
_OPEN_AT_ONCE = 200


@attrs.frozen
class Part:
    """
    A part.

    Attributes:
        number: its number, which no other part of the folder ever has.
        rows: how many rows it has.
        size: its bytes.

    """

    number: int
    rows: int
    size: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return name_of(self.number)

    @property
    def is_small(self) -> bool:
        """Whether it should be merged with others."""
        return self.rows < MOST_ROWS / 2 and self.size < MOST_BYTES / 2


def name_of(number: int) -> str:
    """Name the file of a part."""
    return f"part-{number:06d}.parquet"


def numbered(path: Path) -> dict[int, Path]:
    """Find all parts in a folder, finished or not."""
    matches = ((_NAME.fullmatch(part.name), part) for part in sorted(path.iterdir()))
    return {int(match[1]): part for match, part in matches if match}


def mark_of(parts: Iterable[Part]) -> str:
    """Write which parts count, in order, such as ``0-3,17,9``."""
    spans: list[list[int]] = []
    for part in parts:
        if spans and spans[-1][1] + 1 == part.number:
            spans[-1][1] = part.number
        else:
            spans.append([part.number, part.number])
    return ",".join(f"{first}-{last}" if first < last else f"{first}" for first, last in spans)


def numbers_of(mark: str | None) -> list[int]:
    """Read what ``mark_of`` wrote."""
    numbers: list[int] = []
    for span in (mark or "").split(",") if mark else ():
        first, _, last = span.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def part_at(path: Path, number: int) -> tuple[Part, pa.Schema]:
    """
    Describe a finished part.

    Raises:
        TargetError: it is missing or damaged.

    """
    file_path = path / name_of(number)
    with opened(file_path) as file, reading(file_path):
        found = _parquet().ParquetFile(file)
        size = os.fstat(file.fileno()).st_size
        return Part(number, found.metadata.num_rows, size), found.schema_arrow


def open_all(path: Path, mark: str | None, stack: ExitStack) -> list[tuple[Path, BinaryIO | None]]:
    """
    Open all parts that count, so that they can be read even when others take their place.

    Of more than a process may have open, the others are opened when they are read.

    Raises:
        TargetError: one is missing.

    """
    paths = [path / name_of(number) for number in numbers_of(mark)]
    first = [(part, stack.enter_context(opened(part))) for part in paths[:_OPEN_AT_ONCE]]
    return [*first, *((part, None) for part in paths[_OPEN_AT_ONCE:])]


def opened(part: Path) -> BinaryIO:
    """Open a part; pyarrow itself takes no names that are not UTF-8."""
    try:
        return part.open("rb")
    except FileNotFoundError:
        raise damaged(part, "it is missing") from None


def rows_of(files: Iterable[tuple[Path, BinaryIO | None]]) -> Iterator[Row]:
    """
    Read the rows of parts that are open, removed ones too.

    Raises:
        TargetError: a part is damaged.

    """
    names = ["list", "list_name", "id", "json", *MOMENTS]
    for part, opened_file in files:
        with opened_file or opened(part) as file, reading(part):
            parquet = _parquet().ParquetFile(file, page_checksum_verification=True)
            # All columns, for damage shows by the checksums of what is read.
            for batch in parquet.iter_batches(_ROWS_AT_ONCE):
                for values in zip(*(batch[name].to_pylist() for name in names), strict=True):
                    key, name, id_, text, harvested, first, last, removed = values
                    yield Row(
                        key,
                        name,
                        str(id_),
                        text.encode(),
                        _utc(harvested),
                        _utc(first),
                        _utc(last),
                        None if removed is None else _utc(removed),
                    )


def ids_of(part: Path, key: str) -> list[str]:
    """Read the ids of a list."""
    with opened(part) as file, reading(part):
        # Row groups without the list are passed over by their statistics.
        table = _parquet().read_table(file, columns=["list", "id"], filters=[("list", "=", key)])
        return [str(name) for name in table["id"].to_pylist()]


class PartWriter:
    """
    A part that is written row group by row group, whole and durable when the block is left.

    Attributes:
        rows: how many rows it has.

    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._file = path.open("wb")
        try:
            self._writer: pq.ParquetWriter = _parquet().ParquetWriter(
                self._file, schema, compression="zstd", write_page_checksum=True
            )
        except BaseException:
            self._file.close()
            raise
        self._waiting: list[pa.RecordBatch] = []
        self._held = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with closing(self._file):
            if error is None:
                self._flush()
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())

    @property
    def is_full(self) -> bool:
        """Whether the next row belongs to another part."""
        return self.rows >= MOST_ROWS or self._file.tell() >= MOST_BYTES

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self.rows += batch.num_rows
        self._held += batch.num_rows
        self._bytes += batch.nbytes
        self._waiting.append(batch)
        if self._held >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            table = arrow("Parquet", extra="parquet").Table.from_batches(
                self._waiting, self._schema
            )
            self._writer.write_table(table, row_group_size=GROUP_ROWS)
            self._waiting.clear()
            self._held = self._bytes = 0


def merge(sources: Iterable[Path], path: Path, schema: pa.Schema) -> None:
    """
    Write the rows of some parts into one, in order.

    Raises:
        TargetError: a part is missing or damaged.

    """
    with PartWriter(path, schema) as writer:
        for part in sources:
            with opened(part) as file, reading(part):
                found = _parquet().ParquetFile(file, page_checksum_verification=True)
                for batch in found.iter_batches(GROUP_ROWS // 10):
                    writer.add(batch)


def groups_of(parts: Sequence[Part]) -> list[list[Part]]:
    """Find small parts that stand beside each other and make one of a sensible size."""
    groups: list[list[Part]] = [[]]
    for part in parts:
        group = groups[-1]
        rows, size = sum(one.rows for one in group), sum(one.size for one in group)
        if not part.is_small or rows + part.rows > MOST_ROWS or size + part.size > MOST_BYTES:
            group = []
            groups.append(group)
        if part.is_small:
            group.append(part)
    return [group for group in groups if len(group) > 1]


def _parquet() -> ModuleType:
    arrow("Parquet", extra="parquet")
    import pyarrow.parquet as module  # noqa: PLC0415 - an extra

    found: ModuleType = module
    return found


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)  # pyarrow has a zone of its own for it
