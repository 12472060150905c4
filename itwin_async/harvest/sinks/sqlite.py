"""Rows in the SQLite database of the checkpoint, in the same transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from itwin_async._tables.columns import Column, storable
from itwin_async.harvest.columns import MOMENTS, Cells, flat, moment, moment_of, reader
from itwin_async.harvest.database import Database, SqliteDatabase, quoted
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import TableSink

_TYPES = {"integer": "INTEGER", "real": "REAL", "boolean": "INTEGER"}
_AT_ONCE = 64
_IDS_AT_ONCE = 500
_ALWAYS = {"list", "id", "json", *MOMENTS[:-1]}
# Rows of a page share their moments.
_moment = lru_cache(64)(moment)
_moment_of = lru_cache(64)(moment_of)


class SqliteSink(TableSink):
    """
    A table of typed columns, with each item's JSON and moments beside them.

    Args:
        path: the database.
        table: name of the table.
        with_id: whether ids have a column of their own, since items have none.
        check: raises ``ValueError`` for a row that has no place where rows go from here.

    Attributes:
        table: the quoted name.
        connection: the connection of the checkpoint, whose commit makes rows durable too.

    """

    connection: sqlite3.Connection

    def __init__(
        self,
        path: Path,
        table: str,
        *,
        with_id: bool = False,
        check: Callable[[Row], None] = lambda _: None,
    ) -> None:
        self.state = path
        self._check = check
        self._with_id = with_id
        self._name = table
        self.table = quoted(table)
        self._read: Callable[[object], Cells]
        self._one = self._many = ""

    def use(self, database: Database) -> None:
        """Take the checkpoint's database."""
        self.connection = cast("SqliteDatabase", database).connection

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Create the table."""
        del mark
        cells = list(flat(columns, leave=("links",)))
        self._read = reader(cells)
        types = {column.name: _TYPES.get(column.kind, "TEXT") for column in cells}
        made = ["id"] if self._with_id else []
        names = ["list", "list_name", *made, *types, "json", *MOMENTS]
        there = [row[1] for row in self.connection.execute(f"PRAGMA table_info({self.table})")]
        if there and there != names:
            raise TargetError(
                f"the table {self.table} was made by another version of the package; "
                "begin a new target"
            )
        body = ", ".join(
            f"{quoted(name)} {types.get(name, 'TEXT')}" + " NOT NULL" * (name in _ALWAYS)
            for name in names
        )
        self.connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self.table} ({body}, UNIQUE (list, id))"
        )
        index = quoted(f"{self._name}_id")
        self.connection.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {self.table} (id)")
        row = f"({', '.join('?' * len(names))})"
        listed = ", ".join(map(quoted, names))
        self._one = f"INSERT INTO {self.table} ({listed}) VALUES {row}"  # noqa: S608 - quoted
        self._many = f"{self._one}{f', {row}' * (_AT_ONCE - 1)}"

    def write_rows(self, rows: Sequence[Row], items: Sequence[object]) -> None:
        """Insert rows."""
        for row in rows:
            self._check(row)
        cells = [self._cells(row, item) for row, item in zip(rows, items, strict=True)]
        execute = self.connection.execute
        execute("SAVEPOINT page")
        try:
            try:
                self._insert(cells)
            except OverflowError:
                execute("ROLLBACK TO page")
                self._insert([tuple(map(storable, row)) for row in cells])
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled back everything
                execute("ROLLBACK TO page")
            raise
        finally:
            with suppress(sqlite3.Error):
                execute("RELEASE page")

    def rows(self) -> Iterator[Row]:
        """Read all rows."""
        return rows_of(self.connection, self._name, removed=True)

    def replace(self, rows: Iterable[Row], read: Callable[[bytes], object]) -> None:
        """Write what is new, and bring what is there to its new state."""
        same = (
            f"UPDATE {self.table} SET list_name = ?, harvested_at = ?, first_seen = ?,"  # noqa: S608 - quoted
            " last_seen = ?, removed_at = ? WHERE list = ? AND id = ? AND json = ?"
        )
        other = f"DELETE FROM {self.table} WHERE list = ? AND id = ?"  # noqa: S608 - quoted
        execute = self.connection.execute
        for row in rows:
            known = (row.list, row.id)
            if not execute(
                same, (row.list_name, *_moments(row), *known, row.text.decode())
            ).rowcount:
                execute(other, known)
                self.write_rows([row], [read(row.text)])

    @property
    def waiting(self) -> bool:
        """Always: a commit costs little."""
        return True

    def commit(self) -> str:
        """Do nothing; the checkpoint commits."""
        return ""

    def forget(self) -> None:
        """Do nothing: the database has them all."""

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        found = self.connection.execute(f"SELECT id FROM {self.table} WHERE list = ?", (key,))  # noqa: S608 - quoted
        return (name for (name,) in found)

    def known(self, key: str, ids: Sequence[str]) -> set[str]:
        """Tell which of some ids a list has."""
        found: set[str] = set()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = ids[start : start + _IDS_AT_ONCE]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT id FROM {self.table} WHERE list = ? AND id IN ({marks})"  # noqa: S608 - quoted
            rows = self.connection.execute(sql, (key, *part))
            found.update(str(name) for (name,) in rows)
        return found

    def close(self) -> None:
        """Do nothing; the connection is the checkpoint's."""

    def _cells(self, row: Row, item: object) -> Cells:
        made = (row.id,) if self._with_id else ()
        return (
            row.list,
            row.list_name,
            *made,
            *self._read(item),
            row.text.decode(),
            *_moments(row),
        )

    def _insert(self, rows: Sequence[Cells]) -> None:
        execute = self.connection.execute
        # One statement for many rows: each statement releases the interpreter's lock and must get
        # it back from a busy event loop.
        whole = len(rows) - len(rows) % _AT_ONCE
        for start in range(0, whole, _AT_ONCE):
            execute(self._many, [value for row in rows[start : start + _AT_ONCE] for value in row])
        for row in rows[whole:]:
            execute(self._one, row)


def rows_of(
    connection: sqlite3.Connection, table: str, *, removed: bool, of: str | None = None
) -> Iterator[Row]:
    """Read the rows of a harvested table or list, removed ones only if wanted."""
    of_list = "" if of is None else " AND list = ?"
    found = connection.execute(
        "SELECT list, list_name, id, json, harvested_at, first_seen, last_seen, removed_at"  # noqa: S608 - quoted
        f" FROM {quoted(table)} WHERE {'true' if removed else 'removed_at IS NULL'}{of_list}"
        " ORDER BY rowid",
        () if of is None else (of,),
    )
    yield from map(row_of, found)


def row_of(values: Sequence[Any]) -> Row:
    """Make a row of its columns, without those of the item."""
    key, name, id_, text, harvested, first, last, gone = values
    return Row(
        key,
        name,
        str(id_),
        text.encode(),
        _moment_of(harvested),
        _moment_of(first),
        _moment_of(last),
        None if gone is None else _moment_of(gone),
    )


def _moments(row: Row) -> tuple[str | None, ...]:
    removed = None if row.removed_at is None else _moment(row.removed_at)
    return _moment(row.harvested_at), _moment(row.first_seen), _moment(row.last_seen), removed
