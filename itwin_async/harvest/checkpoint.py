"""
How far a harvest is: sources, lists, cursors and counts, in a database.

The layout is one for all targets, and described for users in ``docs/harvest.md``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from itwin_async._version import __version__
from itwin_async.harvest.columns import moment, moment_of
from itwin_async.harvest.database import Database, SqliteDatabase
from itwin_async.harvest.errors import TargetError, explain, reading
from itwin_async.harvest.migration import FORMAT, check_format
from itwin_async.harvest.plan import Plan
from itwin_async.harvest.postgres.address import Address
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.progress import Failure, printable

_FAILURES_KEPT = 1000
_IDS_AT_ONCE = 500
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
# Lists that only lead to others count where they failed, since something is missing then.
_COUNTED = """
FROM harvest_lists JOIN harvest_sources ON harvest_sources.number = harvest_lists.source
WHERE table_name IS NOT NULL OR state = 'failed'
"""


@attrs.frozen
class Entry:
    """
    A list to be read.

    Attributes:
        number: its number in the checkpoint.
        key: what it is the list of.
        cursor: where to resume, or ``None`` for the start.
        source: number of its source.
        list_name: display name of what it is the list of, if it is known.

    """

    number: int
    key: str
    cursor: str | None
    source: int
    list_name: str | None = None


@attrs.frozen
class Table:
    """
    A table of a target.

    Attributes:
        number: number of its source.
        source: name of its source.
        item: name of the class of its items.
        name: its name.
        mark: what its sink returned last.
        items: how many rows it has that are there.
        removed: how many it has besides, that are no longer there.

    """

    number: int
    source: str
    item: str
    name: str
    mark: str | None
    items: int
    removed: int = 0


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


@attrs.define
class Totals:
    """Counts over the whole target; ``leading`` are lists to read whose items have lists."""

    lists: int = 0
    done: int = 0
    failed: int = 0
    items: int = 0
    pages: int = 0
    leading: int = 0
    quarantined: int = 0


class Checkpoint:
    """
    The tables that say how far a harvest is; used by one thread.

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

    @property
    def all_known(self) -> bool:
        """Whether no list is to be read whose items have lists."""
        return bool(self.identity) and not self._leading()

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

    def begin(
        self,
        identity: Mapping[str, str],
        plan: Plan,
        *,
        generation: int = 1,
        after: datetime | None = None,
    ) -> None:
        """
        Save what a new target is a harvest of, and the lists that are known from the start.

        Args:
            identity: what it is a harvest of.
            plan: the sources.
            generation: number of the generation.
            after: when it begins at the earliest.

        """
        self._latest = max(self._latest, after or self._latest)
        with self.database.transaction():
            self.set("format", FORMAT)
            self.set("identity", json.dumps(dict(identity)))
            self.begin_generation(generation)
            self.save_latest()
            for node in plan:
                source = node.source
                table = source.table if node.stored else None
                self.database.execute(
                    "INSERT INTO harvest_sources (number, name, parent, item, table_name)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (node.number, source.name, node.parent, source.item.__name__, table),
                )
                if node.parent is None:
                    self.add_lists(node.number, None, ((key, None) for key in source.keys))

    def tables(self) -> list[Table]:
        """List the tables."""
        rows = self._all(
            "SELECT number, name, item, table_name, mark,"
            " (SELECT coalesce(sum(items), 0) FROM harvest_lists"
            " WHERE source = harvest_sources.number),"
            " removed"
            " FROM harvest_sources WHERE table_name IS NOT NULL ORDER BY number"
        )
        return [
            Table(number, source, item, name, mark, int(items), removed)
            for number, source, item, name, mark, items, removed in rows
        ]

    def set_mark(self, number: int, mark: str) -> None:
        """Save what the sink of a source returned."""
        self.database.execute(
            "UPDATE harvest_sources SET mark = ? WHERE number = ?", (mark, number)
        )

    def reopen(self) -> None:
        """Make lists that failed open again."""
        self.database.execute(
            "UPDATE harvest_lists SET state = 'open', kind = NULL, error = NULL"
            " WHERE state = 'failed'"
        )
        if self._all("SELECT 1 FROM harvest_lists WHERE state = 'open' LIMIT 1"):
            self.database.execute(
                "UPDATE harvest_generations SET finished = NULL"
                " WHERE number = (SELECT max(number) FROM harvest_generations)"
            )

    def open_lists(self, after: int, count: int) -> list[Entry]:
        """Read the next lists that are not finished."""
        rows = self._all(
            "SELECT number, key, cursor, source, list_name FROM harvest_lists"
            " WHERE state = 'open' AND number > ? ORDER BY number LIMIT ?",
            after,
            count,
        )
        return [Entry(*values) for values in rows]

    def add_lists(
        self, source: int, parent: int | None, keys: Iterable[tuple[str, str | None]]
    ) -> int:
        """Add lists of a source, keys with names, and count those that are new."""
        sql = (
            "INSERT INTO harvest_lists (source, parent, key, list_name)"
            " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        )
        rows = (
            (source, parent, key, None if name is None else _written(name)) for key, name in keys
        )
        return self.database.change(sql, rows)

    def advance(self, entry: Entry, cursor: str, items: int, *, done: bool) -> None:
        """Save the cursor after a page of a list, and how many items it added."""
        self.database.execute(
            "UPDATE harvest_lists SET cursor = ?, items = items + ?, pages = pages + 1,"
            " started = coalesce(started, ?) WHERE number = ?",
            (cursor, items, moment(self.now()), entry.number),
        )
        if done:
            self.finish(entry)

    def finish(self, entry: Entry) -> None:
        """Mark a list as done; it gets no more rows to compare with."""
        self.database.execute(
            "UPDATE harvest_lists SET state = 'done', finished = ? WHERE number = ?",
            (moment(self.now()), entry.number),
        )
        self.database.execute("DELETE FROM harvest_seen WHERE list = ?", (entry.number,))

    def fail(self, entry: Entry, kind: str, error: str) -> None:
        """Mark a list as failed."""
        self.database.execute(
            "UPDATE harvest_lists SET state = 'failed', kind = ?, error = ? WHERE number = ?",
            (kind, _written(error), entry.number),
        )

    @property
    def has_quarantine(self) -> bool:
        """Whether items can have been set aside: targets of earlier versions have no place."""
        return "harvest_quarantine" in self.database.tables()

    def set_aside(self, entry: Entry, position: int, text: bytes, error: str) -> int:
        """Note an item of a list's next page that is no row, and count it if it is new."""
        sql = (
            "INSERT INTO harvest_quarantine SELECT number, pages + 1, ?, ?, ?, ?"
            " FROM harvest_lists WHERE number = ? ON CONFLICT DO NOTHING"
        )
        shown = _written(text.decode(errors="backslashreplace"))
        values = (position, shown, _written(error), moment(self.now()), entry.number)
        return self.database.change(sql, [values])

    def rewind(self, entry: Entry) -> None:
        """Let a list begin again from its start."""
        self.database.execute(
            "UPDATE harvest_lists SET cursor = NULL WHERE number = ?", (entry.number,)
        )

    def compare(self, entry: Entry, ids: Iterable[str]) -> None:
        """Note that further ids of a list are compared; ``ids`` are those of its rows so far."""
        self.database.execute(
            "UPDATE harvest_lists SET checked = 1 WHERE number = ?", (entry.number,)
        )
        self.remember(entry, ids)

    def seen(self, entry: Entry, ids: Sequence[str]) -> Iterable[str]:
        """Tell which of some ids of a list are remembered."""
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = ids[start : start + _IDS_AT_ONCE]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT id FROM harvest_seen WHERE list = ? AND id IN ({marks})"  # noqa: S608
            yield from (str(name) for (name,) in self._all(sql, entry.number, *part))

    def is_compared(self, entry: Entry) -> bool:
        """Tell whether the ids of a list were compared, in an earlier run too."""
        rows = self._all("SELECT checked FROM harvest_lists WHERE number = ?", entry.number)
        return bool(rows and rows[0][0])

    def remember(self, entry: Entry, ids: Iterable[str]) -> None:
        """Remember ids of a list until it is finished."""
        self.database.change(
            "INSERT INTO harvest_seen VALUES (?, ?) ON CONFLICT DO NOTHING",
            ((entry.number, one) for one in ids),
        )

    def totals(self) -> Totals:
        """Count."""
        rows = self._all(
            "SELECT count(*), count(*) FILTER (WHERE state = 'done'),"
            " count(*) FILTER (WHERE state = 'failed'),"
            f" coalesce(sum(items), 0), coalesce(sum(pages), 0) {_COUNTED}"
        )
        lists, done, failed, items, pages = map(int, rows[0])
        sql = "SELECT count(*) FROM harvest_quarantine"
        quarantined = int(self._all(sql)[0][0]) if self.has_quarantine else 0
        return Totals(lists, done, failed, items, pages, self._leading(), quarantined)

    def parent_of(self, source: int) -> int | None:
        """Tell the source whose items have the lists of another."""
        rows = self._all("SELECT parent FROM harvest_sources WHERE number = ?", source)
        return rows[0][0] if rows else None

    def items(self) -> dict[tuple[int, str], int]:
        """Count the rows of each list that has some, by its source's number and its key."""
        rows = self._all("SELECT source, key, items FROM harvest_lists WHERE items > 0")
        return {(source, key): items for source, key, items in rows}

    def lists(self) -> Iterator[tuple[str, str, str, int]]:
        """Read the source's name, key, state and number of rows of each list that counts."""
        yield from self.database.execute(
            "SELECT harvest_sources.name, key, state, items FROM harvest_lists"
            " JOIN harvest_sources ON harvest_sources.number = harvest_lists.source"
            " WHERE table_name IS NOT NULL OR state = 'failed'"
        )

    def verify(self) -> None:
        """Let the database look for damage."""
        self.database.verify()

    def failures(self) -> list[Failure]:
        """Read lists that failed, the first thousand."""
        rows = self._all(
            "SELECT key, list_name, kind, error,"
            " (SELECT name FROM harvest_sources WHERE number = source)"
            " FROM harvest_lists WHERE state = 'failed' ORDER BY number LIMIT ?",
            _FAILURES_KEPT,
        )
        return [Failure(*values) for values in rows]

    def close(self) -> None:
        """Close the database; what is not committed is dropped."""
        self.database.close()

    def discard(self) -> None:
        """Close the database, and remove it if it was not there before."""
        self.database.close()
        self.database.discard()

    def _leading(self) -> int:
        rows = self._all(
            "SELECT count(*) FROM harvest_lists WHERE state = 'open' AND source IN"
            " (SELECT parent FROM harvest_sources)"
        )
        return int(rows[0][0])

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.database.execute(sql, values)


def exists(place: Path | Address) -> bool:
    """Tell whether a harvest was begun in a place."""
    if isinstance(place, Path):
        return place.exists()
    with closing(PostgresDatabase(place)) as database, reading(place):
        return "harvest_meta" in database.tables()


def _written(text: str) -> str:
    """Write out what is no character, and the one that PostgreSQL does not take."""
    return printable(text).replace("\0", "\\x00")
