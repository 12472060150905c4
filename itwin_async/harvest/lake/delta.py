"""Delta Lake tables: each list is committed with an application transaction identifier."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from itwin_async.errors import ConfigurationError
from itwin_async.harvest.columns import moment, moment_of
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.lake.columns import READ, RowColumns, rows_of
from itwin_async.harvest.lake.delta_log import DeltaLog
from itwin_async.harvest.lake.delta_table import Outcome, Table, Told, described
from itwin_async.harvest.lake.failing import explained, repeatedly
from itwin_async.harvest.lake.protocol import (
    LakeState,
    LakeTable,
    ListRows,
    Revision,
    changed_meanwhile,
    refuse_others,
)
from itwin_async.harvest.migration import FORMAT
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.rows import Row

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import Transaction

T = TypeVar("T")

_FAILURES = 20


class DeltaTarget:
    """
    A Delta table, or a folder of several.

    An identifier is ``itwin-async:HARVEST:TABLE:LIST``; its version tells the generation and how
    many rows the list has. The one without a list tells the generation of the table.

    Args:
        url: of a folder, on this machine or in an object store; its name ends in ``.delta``.
        storage_options: how the store is reached, as ``deltalake`` takes them.
        sleep: waits before a commit that was refused is made again.

    Attributes:
        name: the URL.

    Raises:
        ConfigurationError: ``deltalake`` is not installed; it is in the extra ``delta``.

    """

    def __init__(
        self,
        url: str,
        storage_options: Mapping[str, str] | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.name = url
        self._options = dict(storage_options or {})
        self._sleep = sleep
        self._library = _library()
        self._opened: dict[str, Table] | None = None
        self._columns: dict[str, RowColumns] = {}

    def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        """Create the tables, or check that they are of this harvest and have these columns."""
        self._columns = {table.name: RowColumns(table, nested=False) for table in tables}
        facts = [(table.name, table.source, table.item.__name__) for table in tables]
        with explained(self.name, "written"):
            found = self.state()
            if found is not None:
                refuse_others(self.name, found, identity, facts)
            told = Told(FORMAT, dict(identity), facts, moment(datetime.now(UTC)))
            for name, columns in self._columns.items():
                if found is None or name not in self._tables():
                    self._create(name, columns.schema, told, alone=len(tables) == 1)
            self._opened = None
            state = self.state()
            if state is None:
                raise TargetError(f"{self.name} cannot be read after it was created")
            refuse_others(self.name, state, identity, facts)  # another machine may have been first
            for name, columns in self._columns.items():
                self._check_columns(name, columns.schema)

    def state(self) -> LakeState | None:
        """Read what the tables' descriptions tell."""
        with explained(self.name, "read"):
            tables = self._tables()
            if not tables:
                return None
            for table in tables.values():
                table.refresh()
            told = next(iter(tables.values())).told
            generation = min(table.generation for table in tables.values())
        outcome = told.outcome
        if outcome is None or outcome.generation != generation:
            outcome = Outcome(generation)
        return LakeState(
            identity=told.identity,
            tables=told.tables,
            generation=generation,
            started=moment_of(outcome.started or told.started),
            finished=moment_of(outcome.finished) if outcome.finished else None,
            failures=outcome.failures,
            failed=outcome.failed,
            revisions={name: table.revision for name, table in tables.items() if table.revision},
        )

    def committed(self, table: str) -> Mapping[str, int]:
        """Read the identifiers of lists of the current generation."""
        with explained(self.name, "read"):
            opened = self._table(table)
            opened.refresh()
            return opened.lists()

    def commit(self, table: str, lists: Sequence[ListRows]) -> int:
        """Append lists that have no identifier yet, checked and committed on one snapshot."""
        columns = self._columns[table]

        def attempt() -> int:
            opened = self._table(table)
            opened.refresh()
            wanted = {one.key: one for one in lists if not opened.has(one.key)}
            if wanted:
                rows = (row for one in wanted.values() for row in one.rows)
                marks = {key: len(one.rows) for key, one in wanted.items()}
                self._write(opened, columns, rows, opened.marks(marks), mode="append")
            return sum(len(one.rows) for one in wanted.values())

        return self._repeatedly(attempt)

    def finish(self, failures: Sequence[Failure], revision: Revision | None = None) -> None:
        """Note the end of the generation in the description of the first table."""

        def attempt() -> None:
            tables = self._tables()
            for table in tables.values():
                table.refresh()
            first = next(iter(tables.values()))
            told = first.told
            told.outcome = Outcome(
                min(table.generation for table in tables.values()),
                moment((revision and revision.finished) or datetime.now(UTC)),
                len(failures),
                list(failures[:_FAILURES]),
                moment(revision.started) if revision and revision.started else None,
            )
            first.delta.alter.set_table_description(described(told))

        self._repeatedly(attempt)

    def rows(self, table: str) -> Iterator[Row]:
        """Read the rows of one snapshot."""
        with explained(self.name, "read"):
            opened = self._table(table)
            opened.refresh()
            yield from rows_of(opened.delta.to_pyarrow_dataset().to_batches(columns=READ))

    def replace(
        self, table: str, rows: Iterator[Row], revision: Revision, lists: Mapping[str, int]
    ) -> None:
        """Overwrite a table in one commit, on the snapshot that was read."""
        columns, opened = self._columns[table], self._table(table)
        with explained(self.name, "written"):
            if opened.revision == revision.id:
                return
            marks = opened.marks(lists, revision)
            try:
                self._write(opened, columns, rows, marks, mode="overwrite")
            except self._library.exceptions.CommitFailedError:
                raise changed_meanwhile(self.name) from None

    def compact(self) -> None:
        """Make large files of small ones, and a checkpoint of the log."""

        def attempt(table: Table) -> None:
            table.refresh()
            # Two machines may do this at once: what the second one read is no longer there, so it
            # must begin again instead of putting its files beside those of the first.
            table.delta.optimize.compact(
                commit_properties=self._library.CommitProperties(max_commit_retries=0)
            )
            table.delta.create_checkpoint()

        for table in self._tables().values():
            self._repeatedly(lambda table=table: attempt(table))  # type: ignore[misc]

    def _write(
        self,
        table: Table,
        columns: RowColumns,
        rows: Iterable[Row],
        marks: list[Transaction],
        *,
        mode: str,
    ) -> None:
        problems: list[Exception] = []
        reader = _reader(columns, rows, problems)
        library = self._library
        try:
            library.write_deltalake(
                table.delta,
                reader,
                mode=mode,
                commit_properties=library.CommitProperties(app_transactions=marks),
                writer_properties=library.WriterProperties(compression="ZSTD"),
            )
        except Exception:
            if problems:  # what the reader raised has lost its class on the way
                raise problems[0] from None
            raise

    def _repeatedly(self, attempt: Callable[[], T]) -> T:
        refused = self._library.exceptions.CommitFailedError
        return repeatedly(self.name, attempt, refused, self._sleep)

    def _create(self, name: str, schema: pa.Schema, told: Told, *, alone: bool) -> None:
        library = self._library
        url = self.name if alone else f"{self.name}/{name}"
        try:
            library.DeltaTable.create(
                url,
                schema,
                mode="error",
                description=described(msgspec.structs.replace(told, table=name)),
                storage_options=self._options,
            )
        except library.exceptions.DeltaError:
            # Perhaps another machine was first.
            if not library.DeltaTable.is_deltatable(url, self._options):
                raise

    def _check_columns(self, name: str, schema: pa.Schema) -> None:
        wanted = self._library.Schema.from_arrow(schema)
        there = self._table(name).delta.schema()
        if [(field.name, field.type) for field in there.fields] != [
            (field.name, field.type) for field in wanted.fields
        ]:
            raise TargetError(
                f"the table {name} of {self.name} has other columns, of another version of the "
                "package; begin a new target"
            )

    def _table(self, name: str) -> Table:
        found = self._tables().get(name)
        if found is None:
            raise TargetError(f"{self.name} has no table {name}")
        return found

    def _tables(self) -> dict[str, Table]:
        if not self._opened:
            tables = [self._open(url) for url in self._urls()]
            self._opened = {table.name: table for table in tables}
        return self._opened

    def _urls(self) -> list[str]:
        is_table = self._library.DeltaTable.is_deltatable
        if is_table(self.name, self._options):
            return [self.name]
        try:
            names = DeltaLog(self.name, self._options).folders()
        except self._library.exceptions.TableNotFoundError:  # no such folder on this machine
            return []
        urls = [f"{self.name}/{name}" for name in names if not name.startswith(("_", "."))]
        return [url for url in urls if is_table(url, self._options)]

    def _open(self, url: str) -> Table:
        delta = self._library.DeltaTable(url, storage_options=self._options)
        return Table(delta, DeltaLog(url, self._options), self.name, self._library)


def _reader(
    columns: RowColumns, rows: Iterable[Row], problems: list[Exception]
) -> pa.RecordBatchReader:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from columns.batches(rows)
        except Exception as problem:
            problems.append(problem)
            raise

    return pa.RecordBatchReader.from_batches(columns.schema, batches())


def _library() -> ModuleType:
    try:
        import deltalake  # noqa: PLC0415 - an extra
        import deltalake.exceptions  # noqa: PLC0415
        import pyarrow  # noqa: F401, ICN001, PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Delta Lake needs an extra: pip install 'itwin-async[delta]'"
        ) from None
    return deltalake
