"""The files of a target, and the lock that allows one harvest at a time."""

from __future__ import annotations

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

    """

    path: Path
    form: Form
    state: Path
    lock: Path

    def all(self) -> list[Path]:
        """List every file that a harvest writes, but for the parts in a directory."""
        beside = [self.state.with_name(f"{self.state.name}{end}") for end in _SQLITE_BESIDE]
        return [self.path, self.state, self.lock, *beside]

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


@attrs.frozen
class TargetServer:
    """
    A target in a PostgreSQL server, which has no files.

    Attributes:
        state: the schema that the checkpoint and the tables are in.

    """

    state: Address
    form: Form = "postgresql"

    @property
    def path(self) -> str:
        """What it is called in messages."""
        return self.state.name

    def of_table(self, table: str, *, alone: bool) -> str:
        """Name the table for messages."""
        del alone
        return f"{table} in {self.path}"


def target_files(target: str | os.PathLike[str]) -> TargetFiles | TargetServer:
    """
    Tell by its name what a target is.

    Raises:
        ArgumentError: the name has none of the known endings.

    """
    if isinstance(target, str) and is_address(target):
        return TargetServer(address_of(target))
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
    if form == "parquet":
        return TargetFiles(path, form, path / "_harvest.state", path / "_harvest.lock")
    state = path if form == "sqlite" else path.with_name(f"{path.name}.state")
    return TargetFiles(path, form, state, path.with_name(f"{path.name}.lock"))


@contextmanager
def locked(path: Path, target: Path) -> Iterator[None]:
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
        if path.parent == target:  # a directory of parts
            target.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            with path.open("ab") as before:
                lock.acquire(blocking=False)
                # A holder that ended meanwhile has removed the file; then this lock guards nothing.
                if not path.exists() or not os.path.samestat(
                    os.fstat(before.fileno()), path.stat()
                ):
                    lock.release()
    except Timeout:
        raise TargetError(
            f"{target} is in use by another harvest; wait for it or stop it"
        ) from None
    except OSError as problem:
        raise explain(problem, target) from None
    try:
        yield
    finally:
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
        lock.release()
