"""
Files and folders of a target that are replaced whole.

The new one is made beside the old one, under a name that readers leave out. Which of the two counts
is decided by the commit of the checkpoint, where the swap is recorded; the renaming that follows is
finished by the next run where it is interrupted, and until then our readers take the right one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from itwin_async.harvest.errors import TargetError

_TABLE = "harvest_swaps"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS {_TABLE} (
    path TEXT PRIMARY KEY, staged TEXT NOT NULL, proof TEXT
) WITHOUT ROWID
"""
_COUNT = "swaps"
_CURRENT_FOLDER = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


@attrs.frozen
class Replacement:
    """
    What a sink made to replace its rows by.

    Attributes:
        mark: the sink's mark when the swap counts.
        swap: what takes the place of what.

    """

    mark: str
    swap: Swap


@attrs.frozen
class Swap:
    """
    A file or folder that takes the place of another, or of none.

    Attributes:
        path: its name when the swap is finished.
        staged: its name until then.
        proof: for a folder, the name of an entry that only the new one has.

    """

    path: Path
    staged: Path
    proof: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether the new one has its name."""
        if self.proof is None:
            return not self.staged.exists()
        return (self.path / self.proof).exists()

    @property
    def current(self) -> Path:
        """Where the new one is."""
        return self.path if self.is_done else self.staged


def staged_for(path: Path, target: Path) -> Path:
    """Name a new file or folder, beside the target that it belongs to and with the same ending."""
    name = path.name if path == target else f"{target.name}-{path.name}"
    return target.with_name(f".new-{name}")


def is_movable(path: Path) -> bool:
    """Tell whether a file or folder can get another name: what is mounted there cannot."""
    if not path.exists():
        return True
    whole = path.resolve()
    if whole.stat().st_dev != whole.parent.stat().st_dev:
        return False
    with suppress(OSError):  # a folder may be mounted out of the same file system
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        name = str(whole)
        for sign in "\\ \t\n":
            name = name.replace(sign, f"\\{ord(sign):03o}")
        return all(line.split(" ", 5)[4] != name for line in mounts.splitlines())
    return True


def staged_anew(path: Path, staged: Path) -> None:
    """
    Remove what was staged for a file or folder and not used.

    Raises:
        TargetError: its rows cannot be replaced.

    """
    if not is_movable(path):
        raise TargetError(
            f"{path} is a mount point, so its rows cannot be replaced in one step; "
            "use a target in the folder that is mounted"
        )
    discard(staged)


def commit(
    connection: sqlite3.Connection,
    folder: Path,
    swaps: Sequence[Swap],
    change: Callable[[], object],
) -> None:
    """
    Change the checkpoint and replace what swaps name, in one step that cannot be half done.

    Args:
        connection: the checkpoint's; no transaction may be open.
        folder: the folder of the checkpoint, which the names of swaps are relative to.
        swaps: what takes the place of what; both must be durable.
        change: what else belongs to the transaction, such as new marks.

    Raises:
        OSError: a name cannot be changed; it is when the target is opened next.

    """
    # A power cut must not take back the record of what was renamed afterwards.
    connection.execute("PRAGMA synchronous=FULL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            change()
            _record(connection, folder, swaps)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
    finally:
        connection.execute("PRAGMA synchronous=NORMAL")
    finish(connection, folder)


def count(connection: sqlite3.Connection) -> int:
    """Count the times that something was replaced; a reader sees by it that its names are old."""
    rows = connection.execute("SELECT value FROM harvest_meta WHERE name = ?", (_COUNT,)).fetchall()
    return int(rows[0][0]) if rows else 0


def pending(connection: sqlite3.Connection, folder: Path) -> list[Swap]:
    """List the swaps that count and may have to be finished."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_TABLE,)).fetchall()
    if not there:
        return []
    rows = connection.execute(f"SELECT path, staged, proof FROM {_TABLE}").fetchall()  # noqa: S608 - a constant
    return [Swap(folder / path, folder / staged, proof) for path, staged, proof in rows]


def current(connection: sqlite3.Connection, folder: Path, path: Path) -> Path:
    """Find the file or folder that counts under a name."""
    for swap in pending(connection, folder):
        if swap.path == path:
            return swap.current
    return path


def finish(connection: sqlite3.Connection, folder: Path) -> None:
    """
    Give what counts its name, and remove what it replaces; outside a transaction.

    Raises:
        OSError: it cannot be renamed.

    """
    for swap in pending(connection, folder):
        _finish(swap)
        connection.execute(
            f"DELETE FROM {_TABLE} WHERE path = ?",  # noqa: S608 - a constant
            (os.path.relpath(swap.path, folder),),
        )


def _record(connection: sqlite3.Connection, folder: Path, swaps: Iterable[Swap]) -> None:
    connection.execute(_SCHEMA)
    for swap in swaps:
        names = [os.path.relpath(path, folder) for path in (swap.path, swap.staged)]
        connection.execute(f"REPLACE INTO {_TABLE} VALUES (?, ?, ?)", (*names, swap.proof))  # noqa: S608 - a constant
    connection.execute(
        "REPLACE INTO harvest_meta VALUES (?, ?)", (_COUNT, str(count(connection) + 1))
    )


def discard(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name != "posix":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _finish(swap: Swap) -> None:
    aside = swap.staged.with_name(f"{swap.staged.name}.old")
    if not swap.is_done:
        _rename(swap, aside)
        sync_folder(swap.path.parent)
        if swap.staged.parent != swap.path.parent:
            sync_folder(swap.staged.parent)
    discard(swap.staged)  # after an exchange the old one has this name
    discard(aside)


def _rename(swap: Swap, aside: Path) -> None:
    if swap.proof is None:
        swap.staged.replace(swap.path)
        return
    if swap.path.exists():
        if exchange(swap.staged, swap.path):
            return
        # No call of POSIX replaces a folder that is not empty. For the moment between these two
        # renamings there is none under its name; our readers find the staged one meanwhile.
        swap.path.rename(aside)
    swap.staged.rename(swap.path)


def exchange(one: Path, other: Path) -> bool:
    """
    Exchange two names in one step, or tell that this system cannot.

    Raises:
        OSError: it can, but not with these.

    """
    if sys.platform != "linux":
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # an old C library
        return False
    names = [os.fsencode(path) for path in (one, other)]
    if not call(_CURRENT_FOLDER, names[0], _CURRENT_FOLDER, names[1], _EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:  # by this kernel, this file system or a sandbox
        return False
    raise OSError(number, os.strerror(number), str(one))


def stage_copy(source: Path, folder: Path) -> None:
    """Link a file that stays as it is into a folder, or copy it where links cannot be."""
    copy = folder / source.name
    with suppress(OSError):
        copy.hardlink_to(source)
        return
    shutil.copyfile(source, copy)
    with copy.open("rb+") as file:
        os.fsync(file.fileno())
