"""PostgreSQL as a target that many machines write."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice

import attrs

from itwin_async._json.codec import Codec
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import Cells, columns_with_id, moment
from itwin_async.harvest.errors import TargetError, reading
from itwin_async.harvest.lake.protocol import (
    LakeState,
    LakeTable,
    ListRows,
    Revision,
    changed_meanwhile,
    refuse_others,
)
from itwin_async.harvest.migration import FORMAT
from itwin_async.harvest.postgres.address import Address, address_of
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.postgres.table import PostgresTable, rows_of
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.rows import Row

_AT_ONCE = 1000
_ADD_LISTS = """
INSERT INTO harvest_lists (source, key, list_name, state, items, pages, started, finished)
SELECT ?, key, name, 'done', items, 1, ?, ?
FROM unnest(?::text[], ?::text[], ?::bigint[]) AS given (key, name, items)
ORDER BY key COLLATE "C"
ON CONFLICT (source, key) DO UPDATE SET state = 'done', items = excluded.items,
    list_name = excluded.list_name, kind = NULL, error = NULL, finished = excluded.finished
    WHERE harvest_lists.state <> 'done'
RETURNING key
"""


@attrs.frozen
class _Prepared:
    table: PostgresTable
    item: type[object]


@attrs.frozen
class _Mark:
    """What the checkpoint has as the mark of a table."""

    generation: int = 1
    revision: str = ""

    @classmethod
    def of(cls, text: object) -> _Mark:
        number, _, revision = str(text or "1").partition(" ")
        return cls(int(number), revision)


class PostgresTarget:
    """
    Tables and checkpoint in a schema; a list is committed with its line in ``harvest_lists``.

    Where two machines commit the same list, the second one waits for the first, and leaves it out.
    Each call has a connection of its own. One that is lost is made again, for half a minute.

    Args:
        url: ``postgresql://…``, as for ``harvest.run``.

    Attributes:
        name: the URL, without a password.

    Raises:
        ArgumentError: it is no such URL.
        ConfigurationError: psycopg is not installed; it is in the extra ``postgres``.

    """

    def __init__(self, url: str | Address) -> None:
        self._address = address_of(url) if isinstance(url, str) else url
        self.name = self._address.name
        self._prepared: dict[str, _Prepared] = {}
        self._read: dict[str, tuple[object, ...]] = {}

    def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        """Create the tables, or check that they are of this harvest and have these columns."""
        facts = [(table.name, table.source, table.item.__name__) for table in tables]
        with self._writing() as checkpoint:
            database = _postgres(checkpoint)
            with database.creating():
                if checkpoint.identity:
                    refuse_others(self.name, _state(checkpoint), identity, facts)
                else:
                    self._begin(checkpoint, identity, facts)
                for one in tables:
                    columns = columns_with_id(one.item, one.id)
                    table = PostgresTable(one.name, columns, with_id=one.id != "id")
                    table.prepare(database)
                    self._prepared[one.name] = _Prepared(table, one.item)

    def state(self) -> LakeState | None:
        """Read what the checkpoint remembers."""
        database = PostgresDatabase(self._address)
        with reading(self.name), closing(database):
            if "harvest_meta" not in database.tables():
                return None
            return _state(Checkpoint(database, writable=False))

    def committed(self, table: str) -> Mapping[str, int]:
        """Read the lists that are done."""
        with self._reading() as checkpoint:
            rows = checkpoint.database.execute(
                "SELECT key, items FROM harvest_lists WHERE state = 'done' AND source = ?",
                (self._source(checkpoint, table),),
            )
            return dict(rows)

    def commit(self, table: str, lists: Sequence[ListRows]) -> int:
        """Add lists that are not there, in one transaction."""
        prepared, added = self._of(table), 0
        wanted = {one.key: one for one in lists}

        def add(checkpoint: Checkpoint) -> None:
            nonlocal added
            database, source = _postgres(checkpoint), self._source(checkpoint, table)
            now = moment(checkpoint.now())
            names = [one.name for one in wanted.values()]
            counts = [len(one.rows) for one in wanted.values()]
            given = (source, now, now, list(wanted), names, counts)
            with database.transaction():
                database.execute("SELECT FROM harvest_sources WHERE number = ? FOR SHARE", [source])
                new = [wanted[key] for (key,) in database.execute(_ADD_LISTS, given)]
                rows = (row for one in new for row in _all_cells(prepared, one.rows))
                prepared.table.remove_lists(database, [one.key for one in new])
                prepared.table.stage(database, rows)
                added = prepared.table.add_staged(database)
                if added != sum(len(one.rows) for one in new):
                    raise TargetError(f"a list for {self.name} has several rows of one id")

        self._repeat(add)
        return added

    def finish(self, failures: Sequence[Failure], revision: Revision | None = None) -> None:
        """Note the lists that failed, and that the others are there."""
        del revision  # the checkpoint knows when its generations were begun

        def note(checkpoint: Checkpoint) -> None:
            database = checkpoint.database
            with database.transaction():
                database.execute("DELETE FROM harvest_lists WHERE state = 'failed'")
                sources = dict(database.execute("SELECT name, number FROM harvest_sources"))
                for name in {failure.source for failure in failures} - sources.keys():
                    sources[name] = _add_source(checkpoint, name, "object", None)
                database.change(
                    "INSERT INTO harvest_lists (source, key, list_name, state, kind, error)"
                    " VALUES (?, ?, ?, 'failed', ?, ?) ON CONFLICT DO NOTHING",
                    [
                        (sources[one.source], one.key, one.title, one.kind, one.error)
                        for one in failures
                    ],
                )
                checkpoint.end_generation()
                checkpoint.save_latest()

        self._repeat(note)

    def rows(self, table: str) -> Iterator[Row]:
        """Read the rows of one moment."""
        with self._reading() as checkpoint:
            self._read[table] = _version(checkpoint, self._source(checkpoint, table))
            yield from rows_of(_postgres(checkpoint), table, removed=True)

    def replace(
        self, table: str, rows: Iterator[Row], revision: Revision, lists: Mapping[str, int]
    ) -> None:
        """Make the rows those of the next generation, in one transaction."""
        prepared, removed = self._of(table), Counter[bool]()

        def counted() -> Iterator[Row]:
            for row in rows:
                removed[row.removed_at is not None] += 1
                yield row

        with self._writing() as checkpoint:
            database, source = _postgres(checkpoint), self._source(checkpoint, table)
            now = moment(checkpoint.now())
            with database.transaction():
                # Who commits lists waits here, and finds them there.
                database.execute(
                    "SELECT FROM harvest_sources WHERE number = ? FOR UPDATE", [source]
                )
                there = _version(checkpoint, source)
                if _Mark.of(there[0]).revision == revision.id:
                    return
                if there != self._read.get(table, there):
                    raise changed_meanwhile(self.name)
                prepared.table.stage(database, _all_cells(prepared, counted()))
                prepared.table.replace_by_staged(database)
                database.execute("DELETE FROM harvest_lists WHERE source = ?", (source,))
                given = (list(lists), [None] * len(lists), list(lists.values()))
                database.execute(_ADD_LISTS, (source, now, now, *given))
                prepared.table.name_lists(database, source)
                database.execute(
                    "UPDATE harvest_sources SET mark = ?, removed = ? WHERE number = ?",
                    (f"{revision.generation} {revision.id}", removed[True], source),
                )
                if revision.generation not in {one.number for one in checkpoint.generations()}:
                    checkpoint.begin_generation(revision.generation)
                checkpoint.save_latest()

    def compact(self) -> None:
        """Let the server tidy up."""
        with self._writing() as checkpoint:
            for prepared in self._prepared.values():
                prepared.table.vacuum(_postgres(checkpoint))

    def _begin(
        self, checkpoint: Checkpoint, identity: Mapping[str, str], facts: list[tuple[str, str, str]]
    ) -> None:
        checkpoint.set("format", FORMAT)
        checkpoint.set("identity", json.dumps(dict(identity)))
        checkpoint.set("writers", "many")
        for table, source, item in facts:
            _add_source(checkpoint, source, item, table)
        checkpoint.begin_generation(1)
        checkpoint.save_latest()

    @contextmanager
    def _writing(self) -> Iterator[Checkpoint]:
        database = PostgresDatabase(self._address, lock="shared")
        with reading(self.name, "written"), closing(Checkpoint(database, writable=True)) as found:
            yield found

    @contextmanager
    def _reading(self) -> Iterator[Checkpoint]:
        database = PostgresDatabase(self._address)
        with reading(self.name), closing(Checkpoint(database, writable=False)) as found:
            yield found

    def _repeat(self, work: Callable[[Checkpoint], None]) -> None:
        with self._writing() as checkpoint:
            checkpoint.database.repeat(lambda: work(checkpoint), lambda: None)

    def _source(self, checkpoint: Checkpoint, table: str) -> int:
        for found in checkpoint.tables():
            if found.name == table:
                return found.number
        raise TargetError(f"{self.name} has no table {table}")

    def _of(self, table: str) -> _Prepared:
        if table not in self._prepared:
            raise TargetError(f"{self.name} was not prepared for the table {table}")
        return self._prepared[table]


def _state(checkpoint: Checkpoint) -> LakeState:
    tables, failed = checkpoint.tables(), checkpoint.totals().failed
    marks = {table.name: _Mark.of(table.mark) for table in tables}
    number = min((mark.generation for mark in marks.values()), default=1)
    generations = {one.number: one for one in checkpoint.generations()}
    generation = generations[number]
    return LakeState(
        identity=checkpoint.identity,
        tables=[(table.name, table.source, table.item) for table in tables],
        generation=number,
        started=generation.started,
        finished=generation.finished,
        failures=checkpoint.failures(),
        failed=failed,
        revisions={name: mark.revision for name, mark in marks.items() if mark.revision},
    )


def _version(checkpoint: Checkpoint, source: int) -> tuple[object, ...]:
    """Tell the rows of a table at one moment from those at another."""
    rows = checkpoint.database.execute(
        "SELECT mark, (SELECT count(*) FROM harvest_lists WHERE source = ? AND state = 'done'),"
        " (SELECT max(finished) FROM harvest_lists WHERE source = ? AND state = 'done')"
        " FROM harvest_sources WHERE number = ?",
        (source, source, source),
    )
    return rows[0]


def _postgres(checkpoint: Checkpoint) -> PostgresDatabase:
    assert isinstance(checkpoint.database, PostgresDatabase)  # noqa: S101 - as it was opened
    return checkpoint.database


def _add_source(checkpoint: Checkpoint, name: str, item: str, table: str | None) -> int:
    rows = checkpoint.database.execute(
        "INSERT INTO harvest_sources (number, name, item, table_name)"
        " SELECT coalesce(max(number) + 1, 0), ?, ?, ? FROM harvest_sources RETURNING number",
        (name, item, table),
    )
    return int(rows[0][0])


def _cells(prepared: _Prepared, rows: Sequence[Row]) -> list[Cells]:
    """Read items of their JSON, all at once, and write the values of their columns."""
    body = b'{"items":[' + b",".join(row.text for row in rows) + b"]}"
    items, _ = Codec().page(body, prepared.item, "items")
    cells = prepared.table.cells
    return [cells(row, item) for row, item in zip(rows, items, strict=True)]


def _all_cells(prepared: _Prepared, rows: Iterable[Row]) -> Iterator[Cells]:
    left = iter(rows)
    while part := list(islice(left, _AT_ONCE)):
        yield from _cells(prepared, part)
