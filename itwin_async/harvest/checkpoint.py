"""
How far a harvest is: sources, lists, cursors and counts.

The layout is one for all targets, and described for users in ``docs/harvest.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from itwin_async.harvest.columns import moment
from itwin_async.harvest.migration import FORMAT
from itwin_async.harvest.plan import Plan
from itwin_async.harvest.progress import Failure, printable
from itwin_async.harvest.state import StateDatabase

_FAILURES_KEPT = 1000
_IDS_AT_ONCE = 500
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


class Checkpoint(StateDatabase):
    """The tables that say how far a harvest is."""

    @property
    def all_known(self) -> bool:
        """Whether no list is to be read whose items have lists."""
        return bool(self.identity) and not self._leading()

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

    def failures(self) -> list[Failure]:
        """Read lists that failed, the first thousand."""
        rows = self._all(
            "SELECT key, list_name, kind, error,"
            " (SELECT name FROM harvest_sources WHERE number = source)"
            " FROM harvest_lists WHERE state = 'failed' ORDER BY number LIMIT ?",
            _FAILURES_KEPT,
        )
        return [Failure(*values) for values in rows]

    def _leading(self) -> int:
        rows = self._all(
            "SELECT count(*) FROM harvest_lists WHERE state = 'open' AND source IN"
            " (SELECT parent FROM harvest_sources)"
        )
        return int(rows[0][0])


def _written(text: str) -> str:
    """Write out what is no character, and the one that PostgreSQL does not take."""
    return printable(text).replace("\0", "\\x00")
