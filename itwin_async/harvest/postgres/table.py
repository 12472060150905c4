"""A table of a harvest in PostgreSQL: typed columns, and rows by ``COPY``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from functools import lru_cache

from itwin_async._tables.columns import Column, Kind, storable
from itwin_async.harvest.columns import MOMENTS, Cells, flat, moment, reader
from itwin_async.harvest.database import quoted
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.rows import Row

_TYPES: dict[Kind, str] = {
    "text": "text",
    "integer": "bigint",
    "real": "double precision",
    "boolean": "boolean",
    "moment": "timestamp with time zone",
    "json": "json",
}
_ALWAYS = {"list", "id", "json", *MOMENTS[:-1]}
_KEYS = {"list", "id"}  # sorted by bytes, as everywhere else
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LONGEST_NAME = 63  # bytes
_LONGEST_KEY = 2500  # bytes of list and id; an index takes no more
_moment = lru_cache(64)(moment)  # rows of a page share their moments


class PostgresTable:
    """
    A table of typed columns, with each item's JSON and moments beside them.

    No text of PostgreSQL holds the character U+0000 or half a surrogate pair. In typed columns
    U+FFFD stands for them, while ``json`` holds the item exactly as the platform sent it. An id
    or a list with such a character cannot be stored.

    Args:
        name: its name.
        columns: one for each attribute of the items' class.
        with_id: whether ids have a column of their own, since items have none.

    """

    def __init__(self, name: str, columns: Sequence[Column], *, with_id: bool) -> None:
        cells = list(flat(columns, leave=("links",)))
        self.name = name
        self._table = quoted(name)
        self._stage = quoted(f"itwin_stage_{name}"[:_LONGEST_NAME])
        self._with_id = with_id
        self._read = reader(cells)
        start = 2 + with_id
        self._numbers = [
            start + index for index, cell in enumerate(cells) if cell.kind in {"integer", "real"}
        ]
        types = {cell.name: _TYPES[cell.kind] for cell in cells}
        moments = dict.fromkeys(MOMENTS, _TYPES["moment"])
        made = {"id": "text"} if with_id else {}
        self._types = {
            "list": "text", "list_name": "text", **made, **types, "json": "json", **moments
        }  # fmt: skip
        self._numeric_id = self._types["id"] == "bigint"

    def prepare(self, database: PostgresDatabase) -> None:
        """
        Create the table, or check that it is as this version makes it.

        Raises:
            TargetError: it was made by another version of the package.

        """
        there = {
            str(name): str(kind)
            for name, kind in database.execute(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
                " WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped"
                " ORDER BY attnum",
                (self._full(database),),
            )
        }
        if there:
            if list(there.items()) != list(self._types.items()):
                raise TargetError(
                    f"the table {self._table} in {database.name} was made by another version of "
                    "the package; begin a new target"
                )
            return
        for name in (self.name, *self._types):
            if len(name.encode()) > _LONGEST_NAME:
                raise TargetError(f"{database.name} takes no name as long as {name}")
        body = ", ".join(
            f"{quoted(name)} {kind}"
            + ' COLLATE "C"' * (name in _KEYS and kind == "text")
            + " NOT NULL" * (name in _ALWAYS)
            for name, kind in self._types.items()
        )
        database.execute(f"CREATE TABLE {self._table} ({body}, UNIQUE (list, id))")
        database.execute(f"CREATE INDEX ON {self._table} (id)")

    def cells(self, row: Row, item: object) -> Cells:
        """
        Write a row as the values of its columns.

        Raises:
            ValueError: its list or its id cannot be stored.

        """
        check_key(row)
        made = (row.id,) if self._with_id else ()
        name = None if row.list_name is None else _UNSTORABLE.sub("\ufffd", row.list_name)
        cells: Cells = (
            row.list,
            name,
            *made,
            *self._read(item),
            row.text.decode(),
            _moment(row.harvested_at),
            _moment(row.first_seen),
            _moment(row.last_seen),
            None if row.removed_at is None else _moment(row.removed_at),
        )
        for index in self._numbers:
            if storable(cells[index]) is not cells[index]:
                cells = tuple(map(storable, cells))
        # What is no character comes out of an escape.
        return tuple(map(_text, cells)) if b"\\u" in row.text else cells

    def stage(self, database: PostgresDatabase, rows: Iterable[Cells]) -> None:
        """Copy rows into a temporary table, which the end of the transaction empties."""
        if self._stage not in database.staged:
            database.execute(
                f"CREATE TEMPORARY TABLE IF NOT EXISTS {self._stage}"
                f" (LIKE {self._table}) ON COMMIT DELETE ROWS"
            )
            database.staged.add(self._stage)
        with (
            database.connection.cursor() as cursor,
            cursor.copy(f"COPY {self._stage} FROM STDIN".encode()) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def add_staged(self, database: PostgresDatabase) -> int:
        """Insert the staged rows that are new, and count them."""
        sql = f"INSERT INTO {self._table} SELECT * FROM {self._stage} ON CONFLICT (list, id) DO NOTHING"  # noqa: E501, S608
        return database.connection.execute(sql.encode()).rowcount

    def replace_by_staged(self, database: PostgresDatabase) -> None:
        """Make the rows what the staged ones are."""
        table, stage = self._table, self._stage
        names = [quoted(name) for name in self._types if name not in _KEYS]
        values = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
        database.execute(f"ANALYZE {stage}")
        database.execute(
            f"DELETE FROM {table} WHERE NOT EXISTS"  # noqa: S608 - quoted
            f" (SELECT FROM {stage} WHERE ({stage}.list, {stage}.id) = ({table}.list, {table}.id))"
        )
        database.execute(
            f"INSERT INTO {table} SELECT * FROM {stage}"  # noqa: S608 - quoted
            f" ON CONFLICT (list, id) DO UPDATE SET {values}"
        )

    def remove_lists(self, database: PostgresDatabase, keys: Sequence[str]) -> None:
        """Remove the rows of lists."""
        if keys:
            sql = f"DELETE FROM {self._table} WHERE list = ANY (?::text[])"  # noqa: S608 - quoted
            database.execute(sql, (list(keys),))

    def name_lists(self, database: PostgresDatabase, source: int) -> None:
        """Give the checkpoint's lists of a source the names that their rows have."""
        database.execute(
            f"UPDATE harvest_lists SET list_name = named.list_name FROM (SELECT DISTINCT ON (list)"  # noqa: S608
            f" list, list_name FROM {self._table} ORDER BY list, last_seen DESC) AS named"
            " WHERE source = ? AND key = named.list",
            (source,),
        )

    def vacuum(self, database: PostgresDatabase) -> None:
        """Let the server tidy up."""
        database.execute(f"VACUUM (ANALYZE) {self._table}")

    def known(self, database: PostgresDatabase, key: str, ids: Sequence[str]) -> set[str]:
        """Tell which of some ids a list has."""
        wanted: list[object] = [one for one in ids if not _UNSTORABLE.search(one)]
        if self._numeric_id:
            wanted = [int(one) for one in ids]
        sql = f"SELECT id FROM {self._table} WHERE list = ? AND id = ANY (?::{self._types['id']}[])"  # noqa: S608 - quoted
        return {str(name) for (name,) in database.execute(sql, (key, wanted))}

    def ids(self, database: PostgresDatabase, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        sql = f"SELECT id FROM {self._table} WHERE list = ?"  # noqa: S608 - quoted
        return (str(name) for (name,) in database.execute(sql, (key,)))

    def _full(self, database: PostgresDatabase) -> str:
        return f"{quoted(database.schema)}.{self._table}"


def check_key(row: Row) -> None:
    """
    Check that PostgreSQL has a place for the list and the id of a row.

    Raises:
        ValueError: it has none.

    """
    if _UNSTORABLE.search(row.list) or _UNSTORABLE.search(row.id):
        raise ValueError(f"PostgreSQL cannot store the id {row.id!r:.80}")
    if len(row.list.encode()) + len(row.id.encode()) > _LONGEST_KEY:
        raise ValueError(f"PostgreSQL cannot store an id as long as {row.id!r:.80}")


def rows_of(database: PostgresDatabase, table: str, *, removed: bool) -> Iterator[Row]:
    """Read the rows of a harvested table, those that are no longer there only if wanted."""
    names = ", ".join(MOMENTS)
    found = database.stream(
        f"SELECT list, list_name, id, json::text, {names} FROM {quoted(table)}"  # noqa: S608 - quoted
        f"{'' if removed else ' WHERE removed_at IS NULL'}"
    )
    for key, name, id_, text, *moments in found:
        # The session's zone is UTC, by another name.
        read, first, last, gone = (each and each.replace(tzinfo=UTC) for each in moments)
        yield Row(key, name, str(id_), text.encode(), read, first, last, gone)


def _text(value: object) -> object:
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else value
