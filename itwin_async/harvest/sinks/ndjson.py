"""One JSON object a line, plain or compressed; each commit ends a part that can be read alone."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, cast

import msgspec

from itwin_async._tables.columns import Column
from itwin_async.errors import ConfigurationError
from itwin_async.harvest.columns import MOMENTS, moment
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.rows import Row, batched
from itwin_async.harvest.sinks import RowSink
from itwin_async.harvest.swap import (
    Replacement,
    Swap,
    discard,
    staged_anew,
    staged_for,
    sync_folder,
)

_ENOUGH = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_ROWS_AT_ONCE = 1000
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}


class NdjsonSink(RowSink):
    """
    Lines of list, moments and item, the item as the platform sent it.

    Args:
        path: the file; compressed if its name ends in ``.gz`` or ``.zst``.
        state: the database of the checkpoint.
        with_id: whether ids stand beside ``item``, since items have none.

    """

    def __init__(self, path: Path, state: Path, *, with_id: bool = False) -> None:
        self.state = state
        self._with_id = with_id
        self._path = path
        self._staged = staged_for(path, path)
        self._pack = _packer(path)
        self._file: io.FileIO | None = None
        self._lines: list[bytes] = []
        self._size = 0

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Open the file and cut off what was written after the mark, the durable length."""
        del columns
        durable = int(mark or 0)
        found = self._path.stat().st_size if self._path.exists() else 0
        if found and mark is None:
            raise TargetError(f"{self._path} exists already and is no harvest")
        discard(self._staged)
        _check_size(self._path, found, durable)
        if durable:
            self._check_end(durable)
        self._open(durable)

    def write_rows(self, rows: Sequence[Row], items: Sequence[object]) -> None:
        """Take rows."""
        del items
        self._add(rows)

    def _open(self, durable: int) -> None:
        # Without a buffer, so that closing writes nothing that a full disk refused.
        self._file = io.FileIO(self._path, "r+" if self._path.exists() else "w+")
        self._file.truncate(durable)
        self._file.seek(durable)

    def _add(self, rows: Iterable[Row]) -> None:
        facts: tuple[object, ...] = ()
        head = b""
        for row in rows:
            known = _facts(row)
            if known != facts:  # rows of a page differ in their items alone
                facts, head = known, _head(known)
            start = head
            if self._with_id:
                start += b'"id":' + msgspec.json.encode(row.id) + b","
            text = row.text
            if b"\n" in text or b"\r" in text:  # only between tokens; in strings they are escaped
                text = text.replace(b"\n", b" ").replace(b"\r", b" ")
            self._lines += (start, b'"item":', text, b"}\n")
            self._size += len(start) + len(text) + 9

    def rows(self) -> Iterator[Row]:
        """Read all rows."""
        with reading(self._path), self._path.open("rb") as file:
            yield from rows_of(self._path, file, self._opened.tell())

    @property
    def waiting(self) -> bool:
        """Whether so much is written that it should be committed now."""
        return self._size >= _ENOUGH

    def commit(self) -> str:
        """Write and flush to the disk, and return the length of the file."""
        file = self._opened
        if self._lines:
            start = file.tell()
            try:
                rest = memoryview(self._pack(b"".join(self._lines)))
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.seek(start)
                    file.truncate()  # half a line is no use to anybody
                raise
            self._lines.clear()
            self._size = 0
        return str(file.tell())

    def replace(self, rows: Iterable[Row], read: Callable[[bytes], object]) -> Replacement:
        """Make a whole new generation of rows, beside the file; nothing may wait for a commit."""
        del read
        staged_anew(self._path, self._staged)
        with self._staged.open("xb") as file:
            for chunk in batched(rows, _ROWS_AT_ONCE):
                self._add(chunk)
                if self.waiting:
                    self._pour(file)
            self._pour(file)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        sync_folder(self._staged.parent)
        return Replacement(str(size), Swap(self._path, self._staged))

    def replaced(self, mark: str) -> None:
        """Go on with the file that took the place of the former."""
        self.close()
        self._open(int(mark))

    def _pour(self, file: BinaryIO) -> None:
        if self._lines:
            file.write(self._pack(b"".join(self._lines)))
        self._lines.clear()
        self._size = 0

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        self.commit()
        for row in self.rows():
            if row.list == key:
                yield row.id

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            try:
                self._file.close()
            finally:
                self._file = None

    def _check_end(self, durable: int) -> None:
        """Find files whose line ends were changed, before anything is cut off at a wrong place."""
        with self._path.open("rb") as file:
            file.seek(durable - 1)
            last, rest = file.read(1), file.read(len(_MAGIC[".zst"]))
        magic = _MAGIC.get(self._path.suffix.lower())
        if (magic is None and last != b"\n") or (magic and not rest.startswith(magic[: len(rest)])):
            raise damaged(self._path, f"no row ends at the byte {durable}")

    @property
    def _opened(self) -> io.FileIO:
        if self._file is None:
            raise TargetError(f"{self._path} is not open")
        return self._file


def _facts(row: Row) -> tuple[object, ...]:
    moments = (row.harvested_at, row.first_seen, row.last_seen, row.removed_at)
    return row.list, row.list_name, *moments


def _head(facts: tuple[object, ...]) -> bytes:
    """Begin the lines of rows that have these facts in common."""
    names = ("list", "list_name", *MOMENTS)
    values = (moment(fact) if isinstance(fact, datetime) else fact for fact in facts)
    return msgspec.json.encode(dict(zip(names, values, strict=True)))[:-1] + b","


class _Line(msgspec.Struct):
    list: str
    list_name: str | None
    harvested_at: datetime
    first_seen: datetime
    last_seen: datetime
    removed_at: datetime | None
    item: msgspec.Raw
    id: str | None = None


class _WithId(msgspec.Struct):
    id: str | int


_line = msgspec.json.Decoder(_Line)
_with_id = msgspec.json.Decoder(_WithId)


def rows_of(path: Path, file: BinaryIO, length: int) -> Iterator[Row]:
    """
    Read the rows in the first ``length`` bytes of an open file, removed ones too.

    Raises:
        TargetError: the file is shorter.

    """
    _check_size(path, os.fstat(file.fileno()).st_size, length)
    with reading(path), _unpacked(_Part(file, length), path) as stream:
        for text in stream:
            yield _row(text)


def _row(text: bytes) -> Row:
    try:
        line = _line.decode(text)
        item = bytes(line.item)
        name = _with_id.decode(item).id if line.id is None else line.id
    except msgspec.DecodeError:  # numbers beyond all bounds, half characters
        plain = json.loads(text)
        item = json.dumps(plain.pop("item")).encode()
        plain_id = plain.get("id")
        name = json.loads(item)["id"] if plain_id is None else plain_id
        line = msgspec.convert({**plain, "id": None, "item": msgspec.Raw()}, _Line)
    return Row(
        line.list,
        line.list_name,
        str(name),
        item,
        line.harvested_at,
        line.first_seen,
        line.last_seen,
        line.removed_at,
    )


def parse(text: str | bytes) -> Any:  # noqa: ANN401 - JSON
    """Parse JSON, with numbers beyond all bounds and half characters too."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


def _check_size(path: Path, found: int, written: int) -> None:
    if found < written:
        raise damaged(path, f"it has {found} bytes where {written} were written")


class _Part(io.RawIOBase):
    """The beginning of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def _packer(path: Path) -> Callable[[bytes], bytes]:
    name = path.name.lower()
    if name.endswith(".gz"):
        return lambda data: gzip.compress(data, 6, mtime=0)
    if name.endswith(".zst"):
        pack: Callable[[bytes], bytes] = _zstandard().ZstdCompressor(write_checksum=True).compress
        return pack
    return bytes


def _unpacked(raw: io.RawIOBase, path: Path) -> BinaryIO:
    whole = cast("BinaryIO", io.BufferedReader(raw, _CHUNK))
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile(fileobj=whole))
    if name.endswith(".zst"):
        unpacker = _zstandard().ZstdDecompressor()
        stream = unpacker.stream_reader(whole, read_across_frames=True)
        return cast("BinaryIO", io.BufferedReader(stream, _CHUNK))
    return whole


def _zstandard() -> ModuleType:
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Zstandard needs an extra: pip install 'itwin-async[zstd]'"
        ) from None
    module: ModuleType = zstandard
    return module
