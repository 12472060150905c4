"""Rows in the SQLite database of the checkpoint, in the same transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from itwin_async._tables.columns import Column, storable
from itwin_async.harvest.columns import Identify, Row, flat, reader
from itwin_async.harvest.errors import TargetError

_TYPES = {"integer": "INTEGER", "real": "REAL", "boolean": "INTEGER"}
_AT_ONCE = 64
_IDS_AT_ONCE = 500


class SqliteSink:
    """
    A table of typed columns, with each item's JSON beside them.

    Args:
        path: the database.
        table: name of the table.
        identify: makes ids where items have none of their own.

    Attributes:
        table: the quoted name.
        connection: the connection of the checkpoint, whose commit makes rows durable too.

    """

    connection: sqlite3.Connection

    def __init__(self, path: Path, table: str, identify: Identify | None = None) -> None:
        self.state = path
        self._identify = identify
        self.table = quoted(table)
        self._read: Callable[[object], Row]
        self._one = self._many = ""

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Create the table."""
        del mark
        cells = list(flat(columns, leave=("links",)))
        self._read = reader(cells)
        types = {column.name: _TYPES.get(column.kind, "TEXT") for column in cells}
        made = ["id"] if self._identify else []
        names = ["list", *made, *types, "json"]
        there = [row[1] for row in self.connection.execute(f"PRAGMA table_info({self.table})")]
        if there and there != names:
            raise TargetError(
                f"the table {self.table} was made by another version of the package; "
                "begin a new target"
            )
        body = ", ".join(
            f"{quoted(name)} {types.get(name, 'TEXT')}"
            + " NOT NULL" * (name in {"list", "id", "json"})
            for name in names
        )
        self.connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self.table} ({body}, UNIQUE (list, id))"
        )
        row = f"({', '.join('?' * len(names))})"
        listed = ", ".join(map(quoted, names))
        self._one = f"INSERT INTO {self.table} ({listed}) VALUES {row}"  # noqa: S608 - quoted
        self._many = f"{self._one}{f', {row}' * (_AT_ONCE - 1)}"

    def write(self, key: str, items: Sequence[object], texts: Sequence[bytes]) -> None:
        """Insert rows."""
        rows = list(self._rows(key, zip(items, texts, strict=True)))
        execute = self.connection.execute
        execute("SAVEPOINT page")
        try:
            try:
                self._insert(rows)
            except OverflowError:
                execute("ROLLBACK TO page")
                self._insert([tuple(map(storable, row)) for row in rows])
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back everything
                execute("ROLLBACK TO page")
            raise
        finally:
            with suppress(sqlite3.Error):
                execute("RELEASE page")

    @property
    def waiting(self) -> bool:
        """Always: a commit costs little."""
        return True

    def commit(self) -> str:
        """Do nothing; the checkpoint commits."""
        return ""

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        found = self.connection.execute(f"SELECT id FROM {self.table} WHERE list = ?", (key,))  # noqa: S608 - quoted
        return (name for (name,) in found)

    def close(self) -> None:
        """Do nothing; the connection is the checkpoint's."""

    def _rows(self, key: str, found: Iterable[tuple[object, bytes]]) -> Iterator[Row]:
        read, identify = self._read, self._identify
        if identify is None:
            return ((key, *read(item), text.decode()) for item, text in found)
        return ((key, identify(item, text), *read(item), text.decode()) for item, text in found)

    def _insert(self, rows: Sequence[Row]) -> None:
        execute = self.connection.execute
        # One statement for many rows: each statement releases the interpreter's lock and must get
        # it back from a busy event loop.
        whole = len(rows) - len(rows) % _AT_ONCE
        for start in range(0, whole, _AT_ONCE):
            execute(self._many, [value for row in rows[start : start + _AT_ONCE] for value in row])
        for row in rows[whole:]:
            execute(self._one, row)


def texts_of(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, str]]:
    """Yield list and JSON of each row of a harvested table."""
    yield from connection.execute(f"SELECT list, json FROM {quoted(table)} ORDER BY rowid")  # noqa: S608 - quoted


def known_ids(
    connection: sqlite3.Connection, table: str, list_: object, ids: Sequence[str]
) -> set[str]:
    """Tell which of some ids a list has in a table with the columns ``list`` and ``id``."""
    found: set[str] = set()
    for start in range(0, len(ids), _IDS_AT_ONCE):
        part = ids[start : start + _IDS_AT_ONCE]
        sql = f"SELECT id FROM {table} WHERE list = ? AND id IN ({', '.join('?' * len(part))})"  # noqa: S608 - quoted
        found.update(str(name) for (name,) in connection.execute(sql, (list_, *part)))
    return found


def quoted(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'
