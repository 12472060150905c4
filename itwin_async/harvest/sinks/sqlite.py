"""InnerPage in the same SQLite database as the cursors, in the same transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from itwin_async.harvest.columns import Column, Row, flat, reader, storable
from itwin_async.harvest.errors import TargetError

_TYPES = {"integer": "INTEGER", "real": "REAL", "boolean": "INTEGER"}
_AT_ONCE = 64


class SqliteRows:
    """
    A table of typed columns, with each item's JSON beside them; an item stands there once a list.

    Args:
        connection: the connection that the state uses too.
        table: name of the table.
        columns: what ``columns_of`` gave.

    """

    def __init__(
        self, connection: sqlite3.Connection, table: str, columns: Sequence[Column]
    ) -> None:
        self._connection = connection
        self._columns = list(flat(columns, leave=("links",)))
        self._read: Callable[[object], Row] = reader(self._columns)
        names = ["list", *(column.name for column in self._columns), "json"]
        self._table = _quoted(table)
        self._create(names)
        listed = ", ".join(map(_quoted, names))
        row = f"({', '.join('?' * len(names))})"
        self._one = f"INSERT OR IGNORE INTO {self._table} ({listed}) VALUES {row}"  # noqa: S608 - quoted
        self._many = f"{self._one}{f', {row}' * (_AT_ONCE - 1)}"

    def write(self, key: str, items: Sequence[object], texts: Sequence[bytes]) -> int:
        """
        Insert rows; those that the list has already are left out.

        Args:
            key: the list that they are of.
            items: instances of the class.
            texts: JSON of each as the platform sent it.

        Returns:
            How many are new.

        """
        read, before = self._read, self._connection.total_changes
        rows = [(key, *read(item), text.decode()) for item, text in zip(items, texts, strict=True)]
        try:
            self._insert(rows)
        except OverflowError:
            self._insert([tuple(map(storable, row)) for row in rows])
        return self._connection.total_changes - before

    def _insert(self, rows: Sequence[Row]) -> None:
        execute = self._connection.execute
        # One statement for many rows: each statement lets go of the interpreter's lock and must
        # get it back from a busy event loop.
        whole = len(rows) - len(rows) % _AT_ONCE
        for start in range(0, whole, _AT_ONCE):
            execute(self._many, [value for row in rows[start : start + _AT_ONCE] for value in row])
        for row in rows[whole:]:
            execute(self._one, row)

    def _create(self, names: Sequence[str]) -> None:
        types = {column.name: _TYPES.get(column.kind, "TEXT") for column in self._columns}
        body = ", ".join(
            f"{_quoted(name)} {types.get(name, 'TEXT')}"
            + (" NOT NULL" if name in {"list", "id", "json"} else "")
            for name in names
        )
        there = [row[1] for row in self._connection.execute(f"PRAGMA table_info({self._table})")]
        if there and there != list(names):
            raise TargetError(
                f"the table {self._table} was made by another version of the package; "
                "begin a new target"
            )
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} ({body}, UNIQUE (list, id))"
        )


def texts_of(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, str]]:
    """
    Read a harvested table.

    Args:
        connection: an open connection.
        table: its name.

    Yields:
        List and JSON of each row.

    """
    yield from connection.execute(f"SELECT list, json FROM {_quoted(table)} ORDER BY rowid")  # noqa: S608 - quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
