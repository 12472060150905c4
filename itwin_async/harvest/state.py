"""The database that a harvest remembers everything in: what it is of, and its generations."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from itwin_async._version import __version__
from itwin_async.harvest.columns import moment, moment_of
from itwin_async.harvest.database import Database, SqliteDatabase
from itwin_async.harvest.errors import TargetError, explain, reading
from itwin_async.harvest.migration import check_format
from itwin_async.harvest.postgres.address import Address
from itwin_async.harvest.postgres.connection import PostgresDatabase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS harvest_meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS harvest_sources (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    parent INTEGER,
    item TEXT NOT NULL,
    table_name TEXT,
    mark TEXT,
    removed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS harvest_generations (
    number INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT, version TEXT
);
CREATE TABLE IF NOT EXISTS harvest_lists (
    number INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    key TEXT NOT NULL,
    list_name TEXT,
    parent INTEGER,
    state TEXT NOT NULL DEFAULT 'open',
    cursor TEXT,
    items INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    checked INTEGER NOT NULL DEFAULT 0,
    kind TEXT,
    error TEXT,
    started TEXT,
    finished TEXT,
    unread INTEGER NOT NULL DEFAULT 0,
    UNIQUE (source, key)
);
CREATE INDEX IF NOT EXISTS harvest_lists_state ON harvest_lists (state, number);
CREATE TABLE IF NOT EXISTS harvest_seen (
    list INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (list, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS harvest_quarantine (
    list INTEGER NOT NULL,
    page INTEGER NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    error TEXT NOT NULL,
    harvested_at TEXT NOT NULL,
    UNIQUE (list, json)
);
"""


@attrs.frozen
class Generation:
    """
    One reading of everything; the first is the harvest, each refresh makes another.

    Attributes:
        number: counted from 1.
        started: when it was begun.
        finished: when it was complete, except for lists that failed.
        version: the version of this package that began it.

    """

    number: int
    started: datetime
    finished: datetime | None
    version: str


class StateDatabase:
    """
    The database of a target's state; used by one thread.

    Args:
        place: the database.
        writable: open it for a harvest, and create it if there is none.

    Attributes:
        database: the database.

    Raises:
        TargetError: it is no database of a harvest, or of a later format.

    """

    def __init__(self, place: Path | Address | PostgresDatabase, *, writable: bool) -> None:
        self._writable = writable
        self._latest = datetime.min.replace(tzinfo=UTC)
        self.database: Database
        if isinstance(place, PostgresDatabase):
            self.database = place
        elif isinstance(place, Address):
            self.database = PostgresDatabase(place, lock="exclusive" if writable else None)
        else:
            self.database = SqliteDatabase(place, writable=writable)
        try:
            self.database.repeat(self._prepare, lambda: None)
            if not writable:
                self.database.begin(reading=True)  # what is read is of one moment
        except TargetError:
            self.database.close()
            raise
        except Exception as problem:  # noqa: BLE001 - each database has errors of its own
            self.database.close()
            raise explain(problem, self.database.name, "opened") from None

    def _prepare(self) -> None:
        database, name = self.database, self.database.name
        tables = database.tables()
        if tables and "harvest_meta" not in tables:
            raise TargetError(f"{name} is a database of something else, not a harvest")
        found = self.get("format") if tables else None
        check_format(database, found, writable=self._writable)
        if self._writable:
            if isinstance(database, PostgresDatabase) and tables:
                self._check_writers(database)
            if isinstance(database, SqliteDatabase) or not tables:
                database.create(_SCHEMA)
            if isinstance(database, PostgresDatabase):
                database.begin_turns()
        elif not tables:
            raise TargetError(f"{name} is empty: no harvest was begun")
        latest = self.get("latest")
        if latest is not None:
            # What is written from now on is later than all that is there.
            self._latest = moment_of(latest) + timedelta(microseconds=self._writable)

    def _check_writers(self, database: PostgresDatabase) -> None:
        is_shared = self.get("writers") == "many"
        if self.identity and is_shared != database.is_shared:
            one, many = "one machine at a time", "many machines"
            raise TargetError(
                f"{database.name} was begun for {many if is_shared else one} to write,"
                f" not {one if is_shared else many}; use another target"
            )

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of a SQLite database."""
        if not isinstance(self.database, SqliteDatabase):
            raise TypeError
        return self.database.connection

    def get(self, name: str) -> str | None:
        """Read a value."""
        rows = self._all("SELECT value FROM harvest_meta WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def set(self, name: str, value: str) -> None:
        """Save a value."""
        self.database.execute(
            "INSERT INTO harvest_meta VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    @property
    def identity(self) -> dict[str, str]:
        """What the target is a harvest of; empty if it is new."""
        text = self.get("identity")
        return {} if text is None else {str(k): str(v) for k, v in json.loads(text).items()}

    def now(self) -> datetime:
        """
        Tell the time, never before one that the target holds already.

        Clocks jump; what is derived from the moments of rows must not.
        """
        self._latest = max(datetime.now(UTC), self._latest)
        return self._latest

    def generations(self) -> list[Generation]:
        """List the generations, the present one last."""
        rows = self._all(
            "SELECT number, started, finished, version FROM harvest_generations ORDER BY number"
        )
        return [
            Generation(
                number, moment_of(started), None if done is None else moment_of(done), version
            )
            for number, started, done, version in rows
        ]

    def begin_generation(self, number: int) -> None:
        """Note that a generation begins, after all that is there."""
        self._latest += timedelta(microseconds=1)
        self.database.execute(
            "INSERT INTO harvest_generations (number, started, version) VALUES (?, ?, ?)",
            (number, moment(self.now()), __version__),
        )

    def end_generation(self) -> None:
        """Note that the present generation is finished, where that is not noted yet."""
        self.database.execute(
            "UPDATE harvest_generations SET finished = ? WHERE finished IS NULL",
            (moment(self.now()),),
        )

    def save_latest(self) -> None:
        """Save the latest moment that was told."""
        self.set("latest", moment(self._latest))

    def verify(self) -> None:
        """Let the database look for damage."""
        self.database.verify()

    def close(self) -> None:
        """Close the database; what is not committed is dropped."""
        self.database.close()

    def discard(self) -> None:
        """Close the database, and remove it if it was not there before."""
        self.database.close()
        self.database.discard()

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.database.execute(sql, values)


def exists(place: Path | Address) -> bool:
    """Tell whether a harvest was begun in a place."""
    if isinstance(place, Path):
        return place.exists()
    with closing(PostgresDatabase(place)) as database, reading(place):
        return "harvest_meta" in database.tables()
