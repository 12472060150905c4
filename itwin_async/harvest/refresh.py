"""Making a finished target current: a new reading beside it, and one merge of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from threading import Event

import attrs

from itwin_async._json.converter import from_dict
from itwin_async.errors import ITwinError
from itwin_async.harvest import spool as spools
from itwin_async.harvest import swap
from itwin_async.harvest.changes import change_of
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import columns_with_id, moment_of
from itwin_async.harvest.database import Database
from itwin_async.harvest.errors import TargetError, reading
from itwin_async.harvest.merging import Fate, merge
from itwin_async.harvest.plan import Node, Plan
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.postgres.table import check_key
from itwin_async.harvest.reading import table_rows
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import RowSink, TableSink
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.sinks.sqlite import SqliteSink
from itwin_async.harvest.spool import Known, Spool
from itwin_async.harvest.store import Store, sink_of
from itwin_async.harvest.target import TargetFiles

_ODD_ITEMS = (
    "SELECT page, position, json, harvest_quarantine.error, harvested_at, source, key"
    " FROM harvest_quarantine JOIN harvest_lists ON list = number"
    " ORDER BY list, page, position"
)


@attrs.frozen
class Refreshed:
    """
    What a merge brought.

    Attributes:
        generation: number of the generation.
        items: how many rows there are now.
        changes: how many rows were ``added``, ``changed`` and ``removed``.

    """

    generation: int
    items: int
    changes: dict[str, int]


class Refresh:
    """
    The refresh of a target; its methods block.

    Args:
        files: the target.
        plan: the sources.
        merging: merges the rows.

    Attributes:
        known: up to which index lists need not be read.
        resumed: whether an earlier run began it.
        generation: number of the generation that the target has.

    """

    def __init__(self, files: TargetFiles, plan: Plan, merging: type[Merge] | None = None) -> None:
        self._merging = merging or Merge
        self.known: Known = {}
        self.resumed = False
        self.generation = 1
        self._files = files
        self._plan = plan
        self._stored = [node for node in plan if node.stored]
        self._stop = Event()

    def begin(self, *, again: bool) -> bool:
        """
        Prepare what is to be read, and tell whether there is something.

        A refresh that was interrupted goes on. Else lists that failed in the last one are read.

        Args:
            again: read everything, unless a refresh was interrupted.

        """
        path = self._files.spool
        with closing(Checkpoint(self._files.place, writable=True)) as target:
            self.generation = target.generations()[-1].number
            if path.exists() and self._is_usable(target):
                self.resumed = True
                return True
            spools.discard(path)
            if not again and (self.generation == 1 or not target.totals().failed):
                return False
            known = self._known(target) if again else {}
            with reading(path):
                spools.prepare(path, target, self._plan, known, again=again)
        self.known = known
        return True

    def store(self, *, fail_fast: bool) -> Store:
        """Make the store that the new reading goes to."""
        spool = self._files.spool
        check = (lambda _: None) if self._files.address is None else check_key
        sinks = {
            node.number: SqliteSink(
                spool, node.source.table, with_id=node.source.id != "id", check=check
            )
            for node in self._stored
        }
        return Store(self._files.name, spool, self._plan, sinks, fail_fast=fail_fast)

    def stop(self) -> None:
        """Let a merge in another thread end soon, with nothing changed."""
        self._stop.set()

    def merge(self) -> Refreshed:
        """
        Make the rows of the new reading and those of the target one, in one step for all to see.

        Raises:
            TargetError: the target is damaged or cannot be written.

        """
        place = self._files.place
        with ExitStack() as stack:
            spool = stack.enter_context(closing(Spool(self._files.spool)))
            target = stack.enter_context(closing(Checkpoint(place, writable=True)))
            if isinstance(place, Path):
                swap.finish(target.connection, place.parent)
            if spool.get("base") != spools.base_of(target):  # by another machine
                raise TargetError(f"{self._files.name} was refreshed meanwhile; run it again")
            done = self._merging(self._files, self._stored, target, spool, self._stop).run()
        spools.discard(self._files.spool)
        return done

    def _is_usable(self, target: Checkpoint) -> bool:
        """Tell whether the spool that is there is for this target, and not merged yet."""
        with closing(Spool(self._files.spool)) as spool:
            if spool.get("base") != spools.base_of(target):
                return False
            self.known = spool.known()
        return True

    def _known(self, target: Checkpoint) -> Known:
        """Find the lists of which only the end is to be read."""
        known: dict[tuple[int, str], int] = {}
        for node in self._stored:
            if node.source.grows:
                with table_rows(self._files, node.source.table) as rows:
                    known.update(spools.up_to(rows, node.number))
        unread = target.database.execute(
            "SELECT source, key FROM harvest_lists WHERE state != 'done' OR unread > 0"
        )
        for one in unread:
            known.pop(one, None)
        return known


class Merge:
    """
    One merge of a new reading with the rows that are there.

    Args:
        files: the target.
        stored: the sources whose rows are wanted.
        target: the target's checkpoint.
        spool: the new reading.
        stop: set when it is to end soon.

    """

    def __init__(
        self,
        files: TargetFiles,
        stored: Iterable[Node],
        target: Checkpoint,
        spool: Spool,
        stop: Event,
    ) -> None:
        self._files = files
        self._target = target
        self._spool = spool
        self._stop = stop
        self._generation, self._started, self._finished, self._version = spool.generation
        self._since = next(
            (one.started for one in target.generations() if one.number == self._generation),
            moment_of(self._started),
        )
        self._nodes = {node.number: node for node in stored}
        self._asked: Database = target.database
        self._items: Counter[tuple[int, str]] = Counter()
        self._removed: Counter[int] = Counter()
        self._changes: Counter[str] = Counter(added=0, changed=0, removed=0)

    def run(self) -> Refreshed:
        """Merge all tables."""
        target, marks = self._target, {one.number: one.mark for one in self._target.tables()}
        alone = len(self._nodes) == 1
        sinks = {
            number: sink_of(self._files, node.source, alone=alone)
            for number, node in self._nodes.items()
        }
        swaps: list[swap.Swap] = []
        made: dict[int, str] = {}
        with ExitStack() as stack:
            for number, sink in sinks.items():
                source = self._nodes[number].source
                if isinstance(sink, TableSink):
                    sink.use(target.database)
                stack.callback(sink.close)
                sink.open(columns_with_id(source.item, source.id), marks[number] or "")
                if not isinstance(sink, TableSink):
                    replacement = sink.replace(self._rows(number), self._read(number))
                    assert replacement is not None  # noqa: S101 - only a database has none
                    swaps.append(replacement.swap)
                    made[number] = replacement.mark
                    sink.close()  # Windows renames nothing that is open
            if self._files.address is None:
                folder = self._files.state.parent
                swap.commit(target.connection, folder, swaps, lambda: self._save(sinks, made))
            else:
                # While rows are sent, the connection that sends them answers no question.
                self._asked = PostgresDatabase(self._files.address)
                stack.callback(self._asked.close)
                with target.database.transaction():
                    self._save(sinks, made)
        return Refreshed(self._generation, self._items.total(), dict(self._changes))

    def _rows(self, number: int) -> Iterator[Row]:
        node = self._nodes[number]
        fate = spools.fates(self._spool, number, self._above)
        with self._old(node.source.table) as old:
            for row in merge(
                old,
                self._spool.table(node.source.table),
                fate=fate,
                at=moment_of(self._finished),
                carried=spools.carried(self._spool, number),
            ):
                if self._stop.is_set():
                    raise ITwinError("the refresh was stopped")
                self._count(number, row)
                yield row

    def _old(self, table: str) -> AbstractContextManager[Iterator[Row]]:
        return table_rows(self._files, table)

    def _count(self, number: int, row: Row) -> None:
        change = change_of(row, self._since)
        if change is not None:
            self._changes[change] += 1
        if row.removed_at is None:
            self._items[number, row.list] += 1
        else:
            self._removed[number] += 1

    def _read(self, number: int) -> Callable[[bytes], object]:
        cls = self._nodes[number].source.item
        return lambda text: from_dict(cls, parse(text))

    def _above(self, source: int, key: str) -> tuple[int, str] | None:
        rows = self._asked.execute(
            "SELECT parent.source, parent.key FROM harvest_lists AS child JOIN harvest_lists AS"
            " parent ON parent.number = child.parent WHERE child.source = ? AND child.key = ?",
            (source, key),
        )
        return rows[0] if rows else None

    def _save(self, sinks: Mapping[int, RowSink], marks: Mapping[int, str]) -> None:
        for number, sink in sinks.items():
            if isinstance(sink, TableSink):
                sink.replace(self._rows(number), self._read(number))
        self._save_generation(marks)

    def _save_generation(self, marks: Mapping[int, str]) -> None:
        target, database = self._target, self._target.database
        self._save_lists(database)
        for number in self._nodes:
            database.execute(
                "UPDATE harvest_sources SET removed = ? WHERE number = ?",
                (self._removed[number], number),
            )
        for number, mark in marks.items():
            target.set_mark(number, mark)
        database.execute(
            "INSERT INTO harvest_generations (number, started, finished, version)"
            " VALUES (?, ?, ?, ?)"
            " ON CONFLICT (number) DO UPDATE SET finished = excluded.finished",
            (self._generation, self._started, self._finished, self._version),
        )
        target.set("merged", self._spool.get("spool") or "")
        target.set("latest", self._spool.get("latest") or self._finished)

    def _save_lists(self, database: Database) -> None:
        """Take the lists of the spool, and keep those that may still be there."""
        kept, odd = self._unread_lists(database), database.execute(_ODD_ITEMS)
        database.execute("DELETE FROM harvest_seen")
        database.execute("DELETE FROM harvest_lists")
        database.change(spools.INSERT_LIST, ((*row, 0) for row in self._spool.lists()))
        database.number_on("harvest_lists")
        database.change(
            "INSERT INTO harvest_lists (source, key, list_name, parent, state, started, finished,"
            " unread) VALUES (?, ?, ?, (SELECT number FROM harvest_lists WHERE source = ?"
            " AND key = ?), 'done', ?, ?, 1)",
            kept,
        )
        database.execute("DELETE FROM harvest_quarantine")
        database.change(
            "INSERT INTO harvest_quarantine SELECT number, ?, ?, ?, ?, ? FROM harvest_lists"
            " WHERE source = ? AND key = ? AND unread > 0",
            odd,
        )
        database.change(
            "INSERT INTO harvest_quarantine SELECT number, ?, ?, ?, ?, ?"
            " FROM harvest_lists WHERE source = ? AND key = ? ON CONFLICT DO NOTHING",
            self._spool.connection.execute(_ODD_ITEMS),
        )
        database.execute("UPDATE harvest_lists SET items = 0 WHERE items > 0")
        database.change(
            "UPDATE harvest_lists SET items = ? WHERE source = ? AND key = ?",
            ((items, *one) for one, items in self._items.items()),
        )

    def _unread_lists(self, database: Database) -> list[tuple[object, ...]]:
        """Find lists that the spool has not, where what led to them could not be read."""
        rows = database.execute(
            "SELECT source, key, list_name, (SELECT source FROM harvest_lists AS a WHERE a.number ="
            " harvest_lists.parent), (SELECT key FROM harvest_lists AS a WHERE a.number ="
            " harvest_lists.parent), started, finished FROM harvest_lists ORDER BY number"
        )
        fates: dict[int, Callable[[str], Fate]] = {}
        kept: list[tuple[object, ...]] = []
        for source, key, *rest in rows:
            if self._spool.state(source, key) is None:
                fate = fates.setdefault(source, spools.fates(self._spool, source, self._above))
                if fate(key) is Fate.UNREAD:
                    kept.append((source, key, *rest))
        return kept
