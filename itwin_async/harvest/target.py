"""The files of a target, and the lock that allows one harvest at a time."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from itwin_async._arguments import invalid
from itwin_async.errors import ConfigurationError
from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.postgres.address import Address, address_of, is_address

Form: TypeAlias = Literal["sqlite", "ndjson", "parquet", "postgresql"]

_ENDINGS: dict[str, Form] = {
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".ndjson": "ndjson",
    ".ndjson.gz": "ndjson",
    ".ndjson.zst": "ndjson",
    ".parquet": "parquet",
}
_LOOK = 0.2  # seconds; somebody may look for a moment whether the lock is held
_SQLITE_BESIDE = ("-wal", "-shm", "-journal")


@attrs.frozen
class TargetFiles:
    """
    A target and the files that belong to it.

    Attributes:
        path: a file, or a directory of parts; of several tables the name that theirs begin with.
        form: what it holds.
        state: the SQLite database of the checkpoint.
        lock: the lock file that exists while a harvest runs.
        url: address of a target that many machines may write; path and state are then the spool on
            this machine.
        address: of a target in a database, which holds the checkpoint too.

    """

    path: Path
    form: Form
    state: Path
    lock: Path
    url: str | None = None
    address: Address | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.path) if self.url is None else self.url

    @property
    def place(self) -> Path | Address:
        """Where the checkpoint is."""
        return self.state if self.address is None else self.address

    @property
    def spool(self) -> Path:
        """The SQLite database that a refresh is read into."""
        return self.path.with_name(f"{self.path.name}.refresh")

    def all(self) -> list[Path]:
        """List every file that a harvest writes, but for the parts in a directory."""
        beside = [
            file.with_name(f"{file.name}{end}")
            for file in (self.state, self.spool)
            for end in ("", *_SQLITE_BESIDE)
        ]
        return [self.path, self.lock, *beside]

    def of_table(self, table: str, *, alone: bool) -> Path:
        """Name the file or directory that the rows of a table are in."""
        if alone or self.form == "sqlite":
            return self.path
        if self.form == "parquet":
            return self.path / table
        start, end = self._name_and_ending
        return self.path.with_name(f"{start}.{table}{end}")

    def may_own(self, path: Path) -> bool:
        """Tell whether a file may be one of the target's tables, by its name."""
        start, end = self._name_and_ending
        name = path.name.casefold()
        belongs = name.startswith(f"{start}.".casefold()) and name.endswith(end.casefold())
        return self.form == "ndjson" and belongs

    @property
    def _name_and_ending(self) -> tuple[str, str]:
        end = max((end for end in _ENDINGS if self.path.name.lower().endswith(end)), key=len)
        return self.path.name[: -len(end)], self.path.name[-len(end) :]


def target_files(target: str | os.PathLike[str]) -> TargetFiles:
    """
    Tell by its name what a target is.

    Raises:
        ArgumentError: the name has none of the known endings.

    """
    if isinstance(target, str) and is_address(target):
        return _in_database(target)
    path = Path(target)
    if "\0" in str(path):
        raise invalid("target", str(path), "a name without NUL characters")
    try:
        if path.is_symlink():  # all names of a target share one checkpoint and one lock
            path = path.resolve()
    except (OSError, RuntimeError) as problem:  # too long, or links that lead in a circle
        raise explain(problem, path, "found") from None
    name = path.name.lower()
    known = [ending for ending in _ENDINGS if name.endswith(ending) and name != ending]
    if not known:
        raise invalid(
            "target",
            str(target),
            f"a name that ends in {', '.join(_ENDINGS)}, or a postgresql:// URL",
        )
    form = _ENDINGS[known[0]]
    if form == "parquet" and (path / "_harvest.state").exists():
        raise TargetError(
            f"{path} was begun by an earlier version, whose state lies in it; "
            "harvest into a new target"
        )
    state = path if form == "sqlite" else path.with_name(f"{path.name}.state")
    return TargetFiles(path, form, state, path.with_name(f"{path.name}.lock"))


def _in_database(url: str) -> TargetFiles:
    """Tell what a URL of PostgreSQL is; a refresh is read into this user's cached files."""
    address = address_of(url)
    try:
        from platformdirs import user_cache_path  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "a harvest needs an extra: pip install 'itwin-async[harvest]'"
        ) from None
    name = hashlib.blake2b(address.name.encode(), digest_size=16).hexdigest()
    spool = user_cache_path("itwin-async") / "harvest" / f"{name}.spool"
    lock = spool.with_name(f"{spool.name}.lock")
    return TargetFiles(spool, "postgresql", spool, lock, address.name, address)


@contextmanager
def locked(path: Path, target: Path | str) -> Iterator[None]:
    """
    Hold a lock file; the system releases it however the process ends.

    Args:
        path: the lock file; removed afterwards.
        target: what it guards, for messages.

    Raises:
        TargetError: another harvest holds it, or it cannot be created.
        ConfigurationError: ``filelock`` is not installed.

    """
    try:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "a harvest needs an extra: pip install 'itwin-async[harvest]'"
        ) from None
    lock = FileLock(path, mode=0o644, thread_local=False)
    try:
        if isinstance(target, str):  # a spool
            path.parent.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            with path.open("ab") as before:
                lock.acquire(timeout=_LOOK, poll_interval=_LOOK / 10)
                # A holder that ended meanwhile has removed the file; then this lock guards nothing.
                if not path.exists() or not os.path.samestat(
                    os.fstat(before.fileno()), path.stat()
                ):
                    lock.release()
    except Timeout:
        raise TargetError(
            f"{target} is in use by another harvest; wait for it or stop it", kind="busy"
        ) from None
    except OSError as problem:
        raise explain(problem, target) from None
    try:
        yield
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        lock.release()


def is_held(path: Path) -> bool:
    """Tell whether somebody holds a lock file at this moment."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:  # there is none, or it is somebody else's
        return False
    try:
        if sys.platform == "win32":
            return _is_held_on_windows(path)
        import fcntl  # noqa: PLC0415 - of POSIX

        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(number)
    return False


def _is_held_on_windows(path: Path) -> bool:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - an extra

    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False
