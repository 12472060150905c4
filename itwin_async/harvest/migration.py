"""Targets of an earlier format, brought to this one where that is simple."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from itwin_async._version import __version__
from itwin_async.harvest.columns import MOMENTS, moment
from itwin_async.harvest.database import Database, SqliteDatabase, quoted
from itwin_async.harvest.errors import TargetError

FORMAT = "3"
_MIGRATED = "2"


def check_format(database: Database, found: str | None, *, writable: bool) -> None:
    """
    Bring a SQLite target of format 2 to this format; it keeps its rows.

    Raises:
        TargetError: the target has another format.

    """
    if found in {None, FORMAT}:
        return
    connection = database.connection if isinstance(database, SqliteDatabase) else None
    tables = _tables(connection) if connection is not None and found == _MIGRATED else []
    target = database.name
    if connection is None or not tables:
        raise TargetError(
            f"{target} has format {found}; this version reads format {FORMAT}: "
            "harvest into a new target"
        )
    if not writable:
        raise TargetError(
            f"{target} has format {found}; this version reads format {FORMAT}: "
            "run its harvest again, which keeps what is there"
        )
    _migrate(connection, tables)


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Name the tables of a target that has its rows in the same database."""
    rows = connection.execute(
        "SELECT table_name FROM harvest_sources WHERE table_name IN"
        " (SELECT name FROM sqlite_master WHERE type = 'table')"
    )
    return [str(name) for (name,) in rows]


def _migrate(connection: sqlite3.Connection, tables: list[str]) -> None:
    now = moment(datetime.now(UTC))
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for table in tables:
            _add_columns(connection, table, now)
        connection.execute("ALTER TABLE harvest_lists RENAME COLUMN title TO list_name")
        connection.execute("ALTER TABLE harvest_lists ADD COLUMN started TEXT")
        connection.execute("ALTER TABLE harvest_lists ADD COLUMN unread INTEGER NOT NULL DEFAULT 0")
        connection.execute(
            "ALTER TABLE harvest_sources ADD COLUMN removed INTEGER NOT NULL DEFAULT 0"
        )
        connection.execute(
            "CREATE TABLE harvest_generations"
            " (number INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT, version TEXT)"
        )
        first = "coalesce((SELECT min(finished) FROM harvest_lists), ?)"
        connection.execute(
            f"INSERT INTO harvest_generations VALUES (1, {first}, NULL, ?)",  # noqa: S608 - constant
            (now, __version__),
        )
        connection.execute("REPLACE INTO harvest_meta VALUES ('format', ?)", (FORMAT,))
        connection.execute("REPLACE INTO harvest_meta VALUES ('latest', ?)", (now,))


def _add_columns(connection: sqlite3.Connection, table: str, now: str) -> None:
    """
    Make a table anew with the columns of this format.

    When its lists were finished is the nearest that is known of when its rows were read.
    """
    old, new = quoted(table), quoted(f"{table} of format {FORMAT}")
    there = [
        (str(name), str(kind), bool(needed))
        for _, name, kind, needed, *_ in connection.execute(f"PRAGMA table_info({old})")
    ]
    kept = ", ".join(f"{old}.{quoted(name)}" for name, *_ in there[1:])
    columns = [("list", "TEXT", True), ("list_name", "TEXT", False)]
    columns += [(name.rstrip("_"), kind, needed) for name, kind, needed in there[1:]]
    columns += [(name, "TEXT", name != "removed_at") for name in MOMENTS]
    body = ", ".join(
        f"{quoted(name)} {kind}{' NOT NULL' * needed}" for name, kind, needed in columns
    )
    read = f"coalesce(harvest_lists.finished, '{now}')"
    connection.execute(f"CREATE TABLE {new} ({body}, UNIQUE (list, id))")
    connection.execute(
        f"INSERT INTO {new} SELECT {old}.list, harvest_lists.title, {kept},"  # noqa: S608 - quoted
        f" {read}, {read}, {read}, NULL FROM {old}"
        " LEFT JOIN harvest_lists ON harvest_lists.key = list AND harvest_lists.source ="
        " (SELECT number FROM harvest_sources WHERE table_name = ?)"
        f" ORDER BY {old}.rowid",
        (table,),
    )
    connection.execute(f"DROP TABLE {old}")
    connection.execute(f"ALTER TABLE {new} RENAME TO {old}")
