"""The new reading of a refresh: a SQLite target of its own, beside the target that it is for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path

import attrs
import msgspec

from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import MOMENTS, moment, moment_of
from itwin_async.harvest.database import quoted
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.merging import Fate
from itwin_async.harvest.plan import Plan
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.sinks.sqlite import row_of

# The database itself last: what lay beside a former one must not be taken for the next one's.
_FILES = ("-wal", "-shm", "-journal", "")
_COPIED = (
    "number, source, key, list_name, parent, state, items, pages, kind, error, started, finished"
)
INSERT_LIST = f"INSERT INTO harvest_lists ({_COPIED}, unread) VALUES (?{', ?' * 12})"  # noqa: S608
"""Takes what ``Spool.lists`` gives, and whether the list was not read."""
_UPLOADED = {None, "fileUploaded"}

Known = Mapping[tuple[int, str], int]
"""The highest index that is known of a list, by the number of its source and its key."""


class _Numbered(msgspec.Struct):
    index: int | None = None
    state: str | None = None


_numbered = msgspec.json.Decoder(_Numbered)


class Spool:
    """
    A spool for reading, once it is finished.

    Args:
        path: the file.

    """

    def __init__(self, path: Path) -> None:
        self._checkpoint = Checkpoint(path, writable=False)
        self.connection = self._checkpoint.connection

    @property
    def generation(self) -> tuple[int, str, str, str]:
        """Number, moments and version of the generation that was read."""
        one = self._checkpoint.generations()[-1]
        if one.finished is None:
            raise TargetError("the refresh is not finished")
        return one.number, moment(one.started), moment(one.finished), one.version

    def get(self, name: str) -> str | None:
        """Read a value."""
        return self._checkpoint.get(name)

    def lists(self) -> Iterator[tuple[object, ...]]:
        """Read all lists as ``harvest_lists`` has them, without cursors."""
        yield from self.connection.execute(f"SELECT {_COPIED} FROM harvest_lists")  # noqa: S608 - constant

    def table(self, name: str) -> SpoolTable:
        """Open a table."""
        return SpoolTable(self, name)

    def state(self, source: int, key: str) -> Fate | None:
        """Tell what became of a list; ``None`` if it was not found."""
        rows = self.connection.execute(
            "SELECT state = 'done' AND NOT unread FROM harvest_lists WHERE source = ? AND key = ?",
            (source, key),
        ).fetchall()
        return None if not rows else Fate.READ if rows[0][0] else Fate.UNREAD

    def list_name(self, source: int, key: str) -> str | None:
        """Read the name of a list."""
        sql = "SELECT list_name FROM harvest_lists WHERE source = ? AND key = ?"
        rows = self.connection.execute(sql, (source, key)).fetchall()
        return rows[0][0] if rows else None

    def has_odd_items(self, source: int, key: str) -> bool:
        """Tell whether items of a list were set aside; it may lead to more than is known."""
        sql = (
            "SELECT 1 FROM harvest_quarantine JOIN harvest_lists ON list = number"
            " WHERE source = ? AND key = ? LIMIT 1"
        )
        return bool(self.connection.execute(sql, (source, key)).fetchall())

    def odd_items(self, source: int) -> set[tuple[str, str]]:
        """Read list and id of the items that were set aside, as far as they tell."""
        sql = (
            "SELECT key, json FROM harvest_quarantine JOIN harvest_lists ON list = number"
            " WHERE source = ?"
        )
        rows = self.connection.execute(sql, (source,)).fetchall()
        ids = ((key, json_id(text)) for key, text in rows)
        return {(key, name) for key, name in ids if name is not None}

    def read_lists(self, source: int) -> list[str]:
        """Name the lists of a source that were read, or were known to be as they are."""
        rows = self.connection.execute(
            "SELECT key FROM harvest_lists WHERE source = ? AND state = 'done'", (source,)
        )
        return [key for (key,) in rows]

    def unread_list(self, source: int) -> tuple[int, str] | None:
        """Find a list of a source that was not read to its end."""
        rows = self.connection.execute(
            "SELECT source, key FROM harvest_lists WHERE source = ? AND state != 'done' LIMIT 1",
            (source,),
        ).fetchall()
        return rows[0] if rows else None

    def known(self) -> Known:
        """Tell up to which index lists were left out of the reading."""
        rows = self.connection.execute("SELECT source, key, up_to FROM harvest_known")
        return {(source, key): up_to for source, key, up_to in rows}

    def close(self) -> None:
        """Close the file."""
        self._checkpoint.close()


class SpoolTable:
    """The rows of a table in a spool."""

    def __init__(self, spool: Spool, name: str) -> None:
        self._connection = spool.connection
        self._table = quoted(name)
        self._columns = ", ".join(("list", "list_name", "id", "json", *MOMENTS))
        there = self._connection.execute(f"SELECT max(rowid) FROM {self._table}").fetchone()[0]  # noqa: S608 - quoted
        self._found = bytearray((there or 0) // 8 + 1)

    def find(self, row: Row) -> Row | None:
        """Find the row of the same list and id."""
        sql = f"SELECT rowid, {self._columns} FROM {self._table} WHERE list = ? AND id = ?"  # noqa: S608 - quoted
        values = self._connection.execute(sql, (row.list, row.id)).fetchone()
        if values is None:
            return None
        self._found[values[0] // 8] |= 1 << values[0] % 8
        return row_of(values[1:])

    def rest(self) -> Iterator[Row]:
        """Read the rows that were never found."""
        sql = f"SELECT rowid, {self._columns} FROM {self._table} ORDER BY rowid"  # noqa: S608 - quoted
        for number, *values in self._connection.execute(sql):
            if not self._found[number // 8] >> number % 8 & 1:
                yield row_of(values)


def fates(
    spool: Spool, source: int, above: Callable[[int, str], tuple[int, str] | None]
) -> Callable[[str], Fate]:
    """
    Tell what became of the lists of a source.

    A list that is no longer found is gone if the list that led to it was read, or is gone itself.

    Args:
        spool: the new reading.
        source: number of the source.
        above: gives source and key of the list that one was found in, as the target has it.

    """

    def fate(number: int, key: str) -> Fate:
        found = spool.state(number, key)
        if found is not None:
            return found
        parent = above(number, key)
        if parent is not None and (fate(*parent) is Fate.UNREAD or spool.has_odd_items(*parent)):
            return Fate.UNREAD
        return Fate.GONE

    return lru_cache(1024)(lambda key: fate(source, key))


def prepare(path: Path, target: Checkpoint, plan: Plan, known: Known, *, again: bool) -> None:
    """
    Begin the spool of a refresh, or of what failed in the last one.

    Args:
        path: the file.
        target: the target's checkpoint.
        plan: the sources.
        known: up to which index lists need not be read.
        again: read everything for a new generation, instead of what failed.

    """
    discard(path)
    draft = path.with_name(f"{path.name}.new")  # a spool is there whole or not at all
    discard(draft)
    present = target.generations()[-1]
    with closing(Checkpoint(draft, writable=True)) as spool:
        spool.begin(target.identity, plan, generation=present.number + again, after=target.now())
        spool.set("spool", secrets.token_hex(8))
        spool.set("base", base_of(target))
        with spool.connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "CREATE TABLE harvest_known (source INTEGER, key TEXT, up_to INTEGER NOT NULL,"
                " PRIMARY KEY (source, key)) WITHOUT ROWID"
            )
            connection.executemany(
                "INSERT INTO harvest_known VALUES (?, ?, ?)",
                ((*one, up_to) for one, up_to in known.items()),
            )
            if not again:
                _copy_lists(target, spool)
    draft.replace(path)


def base_of(target: Checkpoint) -> str:
    """Name the state of a target that a spool is good for."""
    return f"{target.generations()[-1].number} {target.get('merged') or ''}"


def up_to(rows: Iterator[Row], source: int) -> Known:
    """
    Tell up to which index each list is known to stay as it is.

    Args:
        rows: rows of items with an ``index``, of one table.
        source: the number of their source.

    """
    highest: dict[str, int] = {}
    lowest_open: dict[str, int] = {}
    for row in rows:
        if row.removed_at is not None:
            continue
        item = _numbered.decode(row.text)
        if item.index is None:
            lowest_open[row.list] = 0
        elif item.state in _UPLOADED:
            highest[row.list] = max(item.index, highest.get(row.list, 0))
        else:
            lowest_open[row.list] = min(item.index, lowest_open.get(row.list, item.index))
    found = {key: min(index, lowest_open.get(key, index + 1) - 1) for key, index in highest.items()}
    return {(source, key): index for key, index in found.items() if index > 0}


def json_id(text: str) -> str | None:
    """Find the id in the JSON of an item that does not decode."""
    try:
        found = parse(text)
    except ValueError:
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None


def carried(spool: Spool, source: int) -> Callable[[Row], Row | None]:
    """Make a function that gives the new state of rows that the reading left out."""
    known, at = spool.known(), moment_of(spool.generation[2])
    odd = spool.odd_items(source)
    name_of = lru_cache(64)(partial(spool.list_name, source))

    def carry(row: Row) -> Row | None:
        index = known.get((source, row.list))
        is_old = index is not None and (_numbered.decode(row.text).index or index + 1) <= index
        if not is_old and (row.list, row.id) not in odd:
            return None
        return attrs.evolve(row, list_name=name_of(row.list), last_seen=at)

    return carry


def discard(path: Path) -> None:
    """Remove a spool."""
    for ending in _FILES:
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)


def _copy_lists(target: Checkpoint, spool: Checkpoint) -> None:
    """Let a spool know the lists that were read, and open those that failed."""
    spool.connection.execute("DELETE FROM harvest_lists")
    rows = target.database.execute(
        f"SELECT {_COPIED} FROM harvest_lists WHERE unread = 0"  # noqa: S608 - constant
    )
    spool.connection.executemany(INSERT_LIST, ((*row, 1) for row in rows))
    spool.connection.execute(
        "UPDATE harvest_lists SET state = 'open', unread = 0, items = 0, pages = 0, kind = NULL,"
        " error = NULL, started = NULL, finished = NULL WHERE state = 'failed'"
    )
