"""One process per target."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from itwin_async.harvest.errors import TargetError

if sys.platform == "win32":
    import msvcrt

    def _lock(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """
    A file that one process holds; the system lets go of it however the process ends.

    Args:
        path: the file.
        target: what it guards, for the message.

    Raises:
        TargetError: another process holds it, or it cannot be made.

    """

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._target = target
        self._number: int | None = None

    def __enter__(self) -> Self:
        while self._number is None:
            self._number = self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._number is None:
            return
        if sys.platform != "win32":
            self._path.unlink(missing_ok=True)
        os.close(self._number)
        self._number = None

    def _take(self) -> int | None:
        try:
            number = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as problem:
            raise TargetError(f"{self._target} cannot be written: {problem.strerror}") from None
        try:
            _lock(number)
            # Whoever held it may have removed the file meanwhile; then the lock guards nothing.
            if self._path.stat().st_ino == os.fstat(number).st_ino:
                return number
        except FileNotFoundError:
            pass
        except OSError:
            os.close(number)
            raise TargetError(
                f"{self._target} is in use by another harvest; wait for it or stop it"
            ) from None
        os.close(number)
        return None
