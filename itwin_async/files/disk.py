"""The disk side of a download, called in threads: a part file, its note, and the last rename."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from itwin_async.errors import FileTransferError

if sys.platform != "win32":
    import fcntl

_READ = 2**20


class Disk:
    """
    ``NAME.part`` and beside it ``NAME.part.etag``, which tells of which blob it is the beginning.

    Args:
        target: the name that the file gets when it is whole.

    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.etag")
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._noted: str | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._waiting: deque[bytes] = deque()
        self._closed = False

    def has(self, size: int | None) -> bool:
        """Tell whether the whole file is there, and clear away what is left of its way."""
        if size is None:
            return False
        try:
            found = self._target.stat().st_size == size
        except FileNotFoundError:
            return False
        if found:
            self._note.unlink(missing_ok=True)
            self._part.unlink(missing_ok=True)
        return found

    def resume(self, most: int | None) -> tuple[int, str | None]:
        """Take up at most so many bytes of a part file; return their number and the blob's tag."""
        with self._lock:
            try:
                etag = self._note.read_text("ascii")
                file = self._file = self._opened(self._part, "r+b")
            except (FileNotFoundError, UnicodeDecodeError):
                return 0, None
            left = os.fstat(file.fileno()).st_size
            left = left if most is None else min(left, most)
            file.truncate(left)
            while block := file.read(_READ):
                self._md5.update(block)
            self._noted = etag
            return file.tell(), etag

    def add(self, pieces: Iterable[bytes]) -> None:
        """Hand over what comes next, to be written in a thread."""
        self._waiting.extend(pieces)

    def write(self, etag: str | None) -> None:
        """Write what waits."""
        with self._lock:
            if not self._closed:
                self._append(etag)

    def restart(self) -> None:
        """Begin with an empty file."""
        with self._lock:
            self._md5 = hashlib.md5(usedforsecurity=False)
            self._noted = None
            self._closed = False
            self._waiting.clear()
            self._note.unlink(missing_ok=True)
            if self._file is not None:
                self._file.seek(0)
                self._file.truncate()

    def complete(self, stated: bytes | None) -> bytes:
        """Write what waits, and rename the file if it has the digest; return its own."""
        with self._lock:
            self._append(None)
            self._closed = True
            found = self._md5.digest()
            if stated is None or found == stated:
                self._shut()
                self._part.replace(self._target)
            else:
                self._shut()
                self._part.unlink()
            self._note.unlink(missing_ok=True)
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
                    self._part.unlink(missing_ok=True)

    def _append(self, etag: str | None) -> None:
        if self._file is None:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._opened(self._part, "a+b")
            self._file.truncate(0)
        if etag is not None and etag != self._noted:
            self._note.write_text(etag, "ascii")
            self._noted = etag
        while self._waiting:
            piece = self._waiting.popleft()
            self._md5.update(piece)
            self._file.write(piece)
        self._file.flush()

    def _opened(self, path: Path, mode: str) -> BinaryIO:
        """Open a file that no other process has open for this."""
        while True:
            file: BinaryIO = path.open(mode)  # type: ignore[assignment]
            try:
                # Its owner may have renamed or removed it a moment ago.
                if _lock(file) and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
                file.close()
            except BlockingIOError:
                file.close()
                name = self._target.name
                raise FileTransferError(
                    f"{name} is being downloaded by another process or task", name=name
                ) from None
            except FileNotFoundError:
                file.close()

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: BinaryIO) -> bool:
    if sys.platform != "win32":  # which does not rename a file that another process has open
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
