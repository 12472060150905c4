"""How far a harvest is: lists, cursors and counts, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.messages import Ended, Entry, Failed, OuterPage, Restarted, InnerPage

FORMAT = "1"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS harvest_meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS harvest_lists (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    title TEXT,
    state TEXT NOT NULL DEFAULT 'open',
    cursor TEXT,
    items INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    checked INTEGER NOT NULL DEFAULT 0,
    kind TEXT,
    error TEXT
);
CREATE INDEX IF NOT EXISTS harvest_lists_state ON harvest_lists (state, number);
CREATE TABLE IF NOT EXISTS harvest_seen (
    list INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (list, id)
) WITHOUT ROWID;
"""


@attrs.define
class Totals:
    """Counts over the whole target."""

    lists: int
    done: int
    failed: int
    items: int
    pages: int


class Checkpoint:
    """
    The tables that remember a harvest; used by one thread.

    Args:
        path: the database.
        fresh: whether it may be created.

    Raises:
        TargetError: it is no database, or of a later format.

    """

    def __init__(self, path: Path, *, fresh: bool) -> None:
        if not fresh and not path.exists():
            raise TargetError(f"{path} does not exist")
        self._writes = fresh
        mode = "rwc" if fresh else "ro"
        address = f"{path.absolute().as_uri()}?mode={mode}"
        try:
            self.connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=20)
        except sqlite3.Error as problem:
            raise explain(problem, str(path), "used") from None
        try:
            self._prepare(path, fresh=fresh)
        except sqlite3.Error as problem:
            self.connection.close()
            raise explain(problem, str(path), "used") from None
        except TargetError:
            self.connection.close()
            raise

    def _prepare(self, path: Path, *, fresh: bool) -> None:
        tables = {name for (name,) in self._all("SELECT name FROM sqlite_master")}
        if tables and "harvest_meta" not in tables:
            raise TargetError(f"{path} is a database of something else, not a harvest")
        if fresh:
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
            self.connection.executescript(_SCHEMA)
        elif not tables:
            raise TargetError(f"{path} is empty: no harvest was begun")
        found = self.get("format")
        if found not in {None, FORMAT}:
            raise TargetError(f"{path} has format {found}; this version reads format {FORMAT}")

    def get(self, name: str) -> str | None:
        """Read a remembered value."""
        rows = self._all("SELECT value FROM harvest_meta WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def set(self, name: str, value: str) -> None:
        """Remember a value."""
        self.connection.execute("REPLACE INTO harvest_meta VALUES (?, ?)", (name, value))

    @property
    def identity(self) -> dict[str, str]:
        """What the target is a harvest of; empty if it is new."""
        text = self.get("identity")
        return {} if text is None else {str(k): str(v) for k, v in json.loads(text).items()}

    def begin(self, identity: Mapping[str, str], table: str, keys: Iterable[str]) -> None:
        """Note what a new target is a harvest of, and the lists that are known from the start."""
        with self.connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            self.set("format", FORMAT)
            self.set("identity", json.dumps(dict(identity)))
            self.set("table", table)
            self._add((key, None) for key in keys)

    def reopen(self) -> None:
        """Give lists that failed another chance."""
        self.connection.execute(
            "UPDATE harvest_lists SET state = 'open', kind = NULL, error = NULL"
            " WHERE state = 'failed'"
        )

    def open_lists(self, after: int, count: int) -> list[Entry]:
        """Read the next lists that are not finished."""
        rows = self._all(
            "SELECT number, key, cursor FROM harvest_lists"
            " WHERE state = 'open' AND number > ? ORDER BY number LIMIT ?",
            after,
            count,
        )
        return [Entry(number, key, cursor) for number, key, cursor in rows]

    def found(self, message: OuterPage) -> int:
        """Note a page of the outer list, and count the keys that are new."""
        new = self._add(message.keys)
        self.set("outer_cursor", message.cursor or "")
        if message.done:
            self.set("outer_done", "1")
        return new

    def advance(self, message: InnerPage, written: int) -> None:
        """Note a page of a list."""
        self.connection.execute(
            "UPDATE harvest_lists SET cursor = ?, items = items + ?, pages = pages + 1,"
            " state = ? WHERE number = ?",
            (message.cursor, written, "done" if message.done else "open", message.entry.number),
        )
        if message.done:
            self._forget(message.entry)

    def end(self, message: Ended) -> None:
        """Note that a list is finished."""
        self.connection.execute(
            "UPDATE harvest_lists SET state = 'done' WHERE number = ?", (message.entry.number,)
        )
        self._forget(message.entry)

    def fail(self, message: Failed) -> None:
        """Note why a list could not be read on."""
        self.connection.execute(
            "UPDATE harvest_lists SET state = 'failed', kind = ?, error = ? WHERE number = ?",
            (message.kind, message.error, message.entry.number),
        )

    def restart(self, message: Restarted, ids: Iterable[str]) -> None:
        """Let a list begin again, past what it has already."""
        number = message.entry.number
        self.connection.execute(
            "UPDATE harvest_lists SET cursor = NULL, checked = 1 WHERE number = ?", (number,)
        )
        self.connection.executemany(
            "INSERT OR IGNORE INTO harvest_seen VALUES (?, ?)", ((number, key) for key in ids)
        )

    def is_checked(self, number: int) -> bool:
        """Tell whether a list began again at some time."""
        rows = self._all("SELECT checked FROM harvest_lists WHERE number = ?", number)
        return bool(rows and rows[0][0])

    def is_new(self, number: int, item: str) -> bool:
        """Tell whether an item comes for the first time, and note that it came."""
        done = self.connection.execute(
            "INSERT OR IGNORE INTO harvest_seen VALUES (?, ?)", (number, item)
        )
        return done.rowcount == 1

    def totals(self) -> Totals:
        """Count."""
        rows = self._all(
            "SELECT count(*), total(state = 'done'), total(state = 'failed'),"
            " total(items), total(pages) FROM harvest_lists"
        )
        return Totals(*(int(value) for value in rows[0]))

    def failures(self, limit: int) -> Iterator[tuple[str, str | None, str, str]]:
        """Read lists that failed: key, title, kind and error."""
        yield from self._all(
            "SELECT key, title, kind, error FROM harvest_lists WHERE state = 'failed'"
            " ORDER BY number LIMIT ?",
            limit,
        )

    def close(self) -> None:
        """Close the database; what is not durable is dropped."""
        if self._writes and not self.connection.in_transaction:
            # One plain file again, that can be read where nothing may be written beside it.
            with suppress(sqlite3.Error):  # somebody reads it, or the disk is full
                self.connection.execute("PRAGMA busy_timeout=0")
                self.connection.execute("PRAGMA journal_mode=DELETE")
        self.connection.close()

    def _forget(self, entry: Entry) -> None:
        # A list that is finished gets no more rows to compare with.
        self.connection.execute("DELETE FROM harvest_seen WHERE list = ?", (entry.number,))

    def _add(self, keys: Iterable[tuple[str, str | None]]) -> int:
        return self.connection.executemany(
            "INSERT OR IGNORE INTO harvest_lists (key, title) VALUES (?, ?)", keys
        ).rowcount

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()
