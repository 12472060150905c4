"""The files of a target, and the lock that allows one harvest at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from itwin_async._arguments import invalid
from itwin_async.errors import ConfigurationError
from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.postgres.address import Address, address_of, is_address

Form: TypeAlias = Literal["sqlite", "ndjson", "parquet", "delta", "objects", "postgresql"]

_ENDINGS: dict[str, Form] = {
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".ndjson": "ndjson",
    ".ndjson.gz": "ndjson",
    ".ndjson.zst": "ndjson",
    ".parquet": "parquet",
    ".delta": "delta",
}
_URL = re.compile(
    r"((s3|s3a|az|azure|adl|gs|memory)://|abfss?://([^/?#@:]+@)?)[^/?#@]+/[^?#]+", re.IGNORECASE
)
_ESCAPE = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)  # delta-rs undoes them once too often
_IN_STORES: dict[str, Form] = {".delta": "delta", ".parquet": "objects"}
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
        url: address of a target that many machines may write; path and state are then the database
            on this machine that its rows come through.
        options: how its store is reached, besides what the environment says.
        address: of a target in PostgreSQL, which holds the checkpoint too.

    """

    path: Path
    form: Form
    state: Path
    lock: Path
    url: str | None = None
    options: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    address: Address | None = None

    @property
    def folder(self) -> Path | None:
        """The folder of a target that is one on this machine."""
        if self.form == "delta" and self.url is not None and "://" not in self.url:
            return Path(self.url)
        return self.path if self.form == "parquet" else None

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
        if self.form != "ndjson":
            return False
        start, end = self._name_and_ending
        name = path.name.casefold()
        return name.startswith(f"{start}.".casefold()) and name.endswith(end.casefold())

    @property
    def _name_and_ending(self) -> tuple[str, str]:
        end = max((end for end in _ENDINGS if self.path.name.lower().endswith(end)), key=len)
        return self.path.name[: -len(end)], self.path.name[-len(end) :]


def target_files(
    target: str | os.PathLike[str], storage_options: Mapping[str, str] | None = None
) -> TargetFiles:
    """
    Tell by its name what a target is.

    Args:
        target: its name.
        storage_options: how an object store is reached, besides what the environment says.

    Raises:
        ArgumentError: the name has none of the known endings, or options are no texts by names, or
            given for a target that takes none.

    """
    options = _checked(storage_options)
    if isinstance(target, str) and "://" in target:
        if is_address(target):
            return _in_database(target, options)
        return _in_store(target.rstrip("/"), options)
    return _on_this_machine(Path(target), options)


def _on_this_machine(path: Path, options: Mapping[str, str]) -> TargetFiles:
    """Tell what a file or a folder is."""
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
            str(path),
            f"a name that ends in {', '.join(_ENDINGS)}, or a postgresql:// URL",
        )
    form = _ENDINGS[known[0]]
    if form == "delta":
        if _ESCAPE.search(str(path.absolute())):
            raise invalid("target", str(path), "a path in which no % stands before two digits")
        spool = path.with_name(f"{path.name}.spool")
        return _spooled(spool, form, str(path.absolute()), options)
    if options:
        raise invalid("storage_options", [*options], "given for a target in an object store only")
    if form == "parquet" and (path / "_harvest.state").exists():
        raise TargetError(
            f"{path} was begun by an earlier version, whose state lies in it; "
            "harvest into a new target"
        )
    state = path if form == "sqlite" else path.with_name(f"{path.name}.state")
    return TargetFiles(path, form, state, path.with_name(f"{path.name}.lock"))


def _in_database(url: str, options: Mapping[str, str]) -> TargetFiles:
    """Tell what a URL of PostgreSQL is; a refresh is read into this user's cached files."""
    if options:
        raise invalid("storage_options", [*options], "given for a target in an object store only")
    address = address_of(url)
    spool = _cached(address.name)
    lock = spool.with_name(f"{spool.name}.lock")
    return TargetFiles(spool, "postgresql", spool, lock, address.name, address=address)


def _in_store(url: str, options: Mapping[str, str]) -> TargetFiles:
    """Tell what an address is; its harvest has a database among this user's cached files."""
    form = _IN_STORES.get(f".{url.rpartition('.')[2].lower()}")
    only_here = form == "delta" and url.lower().startswith("memory:")
    if form is None or only_here or not _URL.fullmatch(url):
        shown = re.sub(r"//.*@", "//", url.partition("?")[0])
        raise invalid(
            "target",
            shown,
            "s3://, abfss://, az:// or gs://, a bucket and a name that ends in .delta or .parquet,"
            " without a user and a query; or postgresql://",
        )
    return _spooled(_cached(url), form, url, options)


def _cached(name: str) -> Path:
    """Name the spool of what lies elsewhere, among this user's cached files."""
    try:
        from platformdirs import user_cache_path  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "a harvest needs an extra: pip install 'itwin-async[harvest]'"
        ) from None
    hashed = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    return user_cache_path("itwin-async") / "harvest" / f"{hashed}.spool"


def _spooled(spool: Path, form: Form, url: str, options: Mapping[str, str]) -> TargetFiles:
    return TargetFiles(spool, form, spool, spool.with_name(f"{spool.name}.lock"), url, options)


def _checked(options: Mapping[str, str] | None) -> dict[str, str]:
    if options is None:
        return {}
    given: object = options
    if not isinstance(given, Mapping):
        raise invalid("storage_options", type(given).__name__, "a mapping of str to str")
    for name, value in given.items():
        if not (isinstance(name, str) and name and isinstance(value, str)):
            raise invalid("storage_options", str(name), "a mapping of str to str")
    return dict(given)


def name_of(target: str | os.PathLike[str]) -> str:
    """Give the name of a target for messages; a URL may hold a password."""
    if isinstance(target, str) and is_address(target):
        return address_of(target).name
    return os.fspath(target)


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
        if isinstance(target, str):  # an address, whose lock is among cached files
            path.parent.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            with path.open("ab") as before:
                _check_locks(before.fileno(), path, target)
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
        # A lock file that may not be opened is somebody else's; a missing folder is the target's.
        is_lock = isinstance(target, str) or path.exists()
        raise explain(problem, path if is_lock else target) from None
    try:
        yield
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        lock.release()


def _check_locks(number: int, path: Path, target: Path | str) -> None:
    """Tell a file system without locks from a lock that another harvest holds."""
    if sys.platform == "win32":
        return
    import fcntl  # noqa: PLC0415 - of POSIX

    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(number, fcntl.LOCK_UN)
    except OSError as problem:
        if problem.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR}:
            raise TargetError(
                f"{target} cannot be locked: the file system of {path.parent.absolute()} has no"
                f" file locks ({problem.strerror}); harvest on another one, and copy the result"
            ) from None


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
