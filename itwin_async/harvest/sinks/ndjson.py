"""One JSON object a line, plain or compressed; each commit ends a part that can be read alone."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, cast

import msgspec

from itwin_async._tables.columns import Column
from itwin_async.errors import ConfigurationError
from itwin_async.harvest.columns import Identify
from itwin_async.harvest.errors import TargetError, damaged, reading

_ENOUGH = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}


class NdjsonSink:
    """
    Lines ``{"list": key, "item": {...}}``, the item as the platform sent it.

    Args:
        path: the file; compressed if its name ends in ``.gz`` or ``.zst``.
        state: the database of the checkpoint.
        identify: makes ids where items have none of their own; they stand beside ``list``.

    """

    def __init__(self, path: Path, state: Path, identify: Identify | None = None) -> None:
        self.state = state
        self._identify = identify
        self._path = path
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
        _check_size(self._path, found, durable)
        if durable:
            self._check_end(durable)
        # Without a buffer, so that closing writes nothing that a full disk refused.
        self._file = io.FileIO(self._path, "r+" if self._path.exists() else "w+")
        self._file.truncate(durable)
        self._file.seek(durable)

    def write(self, key: str, items: Sequence[object], texts: Sequence[bytes]) -> None:
        """Take rows."""
        identify = self._identify
        listed = b'{"list":' + msgspec.json.encode(key)
        head = listed + b',"item":'
        for item, text in zip(items, texts, strict=True):
            if identify is not None:
                made = msgspec.json.encode(identify(item, text))
                head = listed + b',"id":' + made + b',"item":'
            if b"\n" in text or b"\r" in text:  # only between tokens; in strings they are escaped
                text = text.replace(b"\n", b" ").replace(b"\r", b" ")  # noqa: PLW2901
            self._lines += (head, text, b"}\n")
            self._size += len(head) + len(text) + 2

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

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        self.commit()
        with reading(self._path):
            for line in _lines_of(self._path):
                if line["list"] == key:
                    yield str(line["id"] if self._identify else line["item"]["id"])

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


def lines_of(path: Path, length: int | None = None) -> Iterator[tuple[str, Any]]:
    """
    Yield list and item of each row in the first ``length`` bytes of a file.

    Raises:
        TargetError: the file is shorter.

    """
    for line in _lines_of(path, length):
        yield line["list"], line["item"]


def _lines_of(path: Path, length: int | None = None) -> Iterator[Any]:
    size = path.stat().st_size
    if length is not None:
        _check_size(path, size, length)
        size = length
    with path.open("rb") as file, _unpacked(_Part(file, size), path) as stream:
        for text in stream:
            yield parse(text)


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
