"""The sink and the checkpoint of one target: rows, cursors and counts are committed at once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias, cast

import attrs

from itwin_async.errors import DecodeError, ITwinError
from itwin_async.harvest import swap
from itwin_async.harvest.checkpoint import Checkpoint, Entry, Totals
from itwin_async.harvest.columns import columns_with_id
from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.plan import Node, Plan, compare_identities
from itwin_async.harvest.postgres.address import Address
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import RowSink, Sink, TableSink
from itwin_async.harvest.sinks.ndjson import NdjsonSink
from itwin_async.harvest.sinks.parquet import ParquetSink
from itwin_async.harvest.sinks.postgres import PostgresSink
from itwin_async.harvest.sinks.sqlite import SqliteSink
from itwin_async.harvest.sources import Source
from itwin_async.harvest.target import TargetFiles
from itwin_async.paging import Page

_COMMIT_AFTER = 1.0  # seconds that rows wait where the sink does not ask for a commit
_PARQUET_COMMIT_AFTER = 5.0  # a part that is written often is a small one

NewLists = Sequence[tuple[int, Sequence[tuple[str, str | None]]]]
"""Lists that a page leads to: number of their source, and keys with names."""

Found: TypeAlias = tuple[object, bytes, int]
"""An item, its JSON, and where it stands in its page."""


class SinkError(Exception):
    """Carries an error of a caller's own sink past those who explain errors of ours."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.problem = problem


class UnstorableError(TargetError):
    """Rows cannot be stored, though the target is sound."""


class Store:
    """
    Everything that one thread does to a target.

    Args:
        name: what the target is called in messages.
        state: the database of the checkpoint.
        plan: the sources.
        sinks: where rows go, by the numbers of the sources whose rows are wanted.
        fail_fast: raise an error where rows cannot be stored, instead of recording it.

    Attributes:
        totals: counts of what is written, if not yet committed.
        unstorable: numbers of the lists that have rows that cannot be stored.
        resumed: whether an earlier run left something to do.

    """

    def __init__(
        self,
        name: str,
        state: Path | Address,
        plan: Plan,
        sinks: Mapping[int, Sink | RowSink],
        *,
        fail_fast: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.fail_fast = fail_fast
        self.totals = Totals()
        self.unstorable: set[int] = set()
        self.resumed = False
        self._state = state
        self._plan = plan
        self._sinks = sinks
        self._is_ours = all(isinstance(sink, RowSink) for sink in sinks.values())
        self._checkpoint: Checkpoint | None = None
        self._compared: set[int] = set()
        self._deadline = 0.0
        self._finished = False
        self._clock = clock
        self._parquet = {n: sink for n, sink in sinks.items() if isinstance(sink, ParquetSink)}
        # A run that is soon killed gets on too, so the first parts are written early.
        self._commit_after = _COMMIT_AFTER

    def open(self, identity: Mapping[str, str]) -> None:
        """
        Open the target, and check that it belongs to this harvest.

        Raises:
            TargetError: it is foreign, damaged or cannot be written.

        """
        sources = {number: self._plan[number].source for number in self._sinks}
        columns = {number: columns_with_id(one.item, one.id) for number, one in sources.items()}
        try:
            self._checkpoint = checkpoint = Checkpoint(self._state, writable=True)
            if isinstance(self._state, Path):
                swap.finish(checkpoint.connection, self._state.parent)
            begun = checkpoint.identity
            if begun:
                compare_identities(self.name, begun, identity)
            marks = {table.number: table.mark for table in checkpoint.tables()}
            for number, sink in self._sinks.items():
                if isinstance(sink, TableSink):
                    sink.use(checkpoint.database)
                mark = marks.get(number)
                if mark is None and begun and self._is_ours:
                    mark = ""  # it was killed before it had one
                with self._blaming_sink():
                    sink.open(columns[number], mark)
            if not begun:
                checkpoint.begin(identity, self._plan)
                self._save_marks(checkpoint)
            if checkpoint.get("merged") is None:  # else what failed is read beside what is there
                checkpoint.reopen()
            self.totals = checkpoint.totals()
            self.resumed = bool(begun and checkpoint.open_lists(0, 1))
        except BaseException:
            opened = self._checkpoint
            self.close()
            if opened is not None:
                opened.database.discard()
            raise

    def open_lists(self, after: int, count: int) -> tuple[list[Entry], bool]:
        """Read the next lists that are not finished, and tell whether there will be others."""
        found: list[Entry] = []
        read = self._opened.open_lists
        self._opened.database.repeat(lambda: found.extend(read(after, count)), found.clear)
        return found, not self.totals.leading

    def outcome(self) -> tuple[bool, list[Failure]]:
        """Commit, and tell from what is recorded whether all lists are read, and which failed."""
        self.commit()
        self._opened.database.repeat(self._end_generation, _nothing)
        return self._finished, self._opened.failures()

    def _end_generation(self) -> None:
        self.totals = totals = self._opened.totals()
        self._finished = self._opened.all_known and totals.done + totals.failed == totals.lists
        if self._finished:
            self._opened.end_generation()
            self._compact(last=True)

    def apply(self, steps: Sequence[Callable[[], None]]) -> None:
        """Take steps in one transaction, and commit where it is due; none to see whether it is."""
        totals = attrs.evolve(self.totals)
        compared, unstorable = set(self._compared), set(self.unstorable)

        def forget() -> None:
            self.totals = attrs.evolve(totals)
            self._compared, self.unstorable = set(compared), set(unstorable)
            for sink in self._sinks.values():
                if isinstance(sink, TableSink):
                    sink.forget()

        self._opened.database.repeat(lambda: self._take(steps), forget)

    def _take(self, steps: Sequence[Callable[[], None]]) -> None:
        database = self._opened.database
        if steps and not database.in_transaction:
            database.begin()
            self._deadline = self._clock() + self._commit_after
        for step in steps:
            step()
        with self._blaming_sink():
            due = any(sink.waiting for sink in self._sinks.values())
        if due or self._clock() >= self._deadline:
            self.commit()

    def add_page(
        self,
        entry: Entry,
        page: Page[object],
        lists: NewLists,
        cursor: str,
        *,
        done: bool,
        odd: Sequence[tuple[int, str]] = (),
    ) -> None:
        """
        Add a page of a list, the lists that it leads to and the cursor after it.

        What is there already is left out. Items that cannot be read or stored are set aside; so
        are those of ``odd``, positions and errors, that lead nowhere. A list whose pages are not
        what they say fails, and what else comes of it is ignored.
        """
        if entry.number in self.unstorable:
            return
        for one in page.undecoded:
            self._set_aside(entry, one.index, one.raw, DecodeError(one.error))
        if odd:
            texts = page.raw_items()
            for position, error in odd:
                self._set_aside(entry, position, texts[position], DecodeError(error))
        new = self._add_rows(entry, page, done=done) if self._node(entry).stored else 0
        if new is None:
            return
        for number, keys in lists:
            found = self._opened.add_lists(number, entry.number, keys)
            self.totals.lists += found if self._plan[number].stored else 0
            self.totals.leading += found if self._plan[number].children else 0
        self._opened.advance(entry, cursor, new, done=done)
        if self._node(entry).stored:
            self.totals.items += new
            self.totals.pages += 1
        self._end(entry, done=done)

    def _add_rows(self, entry: Entry, page: Page[object], *, done: bool) -> int | None:
        """Add a page's rows that are new and count them; ``None`` if they cannot be stored."""
        # The page is cut here, since a page that waits should not be there twice.
        items, texts = page.items, page.raw_items()
        if len(items) != len(texts):
            self._fail_rows(entry, f"it has {len(items)} items and {len(texts)} texts")
            return None
        rows = self._identified(entry, items, texts)
        known = self._known(entry, list(rows), done=done)
        new = {name: row for name, row in rows.items() if name not in known}
        written = self._write_most(entry, new) if new else 0
        self._remember(entry, list(rows))
        return written

    def _identified(
        self, entry: Entry, items: Sequence[object], texts: Sequence[bytes]
    ) -> dict[str, Found]:
        """Map ids to items; what a page has twice is taken the first time."""
        identify, rows = self._node(entry).source.id_of, dict[str, Found]()
        for position, (item, text) in enumerate(zip(items, texts, strict=True)):
            try:
                rows.setdefault(identify(item, text), (item, text, position))
            except (ValueError, TypeError) as problem:
                self._set_aside(entry, position, text, problem)
        return rows

    def _write_most(self, entry: Entry, found: Mapping[str, Found]) -> int:
        """Write rows, set aside those that cannot be stored, and count the others."""
        try:
            with self._blaming_sink():
                self._write(entry, found)
        except UnstorableError as problem:
            if len(found) > 1:
                return sum(self._write_most(entry, {name: one}) for name, one in found.items())
            ((_, text, position),) = found.values()
            self._set_aside(entry, position, text, problem)
            return 0
        return len(found)

    def _set_aside(self, entry: Entry, position: int, text: bytes, problem: Exception) -> None:
        if self.fail_fast and isinstance(problem, DecodeError):
            raise problem
        if self.fail_fast:
            raise TargetError(f"{self.name} cannot store an item of {entry.key}: {problem}")
        self.totals.quarantined += self._opened.set_aside(entry, position, text, str(problem))

    def finish(self, entry: Entry) -> None:
        """Mark a list as done."""
        if entry.number not in self.unstorable:
            self._opened.finish(entry)
            self._end(entry)

    def fail(self, entry: Entry, kind: str, error: str) -> None:
        """Mark a list as failed."""
        if entry.number not in self.unstorable:
            node = self._node(entry)
            self._opened.fail(entry, kind, error)
            self.totals.failed += 1
            self.totals.lists += 0 if node.stored else 1
            self.totals.leading -= 1 if node.children else 0

    def restart(self, entry: Entry) -> None:
        """Let a list begin again from its start."""
        if entry.number not in self.unstorable:
            if self._node(entry).stored:
                self._compare_ids(entry, resumed=True)
            self._opened.rewind(entry)

    @property
    def unsaved(self) -> bool:
        """Whether something is not committed yet."""
        return self._checkpoint is not None and self._checkpoint.database.in_transaction

    def commit(self) -> None:
        """Make everything durable."""
        if self._checkpoint is not None and self.unsaved:
            self._save_marks(self._checkpoint)
            self._checkpoint.save_latest()
            self._checkpoint.database.commit()
            self._compact(last=False)

    def close(self) -> None:
        """Close the target; what is not committed is dropped."""
        checkpoint, self._checkpoint = self._checkpoint, None
        try:
            for sink in self._sinks.values():
                with self._blaming_sink():
                    sink.close()
        finally:
            if checkpoint is not None:
                checkpoint.close()

    def _compact(self, *, last: bool) -> None:
        """Let parts that were written often become fewer, after a commit."""
        if self._parquet:
            self._commit_after = min(2 * self._commit_after, _PARQUET_COMMIT_AFTER)
        for number, sink in self._parquet.items():
            with self._blaming_sink():
                sink.committed()
                made = sink.compact(last=last)
                if made is not None:
                    self._replace(number, sink, made)

    def _replace(self, number: int, sink: ParquetSink, made: swap.Replacement) -> None:
        checkpoint = self._opened
        change = partial(checkpoint.set_mark, number, made.mark)
        folder = cast("Path", self._state).parent
        swap.commit(checkpoint.connection, folder, [made.swap], change)
        sink.replaced(made.mark)

    def _node(self, entry: Entry) -> Node:
        return self._plan[entry.source]

    def _write(self, entry: Entry, found: Mapping[str, Found]) -> None:
        sink, items = self._sinks[entry.source], [item for item, _, _ in found.values()]
        if not isinstance(sink, RowSink):
            sink.write(entry.key, items, [text for _, text, _ in found.values()])
            return
        now = self._opened.now()
        rows = [
            Row(entry.key, entry.list_name, name, text, now, now, now)
            for name, (_, text, _) in found.items()
        ]
        try:
            sink.write_rows(rows, items)
        except (ValueError, TypeError, ArithmeticError, sqlite3.DataError) as problem:
            raise UnstorableError(str(problem)) from problem

    def _fail_rows(self, entry: Entry, problem: str) -> None:
        error = TargetError(f"{self.name} cannot store a page of this list: {problem}")
        if self.fail_fast:
            raise error
        self.fail(entry, type(error).__name__, str(error))
        self.unstorable.add(entry.number)

    def _end(self, entry: Entry, *, done: bool = True) -> None:
        if done:
            node = self._node(entry)
            self.totals.done += 1 if node.stored else 0
            self.totals.leading -= 1 if node.children else 0
            self._compared.discard(entry.number)

    def _known(self, entry: Entry, ids: list[str], *, done: bool) -> set[str]:
        """
        Tell which ids a list has already.

        A server may repeat a page under another token, items move while a list is read by position,
        and a list may begin again. Only a list that is one page needs no comparison.
        """
        checkpoint = self._opened
        resumed = entry.cursor is not None or checkpoint.is_compared(entry)
        if done and not resumed and entry.number not in self._compared:
            return set()
        self._compare_ids(entry, resumed=resumed)
        sink = self._sinks[entry.source]
        if isinstance(sink, TableSink):
            return sink.known(entry.key, ids)
        return set(checkpoint.seen(entry, ids))

    def _remember(self, entry: Entry, ids: list[str]) -> None:
        is_table = isinstance(self._sinks[entry.source], TableSink)
        if entry.number in self._compared and not is_table:
            self._opened.remember(entry, ids)

    def _compare_ids(self, entry: Entry, *, resumed: bool) -> None:
        """Compare the ids of a list from now on; a table of a database has them itself."""
        if entry.number in self._compared:
            return
        self._compared.add(entry.number)
        if not self._opened.is_compared(entry):
            missing = resumed and not isinstance(self._sinks[entry.source], TableSink)
            self._opened.compare(entry, self._sink_ids(entry) if missing else ())

    def _sink_ids(self, entry: Entry) -> Iterator[str]:
        with self._blaming_sink():
            yield from self._sinks[entry.source].ids(entry.key)

    def _save_marks(self, checkpoint: Checkpoint) -> None:
        for number, sink in self._sinks.items():
            with self._blaming_sink():
                mark = sink.commit()
            checkpoint.set_mark(number, mark)

    @contextmanager
    def _blaming_sink(self) -> Iterator[None]:
        """Explain errors of our sinks; those of a caller's own sink are the caller's."""
        try:
            yield
        except (ITwinError, MemoryError):
            raise
        except Exception as problem:
            if not self._is_ours and not isinstance(problem, OSError):
                raise SinkError(problem) from problem
            first = next(iter(self._sinks.values()))
            name = self.name if self._is_ours else f"the sink {type(first).__name__}"
            raise explain(problem, name) from problem

    @property
    def _opened(self) -> Checkpoint:
        if self._checkpoint is None:
            raise TargetError(f"{self.name} is closed")
        return self._checkpoint


def sink_of(files: TargetFiles, source: Source[object], *, alone: bool) -> RowSink:
    """Make the sink of a source in a target."""
    with_id = source.id != "id"
    if files.form == "postgresql":
        return PostgresSink(source.table, with_id=with_id)
    if files.form == "sqlite":
        return SqliteSink(files.path, source.table, with_id=with_id)
    path = files.of_table(source.table, alone=alone)
    if files.form == "ndjson":
        return NdjsonSink(path, files.state, with_id=with_id)
    return ParquetSink(path, files.state, files.path, with_id=with_id)


def _nothing() -> None:
    """Prepare nothing for another try."""
