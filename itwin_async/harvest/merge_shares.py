"""The targets of all shares of a harvest, made one."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import attrs

from itwin_async._arguments import invalid
from itwin_async._json.converter import from_dict
from itwin_async.errors import ArgumentError
from itwin_async.harvest import swap
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import columns_with_id
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.plan import Node
from itwin_async.harvest.quarantine import copy_odd_items
from itwin_async.harvest.reading import CLASSES, table_rows
from itwin_async.harvest.rows import Row
from itwin_async.harvest.shares import EVERY
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.sinks.sqlite import SqliteSink
from itwin_async.harvest.sources import Source
from itwin_async.harvest.status import Status, status
from itwin_async.harvest.store import sink_of
from itwin_async.harvest.target import TargetFiles, locked, target_files
from itwin_async.paging import Pager

_FORMS = {"sqlite", "ndjson", "parquet"}
_MERGING = "merging"
_SHARD = re.compile(r"(\d+) of (\d+)")
_LISTS = (
    "SELECT a.number, b.name, a.key, a.list_name, a.parent, a.state, a.items, a.pages, a.checked,"
    " a.kind, a.error, a.started, a.finished FROM harvest_lists AS a"
    " JOIN harvest_sources AS b ON b.number = a.source ORDER BY a.number"
)
_INSERT = (
    "INSERT INTO harvest_lists (number, source, key, list_name, parent, state, items, pages,"
    " checked, kind, error, started, finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def merge(target: str | os.PathLike[str], shares: Sequence[str | os.PathLike[str]]) -> Status:
    """
    Make one new target of the targets of all shares of a harvest; these stay as they are.

    It is what a harvest without shares would have made, and goes on as such: lists that failed are
    read again by a run of the whole, and so is everything by a refresh.

    Args:
        target: the new target; its form may be another.
        shares: the targets that were harvested with ``share``, all of them, in any order.

    Raises:
        TargetError: they are no shares of one harvest, one is missing, given twice or not finished,
            or the target exists already or cannot be written.

    """
    files, found = target_files(target), [target_files(share) for share in shares]
    for name, one in (("target", files), *(("shares", one) for one in found)):
        if one.form not in _FORMS:
            raise invalid(name, one.name, "a target of files or a SQLite database")
    parts = _checked(found)
    with locked(files.lock, files.path):
        alone = len(status(parts[0].path).tables) == 1
        tables = [files.of_table(table, alone=alone) for table in status(parts[0].path).tables]
        if _is_half_made(files):
            _discard(files, tables)
        for path in {files.state, *tables}:
            if path.exists() and not (path.is_dir() and not any(path.iterdir())):
                raise TargetError(f"{path} exists already; merge into a new target")
        try:
            _Merger(files, parts).run()
        except BaseException:
            _discard(files, tables)
            raise
    return status(files.path)


def _is_half_made(files: TargetFiles) -> bool:
    """Tell whether a merge into the target was killed."""
    try:
        with closing(Checkpoint(files.state, writable=False)) as found:
            return found.get(_MERGING) is not None
    except TargetError:  # there is none, or something else
        return False


def _discard(files: TargetFiles, tables: Sequence[Path]) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        swap.discard(files.state.with_name(f"{files.state.name}{ending}"))
    for path in tables:
        swap.discard(path)
        swap.discard(swap.staged_for(path, files.path))


def _checked(parts: Sequence[TargetFiles]) -> list[TargetFiles]:
    """Check that these are all shares of one harvest, and put them in order."""
    if not parts:
        raise ArgumentError("give the targets of the shares", argument="shares")
    numbered: dict[int, TargetFiles] = {}
    whole: dict[str, str] = {}
    count = 0
    for files in parts:
        found = status(files.path)
        if found.running or found.refresh is not None:
            raise TargetError(f"{files.path} is being written; merge it afterwards", kind="busy")
        if not found.finished:
            raise TargetError(f"{files.path} is not finished; run its harvest again first")
        identity = dict(found.source)
        match = _SHARD.fullmatch(identity.pop("share", ""))
        if match is None:
            raise TargetError(f"{files.path} is no share of a harvest")
        number, of = int(match[1]), int(match[2])
        if whole and (identity, of) != (whole, count):
            raise TargetError(f"{files.path} and {parts[0].path} are shares of two harvests")
        if number in numbered:
            raise TargetError(f"{files.path} and {numbered[number].path} are the same share")
        whole, count, numbered[number] = identity, of, files
    missing = [str(number) for number in range(1, count + 1) if number not in numbered]
    if missing:
        raise TargetError(f"of {count} shares these are missing: {', '.join(missing)}")
    return [numbered[number] for number in sorted(numbered)]


class _Merger:
    """One merge; nothing of it counts before its end."""

    def __init__(self, files: TargetFiles, parts: Sequence[TargetFiles]) -> None:
        self._files = files
        self._parts = parts
        self._removed: Counter[int] = Counter()
        self._items: Counter[tuple[int, str]] = Counter()
        self._numbers: dict[tuple[int, str], int] = {}
        with closing(Checkpoint(parts[0].state, writable=False)) as first:
            self._identity = first.identity
            del self._identity["share"]
            self._nodes = _nodes(first)
        self._by_name = {node.source.name: node.number for node in self._nodes}

    def run(self) -> None:
        """Merge."""
        stored = [node for node in self._nodes if node.stored]
        with ExitStack() as stack:
            made = stack.enter_context(closing(Checkpoint(self._files.state, writable=True)))
            sinks = {
                node.number: sink_of(self._files, node.source, alone=len(stored) == 1)
                for node in stored
            }
            for number, sink in sinks.items():
                source = self._nodes[number].source
                if isinstance(sink, SqliteSink):
                    sink.connection = made.connection
                stack.callback(sink.close)
                sink.open(columns_with_id(source.item, source.id), None)
            made.set(_MERGING, "1")
            made.begin({}, self._nodes)  # without an identity it is no harvest yet
            swaps: list[swap.Swap] = []
            marks = {number: sink.commit() for number, sink in sinks.items()}
            for number, sink in sinks.items():
                if not isinstance(sink, SqliteSink):
                    new = sink.replace(self._rows(number), self._read(number))
                    assert new is not None  # noqa: S101 - only a database has none
                    swaps.append(new.swap)
                    marks[number] = new.mark

            def save() -> None:
                for number, sink in sinks.items():
                    if isinstance(sink, SqliteSink):
                        sink.replace(self._rows(number), self._read(number))
                self._save(made, marks)

            swap.commit(made.connection, self._files.state.parent, swaps, save)

    def _rows(self, number: int) -> Iterator[Row]:
        for files in self._parts:
            with table_rows(files, self._nodes[number].source.table) as rows:
                for row in rows:
                    if row.removed_at is None:
                        self._items[number, row.list] += 1
                    else:
                        self._removed[number] += 1
                    yield row

    def _read(self, number: int) -> Callable[[bytes], object]:
        cls = self._nodes[number].source.item
        return lambda text: from_dict(cls, parse(text))

    def _save(self, made: Checkpoint, marks: dict[int, str]) -> None:
        connection = made.connection
        latest, first, last = made.get("latest") or "", "", ""
        for files in self._parts:
            with closing(Checkpoint(files.state, writable=False)) as part:
                self._save_lists(made, part)
                copy_odd_items(part.connection, connection, lambda name: name.removesuffix(EVERY))
                latest = max(latest, part.get("latest") or "")
                started, finished = part.connection.execute(
                    "SELECT started, finished FROM harvest_generations ORDER BY number DESC"
                ).fetchone()
                first, last = min(first or started, started), max(last, finished or "")
        for (number, key), items in self._items.items():
            found = connection.execute(
                "SELECT items FROM harvest_lists WHERE source = ? AND key = ?", (number, key)
            ).fetchone()
            if found != (items,):
                raise TargetError(f"the list {key} has not the rows in the shares that it had")
        for number, mark in marks.items():
            made.set_mark(number, mark)
            connection.execute(
                "UPDATE harvest_sources SET removed = ? WHERE number = ?",
                (self._removed[number], number),
            )
        connection.execute(
            "UPDATE harvest_generations SET started = ?, finished = ?", (first, last)
        )
        made.set("latest", latest)
        made.set("identity", json.dumps(self._identity))
        connection.execute("DELETE FROM harvest_meta WHERE name = ?", (_MERGING,))

    def _save_lists(self, made: Checkpoint, part: Checkpoint) -> None:
        """Copy lists; one that every share has read counts as failed where one share failed."""
        numbers: dict[int, int] = {}
        for old, name, key, title, parent, state, *rest in part.connection.execute(_LISTS):
            one = (self._by_name[name.removesuffix(EVERY)], key)
            if one not in self._numbers:
                numbers[old] = self._numbers[one] = len(self._numbers) + 1
                above = None if parent is None else numbers[parent]
                made.connection.execute(_INSERT, (numbers[old], *one, title, above, state, *rest))
                continue
            numbers[old] = self._numbers[one]
            if state == "failed":
                made.connection.execute(
                    "UPDATE harvest_lists SET state = 'failed', kind = ?, error = ?"
                    " WHERE number = ?",
                    (*rest[3:5], numbers[old]),
                )


def _nodes(first: Checkpoint) -> list[Node]:
    """Make the plan of the whole from that of the first share, which has the same sources."""
    rows = first.connection.execute(
        "SELECT number, name, parent, item, table_name FROM harvest_sources ORDER BY number"
    ).fetchall()
    return [
        Node(
            number,
            _source(name, item, table),
            parent,
            tuple(other for other, _, above, *_ in rows if above == number),
            table is not None,
        )
        for number, name, parent, item, table in rows
    ]


def _source(name: str, item: str, table: str | None) -> Source[object]:
    cls = CLASSES.get(item)
    if cls is None and table is not None:
        raise TargetError(f"merge knows the items of the platform; it does not know {item}")
    cls = cls or type(item, (), {})
    has_id = attrs.has(cls) and any(field.name == "id" for field in attrs.fields(cls))
    return Source(name, cls, _unread, keys=(), table=table or "", id="id" if has_id else None)


def _unread(*_: object, **__: object) -> Pager[object]:
    raise NotImplementedError
