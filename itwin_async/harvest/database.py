"""The database that a checkpoint is in: SQLite, or PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from itwin_async.harvest.errors import TargetError, explain


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


class Database(Protocol):
    """
    What a checkpoint asks of its database; used by one thread.

    Attributes:
        name: what it is called in messages.

    """

    name: str

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with ``?`` for values, and read all its rows."""
        ...

    def change(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement for each row of values, and count the rows that it changed."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to commit."""
        ...

    def begin(self, *, reading: bool = False) -> None:
        """Begin a transaction; of one moment if it only reads."""
        ...

    def commit(self) -> None:
        """Commit."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, or take back all of it."""
        ...

    def repeat(self, work: Callable[[], None], again: Callable[[], None]) -> None:
        """Do work that is one transaction, once more after ``again`` where it was lost."""
        ...

    def tables(self) -> set[str]:
        """Name the tables that are there."""
        ...

    def create(self, script: str) -> None:
        """Create tables, as written for SQLite, where they are missing."""
        ...

    def number_on(self, table: str) -> None:
        """Let numbers follow the highest one that was given."""
        ...

    def verify(self) -> None:
        """Look for damage, and raise an error of the database's if there is some."""
        ...

    def close(self) -> None:
        """Close it; what is not committed is dropped."""
        ...

    def discard(self) -> None:
        """Remove what opening it has created; after it was closed."""
        ...


class SqliteDatabase:
    """
    A SQLite file.

    Args:
        path: the file.
        writable: create it if there is none.

    Attributes:
        connection: the connection.

    Raises:
        TargetError: it cannot be opened.

    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        if not writable and not path.exists():
            raise TargetError(f"{path} does not exist", kind="missing")
        if not writable:
            _roll_back(path)
        self.name = str(path)
        self._path = path
        self._writable = writable
        self._fresh = not path.exists()
        address = f"{path.absolute().as_uri()}?mode={'rwc' if writable else 'ro'}"
        try:
            self.connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=20)
        except sqlite3.Error as problem:
            raise explain(problem, path, "opened") from None

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and read all its rows."""
        return self.connection.execute(sql, values).fetchall()

    def change(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run a statement for each row of values, and count the rows that it changed."""
        return max(0, self.connection.executemany(sql, rows).rowcount)

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to commit."""
        return self.connection.in_transaction

    def begin(self, *, reading: bool = False) -> None:
        """Begin a transaction; of one moment if it only reads."""
        self.connection.execute("BEGIN" if reading else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit."""
        self.connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block, or take back all of it."""
        with self.connection:
            self.begin()
            yield

    def repeat(self, work: Callable[[], None], again: Callable[[], None]) -> None:
        """Do work; nothing is lost between a process and its file."""
        del again
        work()

    def tables(self) -> set[str]:
        """Name what is there."""
        return {str(name) for (name,) in self.execute("SELECT name FROM sqlite_master")}

    def create(self, script: str) -> None:
        """Create tables, where they are missing."""
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")
        self.connection.executescript(script)

    def number_on(self, table: str) -> None:
        """Do nothing; SQLite looks for the highest number itself."""

    def verify(self) -> None:
        """Let SQLite look for damage, which raises ``sqlite3.DatabaseError``."""
        faults = [text for (text,) in self.execute("PRAGMA integrity_check(1)") if text != "ok"]
        if faults:
            raise sqlite3.DatabaseError(faults[0])

    def close(self) -> None:
        """Close the database; what is not committed is dropped."""
        if self._writable and not self.in_transaction:
            # One plain file again, that can be read where nothing may be written beside it.
            with suppress(sqlite3.Error):  # somebody reads it, or the disk is full, or it is closed
                self.execute("PRAGMA busy_timeout=0")
                self.execute("PRAGMA journal_mode=DELETE")
        self.connection.close()

    def discard(self) -> None:
        """Remove the file if it was not there before."""
        if self._fresh:
            for ending in ("", "-wal", "-shm"):
                self._path.with_name(f"{self._path.name}{ending}").unlink(missing_ok=True)


def _roll_back(path: Path) -> None:
    """Let SQLite undo what a process that was killed has left half done: a reader may not."""
    if not path.with_name(f"{path.name}-journal").exists():
        return
    address = f"{path.absolute().as_uri()}?mode=rw"
    # Somebody may be writing it, or nobody may.
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True)) as connection:
        connection.execute("SELECT name FROM sqlite_master").fetchall()
