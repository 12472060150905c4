"""A target while it is written: rows, cursors and counts become durable together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from itwin_async.harvest.columns import columns_of
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.messages import (
    Ended,
    Entry,
    Failed,
    OuterPage,
    Message,
    Restarted,
    InnerPage,
)
from itwin_async.harvest.target import TargetFiles
from itwin_async.harvest.sinks import Sink
from itwin_async.harvest.sinks.ndjson import NdjsonSink
from itwin_async.harvest.sinks.parquet import ParquetSink
from itwin_async.harvest.sinks.sqlite import SqliteRows
from itwin_async.harvest.checkpoint import Checkpoint, Totals

_PATIENCE = 1.0  # seconds that rows wait for a commit where the sink does not ask for one
_PARQUET_PATIENCE = 20.0  # a part that is written often is a small one


class Store:
    """
    Everything that one thread does to a target.

    Args:
        target: what it is called in messages.
        state: the database that remembers how far the harvest is.
        sink: where rows go; ``None`` for tables in that same database.

    """

    def __init__(self, target: str, state: Path, sink: Sink | None) -> None:
        self._target = target
        self._path = state
        self._sink = sink
        self._state: Checkpoint | None = None
        self._rows: SqliteRows | None = None
        self._checked: set[int] = set()
        self._deadline: float | None = None
        self._patience = _PARQUET_PATIENCE if isinstance(sink, ParquetSink) else _PATIENCE
        self.totals = Totals(0, 0, 0, 0, 0)

    def open(
        self, identity: Mapping[str, str], item: type, table: str, keys: Sequence[str]
    ) -> None:
        """
        Open the target, and check that it is of this harvest.

        Args:
            identity: what it must be a harvest of.
            item: class of the items.
            table: name of the table, where there is one.
            keys: the lists that are known from the start.

        Raises:
            TargetError: it is foreign, damaged or cannot be written.

        """
        fresh = not self._path.exists()
        columns = columns_of(item)
        try:
            self._state = state = Checkpoint(self._path, fresh=True)
            begun = state.identity
            if begun:
                _compare(self._target, begun, identity)
            if self._sink is not None:
                self._sink.open(columns, state.get("mark"))
            if not begun:
                state.begin(identity, table, keys)
                if self._sink is not None:
                    state.set("mark", self._sink.commit())
            state.reopen()
            if self._sink is None:
                self._rows = SqliteRows(state.connection, table, columns)
            self.totals = state.totals()
        except BaseException:
            self.close()
            if fresh:
                for ending in ("", "-wal", "-shm"):
                    self._path.with_name(f"{self._path.name}{ending}").unlink(missing_ok=True)
            raise

    def outer(self) -> tuple[str | None, bool]:
        """Tell where the outer list goes on, and whether it is finished."""
        state = self._opened
        return state.get("outer_cursor") or None, state.get("outer_done") is not None

    def open_lists(self, after: int, count: int) -> list[Entry]:
        """Read the next lists that are not finished."""
        return self._opened.open_lists(after, count)

    def take(self, messages: Sequence[Message]) -> None:
        """
        Write what was told, and make it durable where that is due.

        Args:
            messages: what was told, in order; none to see whether something is due.

        """
        state, connection = self._opened, self._opened.connection
        if messages and not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
            self._deadline = time.monotonic() + self._patience
        for message in messages:
            self._apply(state, message)
        if connection.in_transaction and self._due():
            self.commit()

    @property
    def unsaved(self) -> bool:
        """Whether something was told that is not durable yet."""
        return self._state is not None and self._state.connection.in_transaction

    def commit(self) -> None:
        """Make everything durable."""
        state = self._state
        if state is None or not state.connection.in_transaction:
            return
        if self._sink is not None:
            state.set("mark", self._sink.commit())
        state.connection.execute("COMMIT")

    def failures(self, limit: int) -> list[tuple[str, str | None, str, str]]:
        """Read lists that failed: key, title, kind and error."""
        return list(self._opened.failures(limit))

    def close(self) -> None:
        """Let go of the target; what is not durable is dropped."""
        state, self._state = self._state, None
        try:
            if self._sink is not None:
                self._sink.close()
        finally:
            if state is not None:
                state.close()

    def _due(self) -> bool:
        if self._sink is None or self._deadline is None:
            return True
        return self._sink.waiting or time.monotonic() >= self._deadline

    def _apply(self, state: Checkpoint, message: Message) -> None:
        totals = self.totals
        if isinstance(message, InnerPage):
            written = self._write(state, message)
            state.advance(message, written)
            totals.items += written
            totals.pages += 1
            totals.done += message.done
        elif isinstance(message, Ended):
            state.end(message)
            totals.done += 1
        elif isinstance(message, OuterPage):
            totals.lists += max(0, state.found(message))
        elif isinstance(message, Failed):
            state.fail(message)
            totals.failed += 1
        else:
            self._restart(state, message)

    def _write(self, state: Checkpoint, message: InnerPage) -> int:
        entry, page = message.entry, message.page
        items, texts = _once(page.items, page.raw_items())
        if self._rows is not None:
            return self._rows.write(entry.key, items, texts)
        if message.shifting or self._is_checked(state, entry.number):
            new = [
                index
                for index, item in enumerate(items)
                if state.is_new(entry.number, str(getattr(item, "id", "")))
            ]
            items, texts = [items[index] for index in new], [texts[index] for index in new]
        if items and self._sink is not None:
            self._sink.write(entry.key, items, texts)
        return len(items)

    def _is_checked(self, state: Checkpoint, number: int) -> bool:
        # A list that began again before this process came has its ids in the state already.
        if number not in self._checked and state.is_checked(number):
            self._checked.add(number)
        return number in self._checked

    def _restart(self, state: Checkpoint, message: Restarted) -> None:
        entry = message.entry
        ids = [] if self._sink is None else self._sink.ids(entry.key)
        state.restart(message, ids)

    @property
    def _opened(self) -> Checkpoint:
        if self._state is None:
            raise TargetError(f"{self._target} is closed")
        return self._state


def _once(
    items: Sequence[object], texts: Sequence[bytes]
) -> tuple[Sequence[object], Sequence[bytes]]:
    """Leave out what a page has already."""
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(str(getattr(item, "id", "")), index)
    if len(first) == len(items):
        return items, texts
    return [items[index] for index in first.values()], [texts[index] for index in first.values()]


def store_of(place: TargetFiles) -> Store:
    """
    Make the store of a target.

    Args:
        place: where its files lie.

    Returns:
        The store, not opened.

    """
    makers: dict[str, Callable[[], Sink | None]] = {
        "sqlite": lambda: None,
        "ndjson": lambda: NdjsonSink(place.target, place.state),
        "parquet": lambda: ParquetSink(place.target, place.state),
    }
    return Store(str(place.target), place.state, makers[place.form]())


def _compare(target: str, begun: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    differences = [
        f"{name} is {begun.get(name, 'not set')} there, {wanted.get(name, 'not set')} here"
        for name in dict.fromkeys([*begun, *wanted])
        if begun.get(name) != wanted.get(name)
    ]
    if differences:
        raise TargetError(
            f"{target} belongs to another harvest: {'; '.join(differences)}; take another target"
        )
