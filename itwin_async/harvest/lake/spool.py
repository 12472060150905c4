"""A harvest into a database on this machine, whose finished lists go on to a lake."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial

import attrs

from itwin_async._version import __version__
from itwin_async.harvest.checkpoint import Checkpoint, Entry
from itwin_async.harvest.columns import moment
from itwin_async.harvest.database import quoted
from itwin_async.harvest.lake.protocol import LakeState, LakeTable, LakeTarget, ListRows
from itwin_async.harvest.plan import Node, Plan
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks.sqlite import SqliteSink, rows_of
from itwin_async.harvest.spool import discard
from itwin_async.harvest.store import Store
from itwin_async.harvest.target import TargetFiles

_ENOUGH = 50_000  # rows of finished lists that are committed at once
_PUBLISH_AFTER = 20.0  # seconds that a finished list waits for others
_LISTS_AT_ONCE = 2_000
_SCHEMA = "CREATE TABLE IF NOT EXISTS harvest_published (list INTEGER PRIMARY KEY)"


class SpoolStore(Store):
    """
    A store on this machine whose finished lists are committed to a target and deleted here.

    Args:
        target: where the lists go.
        files: the target's files on this machine.
        plan: the sources.
        fail_fast: raise an error where rows cannot be stored, instead of recording it.
        clock: tells seconds, for lists that wait for others.

    Attributes:
        is_new: whether the target was created by this run.

    """

    def __init__(
        self,
        target: LakeTarget,
        files: TargetFiles,
        plan: Plan,
        *,
        fail_fast: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        wanted, spool = [node for node in plan if node.stored], files.state
        sinks = {
            node.number: SqliteSink(spool, node.source.table, with_id=node.source.id != "id")
            for node in wanted
        }
        super().__init__(target.name, spool, plan, sinks, fail_fast=fail_fast, clock=clock)
        self.is_new = True
        self._spool = spool
        self._refresh = files.spool
        self._is_merging = self._has_news = False
        self._target = target
        self._wanted = wanted
        self._there: dict[int, Mapping[str, int]] = {}
        self._ready = 0
        self._ready_since: float | None = None

    def open(self, identity: Mapping[str, str]) -> None:
        """
        Open the spool and the target, and compare them.

        Raises:
            TargetError: one of them is foreign, damaged or cannot be written.

        """
        has_spool = self._spool.exists()
        super().open(identity)
        try:
            state = self._target.state()
            self.is_new = state is None
            self._target.prepare(identity, [table_of(node) for node in self._wanted])
            self._there = {
                node.number: self._target.committed(node.source.table) for node in self._wanted
            }
            self._opened.connection.execute(_SCHEMA)
            # A refresh of this machine that was interrupted while it replaced rows goes on.
            self._is_merging = state is not None and self._revision() in state.revisions.values()
            if not self._is_merging:
                self._compare(state, has_spool=has_spool)
            self.totals = self._opened.totals()
            self.resumed = not self.is_new and self.resumed
            self._has_news = state is None or not state.finished
            if self._unpublished(1):
                self._ready_since = self._clock()
        except BaseException:
            self.close()
            if not has_spool:
                discard(self._spool)
            raise

    def open_lists(self, after: int, count: int) -> tuple[list[Entry], bool]:
        """Read the next lists that are not finished, here or by another machine."""
        while True:
            found, all_known = super().open_lists(after, count)
            there = [entry for entry in found if self._is_there(entry)]
            self.apply([partial(self._skip, entry) for entry in there])
            if len(there) < len(found) or not found:
                return [entry for entry in found if entry not in there], all_known
            after = found[-1].number

    def outcome(self) -> tuple[bool, list[Failure]]:
        """Commit every finished list, and note it in the target if there will be no others."""
        self.commit()
        self._publish()
        finished, failures = super().outcome()
        if finished:
            with suppress(sqlite3.Error):  # a full disk, or somebody reads it
                self._opened.connection.execute("VACUUM")
        if finished and not self._is_merging:
            state = self._target.state()
            if self._has_news or state is None or state.failed != self.totals.failed:
                self._target.finish(failures)
                self._target.compact()
        return finished, failures

    def apply(self, steps: Sequence[Callable[[], None]]) -> None:
        """Take steps in one transaction, and commit lists to the target where it is due."""
        super().apply(steps)
        since = self._ready_since
        if since is None:
            return
        if self._ready >= _ENOUGH or self._clock() - since >= _PUBLISH_AFTER:
            self.commit()
            self._publish()

    @property
    def unsaved(self) -> bool:
        """Whether something is not committed yet, here or to the target."""
        return super().unsaved or self._ready_since is not None

    def commit(self) -> None:
        """Make everything durable on this machine."""
        if super().unsaved:
            super().commit()

    def _is_there(self, entry: Entry) -> bool:
        # A list that leads to others is read for these.
        is_leaf = not self._node(entry).children
        return is_leaf and entry.key in self._there.get(entry.source, {})

    def _skip(self, entry: Entry) -> None:
        rows = self._there[entry.source][entry.key]
        connection = self._opened.connection
        connection.execute(
            "UPDATE harvest_lists SET items = ? WHERE number = ?", (rows, entry.number)
        )
        connection.execute("INSERT OR IGNORE INTO harvest_published VALUES (?)", (entry.number,))
        # What was read of it before another machine committed it.
        self._delete(entry.source, [entry.key])
        self._opened.finish(entry)
        self.totals.items += rows
        super()._end(entry)

    def _end(self, entry: Entry, *, done: bool = True) -> None:
        super()._end(entry, done=done)
        if done and self._node(entry).stored:
            ((items,),) = self._opened.connection.execute(
                "SELECT items FROM harvest_lists WHERE number = ?", (entry.number,)
            )
            self._ready += items
            self._ready_since = self._clock() if self._ready_since is None else self._ready_since

    def _publish(self) -> None:
        while lists := self._unpublished(_LISTS_AT_ONCE):
            source = lists[0].source
            part: list[_Finished] = []
            rows = 0
            for one in lists:
                if one.source != source or (part and rows + one.rows > _ENOUGH):
                    break
                part.append(one)
                rows += one.rows
            self._publish_part(source, part)
        self._ready, self._ready_since = 0, None

    def _publish_part(self, source: int, lists: Sequence[_Finished]) -> None:
        table = self._plan[source].source.table
        # The library of the target reads in threads of its own.
        address = f"{self._spool.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as reader:
            self._target.commit(
                table,
                [
                    ListRows(one.key, one.name, _SpooledRows(reader, table, one.key, one.rows))
                    for one in lists
                ],
            )
        self._has_news = True
        connection = self._opened.connection
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR IGNORE INTO harvest_published VALUES (?)",
                [(one.number,) for one in lists],
            )
            self._delete(source, [one.key for one in lists])

    def _delete(self, source: int, keys: Sequence[str]) -> None:
        table = quoted(self._plan[source].source.table)
        self._opened.connection.executemany(
            f"DELETE FROM {table} WHERE list = ?",  # noqa: S608 - quoted
            [(key,) for key in keys],
        )

    def _unpublished(self, count: int) -> list[_Finished]:
        found = self._opened.connection.execute(
            "SELECT harvest_lists.number, source, key, list_name, items FROM harvest_lists"
            " JOIN harvest_sources ON harvest_sources.number = source"
            " WHERE state = 'done' AND table_name IS NOT NULL"
            " AND harvest_lists.number NOT IN (SELECT list FROM harvest_published)"
            " ORDER BY source, harvest_lists.number LIMIT ?",
            (count,),
        )
        return [_Finished(*row) for row in found]

    def _compare(self, state: LakeState | None, *, has_spool: bool) -> None:
        """Know what other machines have done."""
        if state is not None:
            present = self._opened.generations()[-1].number
            is_finished = state.finished is not None and (state.generation > 1 or not state.failed)
            if state.generation > present or (is_finished and not has_spool):
                self._take_over(state)
        self._reopen_missing()

    def _revision(self) -> str | None:
        if not self._refresh.exists():
            return None
        with closing(Checkpoint(self._refresh, writable=False)) as refresh:
            return refresh.get("spool")

    def _take_over(self, state: LakeState) -> None:
        """Know a harvest that another machine has finished."""
        checkpoint, connection = self._opened, self._opened.connection
        numbers = {node.source.name: node.number for node in self._plan}
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for table in ("harvest_lists", "harvest_seen", "harvest_generations"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constant
            for node in self._wanted:
                connection.execute(f"DELETE FROM {quoted(node.source.table)}")  # noqa: S608 - quoted
            is_told = state.generation == 1 or state.finished is not None
            begun = state.started if is_told else checkpoint.now()
            connection.execute(
                "INSERT INTO harvest_generations (number, started, finished, version)"
                " VALUES (?, ?, ?, ?)",
                (
                    state.generation,
                    moment(begun),
                    None if state.finished is None else moment(state.finished),
                    __version__,
                ),
            )
            if state.generation > 1:
                checkpoint.set("merged", "by another machine")
            for node in self._plan:
                if node.parent is None:
                    checkpoint.add_lists(
                        node.number, None, ((key, None) for key in node.source.keys)
                    )
            for number, lists in self._there.items():
                checkpoint.add_lists(number, None, ((key, None) for key in lists))
                connection.executemany(
                    "UPDATE harvest_lists SET items = ? WHERE source = ? AND key = ?",
                    [(rows, number, key) for key, rows in lists.items()],
                )
            connection.execute("UPDATE harvest_lists SET state = 'done'")
            for one in state.failures:
                number = numbers.get(one.source, 0)
                checkpoint.add_lists(number, None, [(one.key, one.title)])
                connection.execute(
                    "UPDATE harvest_lists SET state = 'failed', kind = ?, error = ?"
                    " WHERE source = ? AND key = ?",
                    (one.kind, one.error, number, one.key),
                )
            note_published(connection)

    def _reopen_missing(self) -> None:
        """Read lists again that were committed to a target that does not have them any more."""
        connection = self._opened.connection
        found = connection.execute(
            "SELECT number, source, key FROM harvest_lists"
            " WHERE number IN (SELECT list FROM harvest_published)"
        ).fetchall()
        missing = [
            (number,)
            for number, source, key in found
            if source in self._there and key not in self._there[source]
        ]
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE harvest_lists SET state = 'open', cursor = NULL, items = 0, pages = 0,"
                " checked = 0 WHERE number = ?",
                missing,
            )
            connection.executemany("DELETE FROM harvest_published WHERE list = ?", missing)


@attrs.frozen
class _Finished:
    number: int
    source: int
    key: str
    name: str | None
    rows: int


@attrs.frozen
class _SpooledRows:
    """The rows of a list, read from the spool as often as they are wanted."""

    connection: sqlite3.Connection
    table: str
    key: str
    count: int

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Row]:
        return rows_of(self.connection, self.table, removed=True, of=self.key)


def note_published(connection: sqlite3.Connection) -> None:
    """Note that all lists that were read are in the target."""
    connection.execute(_SCHEMA)
    connection.execute("DELETE FROM harvest_published")
    connection.execute(
        "INSERT INTO harvest_published SELECT number FROM harvest_lists WHERE state = 'done'"
    )


def table_of(node: Node) -> LakeTable:
    """Make the table of a source."""
    source = node.source
    return LakeTable(source.table, source.name, source.item, source.id)
