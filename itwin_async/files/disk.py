"""The disk side of a download: a part file, the note beside it, and the last rename."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from itwin_async.errors import FileTransferError

if sys.platform != "win32":
    import fcntl

_READ = 2**20
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Disk:
    """
    ``NAME.part`` and beside it ``NAME.part.etag``, which tells of which blob it is the beginning.

    Its methods may be called in threads.

    Args:
        target: the name that the file gets when it is whole.

    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = f"{target}.part"
        self._note = f"{target}.part.etag"
        self._lock = threading.Lock()
        self._file: int | None = None
        self._position = 0
        self._noted: str | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashed = 0
        self._waiting: deque[bytes] = deque()
        self._closed = False
        self.hashing = False

    def find(self, size: int | None) -> tuple[bool, int, str | None]:
        """
        Tell whether the whole file is there; if not, take up what an earlier process left.

        Returns:
            Whether it is there; else how many bytes are, and the tag of their blob.

        """
        if size is not None and self._is_there(size):
            return True, size, None
        with self._lock:
            try:
                etag = Path(self._note).read_text("ascii")
                file = self._file = self._opened(_FLAGS)
            except (FileNotFoundError, UnicodeDecodeError):
                return False, 0, None
            left = os.fstat(file).st_size
            if size is not None:
                left = min(left, max(size - 1, 0))  # an empty range is an error
            os.truncate(file, left)
            self._position = os.lseek(file, 0, os.SEEK_END)
            self._noted = etag
            return False, left, etag

    def add(self, pieces: Iterable[bytes]) -> None:
        """Hand over what comes next."""
        self._waiting.extend(pieces)

    def write(self, etag: str | None) -> None:
        """Write what waits."""
        with self._lock:
            if not self._closed:
                self._append(etag)

    def restart(self) -> None:
        """Begin with an empty file."""
        with self._lock:
            self._md5, self._hashed = hashlib.md5(usedforsecurity=False), 0
            self._noted, self._position = None, 0
            self._closed = False
            self._waiting.clear()
            Path(self._note).unlink(missing_ok=True)
            if self._file is not None:
                os.truncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)

    def complete(self, stated: bytes | None) -> bytes | None:
        """Write what waits, and rename the file if it has the digest; return its own."""
        with self._lock:
            self._append(None)
            self._closed = True
            found = None if stated is None else self._digest()
            self._shut()
            if found == stated:
                os.replace(self._part, self._target)  # noqa: PTH105 - fast
            else:
                Path(self._part).unlink()
            if self._noted is not None:
                Path(self._note).unlink(missing_ok=True)
            return found

    def close(self, pieces: Iterable[bytes], etag: str | None) -> None:
        """Keep what came, if it is worth a part file; nothing is written afterwards."""
        worth = self._file is not None or bool(self._waiting)
        self.add(pieces)
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if worth and etag is not None:
                    with suppress(OSError, FileTransferError):  # that has been told of
                        self._append(etag)
            finally:
                useless = self._file is not None and etag is None
                self._shut()
                if useless:
                    Path(self._part).unlink(missing_ok=True)

    def _is_there(self, size: int) -> bool:
        try:
            found = self._target.stat().st_size == size
        except FileNotFoundError:
            return False
        if found:
            Path(self._note).unlink(missing_ok=True)
            Path(self._part).unlink(missing_ok=True)
        return found

    def _append(self, etag: str | None) -> None:
        if self._file is None:
            try:
                self._file = self._opened(_FLAGS | os.O_CREAT)
            except FileNotFoundError:
                self._target.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._opened(_FLAGS | os.O_CREAT)
            if os.fstat(self._file).st_size:
                os.truncate(self._file, 0)
        if etag is not None and etag != self._noted:
            Path(self._note).write_text(etag, "ascii")
            self._noted = etag
        while self._waiting:
            piece = self._waiting.popleft()
            if self.hashing and self._hashed == self._position:
                self._md5.update(piece)
                self._hashed += len(piece)
            self._write(self._file, piece)

    def _write(self, file: int, piece: bytes) -> None:
        written = os.write(file, piece)
        while written < len(piece):
            written += os.write(file, piece[written:])
        self._position += len(piece)

    def _digest(self) -> bytes:
        if self._file is not None and self._hashed < self._position:
            os.lseek(self._file, self._hashed, os.SEEK_SET)
            while block := os.read(self._file, _READ):
                self._md5.update(block)
        return self._md5.digest()

    def _opened(self, flags: int) -> int:
        """Open the part file, which no other process or task has open."""
        while True:
            file = os.open(self._part, flags, 0o666)
            try:
                _lock(file)
                # Its owner may have renamed or removed it a moment ago.
                if os.path.samestat(os.fstat(file), os.stat(self._part)):  # noqa: PTH116 - fast
                    return file
            except BlockingIOError:
                os.close(file)
                name = self._target.name
                raise FileTransferError(
                    f"{name} is being downloaded by another process or task", name=name
                ) from None
            except FileNotFoundError:
                pass
            os.close(file)

    def _shut(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock(file: int) -> None:
    if sys.platform != "win32":  # which does not rename a file that another process has open
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
