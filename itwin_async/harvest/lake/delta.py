"""Delta Lake tables: each list is committed with an application transaction identifier."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from itwin_async.errors import ConfigurationError
from itwin_async.harvest.columns import moment, moment_of
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.lake.columns import READ, RowColumns, rows_of
from itwin_async.harvest.lake.delta_log import DeltaLog
from itwin_async.harvest.lake.failing import explained, without_secrets
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
    from deltalake import DeltaTable, Transaction

T = TypeVar("T")

_TRIES = 40
_PAUSE = 0.05  # seconds before the first repetition
_LONGEST_PAUSE = 3.0
_TOLD = "itwin_async"  # member of a table's description
_ROWS = 2**40  # an identifier's version is the generation times this, and the rows of the list
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
        self._opened: dict[str, _Table] | None = None
        self._columns: dict[str, RowColumns] = {}

    def prepare(self, identity: Mapping[str, str], tables: Sequence[LakeTable]) -> None:
        """Create the tables, or check that they are of this harvest and have these columns."""
        self._columns = {table.name: RowColumns(table, nested=False) for table in tables}
        facts = [(table.name, table.source, table.item.__name__) for table in tables]
        with explained(self.name, "written"):
            found = self.state()
            if found is not None:
                refuse_others(self.name, found, identity, facts)
            told = {
                "format": FORMAT,
                "identity": dict(identity),
                "tables": facts,
                "started": moment(datetime.now(UTC)),
            }
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
            told = [table.told() for table in tables.values()]
        first = told[0]
        if first.get("format") != FORMAT:
            raise TargetError(
                f"{self.name} has format {first.get('format', 'of something else')}; this version "
                f"reads format {FORMAT}: harvest into a new target"
            )
        generation = min(table.generation for table in tables.values())
        outcome = first.get("outcome", {})
        if outcome.get("generation") != generation:
            outcome = {}
        return LakeState(
            identity=first["identity"],
            tables=[(name, source, item) for name, source, item in first["tables"]],
            generation=generation,
            started=moment_of(first["started"]),
            finished=moment_of(outcome["finished"]) if outcome else None,
            failures=[Failure(**failure) for failure in outcome.get("failures", [])],
            failed=outcome.get("failed", 0),
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

    def finish(self, failures: Sequence[Failure]) -> None:
        """Note the end of the generation in the description of the first table."""

        def attempt() -> None:
            tables = self._tables()
            for table in tables.values():
                table.refresh()
            first = next(iter(tables.values()))
            told = first.told()
            told["outcome"] = {
                "generation": min(table.generation for table in tables.values()),
                "finished": moment(datetime.now(UTC)),
                "failed": len(failures),
                "failures": [_plain(failure) for failure in failures[:_FAILURES]],
            }
            first.delta.alter.set_table_description(json.dumps({_TOLD: told}))

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

        def attempt(table: _Table) -> None:
            table.refresh()
            table.delta.optimize.compact()
            table.delta.create_checkpoint()

        for table in self._tables().values():
            self._repeatedly(lambda table=table: attempt(table))  # type: ignore[misc]

    def _write(
        self,
        table: _Table,
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
        """Try again where another commit came first: what it added is seen then."""
        refused = self._library.exceptions.CommitFailedError
        pause = _PAUSE
        for _ in range(_TRIES):
            with explained(self.name, "written"):
                try:
                    return attempt()
                except refused as problem:
                    last = str(problem)
            self._sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - to part those who wait
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise TargetError(
            f"{self.name} cannot be written: each of {_TRIES} commits was refused, "
            f"at last with: {without_secrets(last)}"
        )

    def _create(
        self, name: str, schema: pa.Schema, told: Mapping[str, object], *, alone: bool
    ) -> None:
        library = self._library
        url = self.name if alone else f"{self.name}/{name}"
        try:
            library.DeltaTable.create(
                url,
                schema,
                mode="error",
                description=json.dumps({_TOLD: {**told, "table": name}}),
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

    def _table(self, name: str) -> _Table:
        found = self._tables().get(name)
        if found is None:
            raise TargetError(f"{self.name} has no table {name}")
        return found

    def _tables(self) -> dict[str, _Table]:
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

    def _open(self, url: str) -> _Table:
        delta = self._library.DeltaTable(url, storage_options=self._options)
        return _Table(delta, DeltaLog(url, self._options), self.name, self._library)


class _Table:
    """A snapshot of a table, with the identifiers in it."""

    def __init__(self, delta: DeltaTable, log: DeltaLog, target: str, library: ModuleType) -> None:
        self.delta = delta
        self._log = log
        self._library = library
        told = self.told()
        if "table" not in told:
            raise TargetError(f"{target} is a Delta table of something else, not a harvest")
        self.name: str = told["table"]
        facts = json.dumps(told["identity"], sort_keys=True)
        harvest = hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()
        self._prefix = f"itwin-async:{harvest}:{self.name}"

    def refresh(self) -> None:
        self.delta.update_incremental()

    def told(self) -> dict[str, object]:
        try:
            found = json.loads(self.delta.metadata().description or "{}")
        except ValueError:
            found = {}
        return found.get(_TOLD, {}) if isinstance(found, dict) else {}

    @property
    def generation(self) -> int:
        return self._identifiers().get(self._prefix, 1)

    def has(self, key: str) -> bool:
        return f"{self._prefix}:{key}" in self._identifiers()

    def lists(self) -> dict[str, int]:
        start, generation = f"{self._prefix}:", self.generation
        return {
            name.removeprefix(start): version % _ROWS
            for name, version in self._identifiers().items()
            if name.startswith(start) and version // _ROWS == generation
        }

    def marks(
        self, lists: Mapping[str, int], revision: Revision | None = None
    ) -> list[Transaction]:
        of = self.generation if revision is None else revision.generation
        make = self._library.Transaction
        made = [make(f"{self._prefix}:{key}", of * _ROWS + rows) for key, rows in lists.items()]
        if revision is None:
            return made
        number = len(self._revisions()) + 1
        return [
            make(self._prefix, revision.generation),
            make(f"{self._prefix}#{revision.id}", number),
            *made,
        ]

    @property
    def revision(self) -> str | None:
        found = self._revisions()
        return max(found, key=found.__getitem__) if found else None

    def _revisions(self) -> dict[str, int]:
        start = f"{self._prefix}#"
        return {
            name.removeprefix(start): version
            for name, version in self._identifiers().items()
            if name.startswith(start)
        }

    def _identifiers(self) -> Mapping[str, int]:
        return self._log.identifiers(self.delta.version())


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


def _plain(failure: Failure) -> dict[str, str | None]:
    return {
        "key": failure.key,
        "title": failure.title,
        "kind": failure.kind,
        "error": failure.error,
        "source": failure.source,
    }


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
