"""Looking at a target from outside, also while a harvest writes it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from itwin_async._json.converter import from_dict
from itwin_async._tables.html import facts_html
from itwin_async.harvest import swap
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.lake import LakeTarget, open_lake
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.progress import UNFINISHED, Failure, described, printed, to_json
from itwin_async.harvest.reading import CLASSES, lake_tables
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.snapshot import snapshot
from itwin_async.harvest.target import TargetFiles, is_held, target_files

State: TypeAlias = Literal["complete", "incomplete", "running", "unfinished"]


@attrs.frozen
class RefreshStatus:
    """
    How far a refresh is.

    Attributes:
        generation: the generation that it makes.
        lists_known: lists found so far.
        lists_done: lists that are finished.
        lists_failed: lists that failed.
        items: rows that were read.

    """

    generation: int
    lists_known: int
    lists_done: int
    lists_failed: int
    items: int


@attrs.frozen
class Status:
    """
    What is durable in a target.

    Attributes:
        target: the target.
        source: what it is a harvest of.
        lists_known: lists found so far.
        lists_done: lists that are finished.
        lists_failed: lists that failed.
        all_known: whether no further lists will be found.
        items: rows.
        pages: pages that they came in.
        failures: lists that failed, the first thousand.
        tables: rows of each table.
        running: whether a harvest writes the target at this moment.
        generation: how often everything was read: 1 for a harvest, one more for each refresh.
        version: the version of this package that began the generation.
        started_at: when the generation was begun.
        finished_at: when it was finished, if it is.
        quarantined: items that were set aside, since they cannot be read or stored.
        refresh: how far a refresh is that has begun and is not there to be read yet.

    """

    target: str
    source: dict[str, str]
    lists_known: int
    lists_done: int
    lists_failed: int
    all_known: bool
    items: int
    pages: int
    failures: list[Failure]
    tables: dict[str, int] = attrs.field(factory=dict)
    running: bool = False
    generation: int = 1
    version: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    quarantined: int = 0
    refresh: RefreshStatus | None = None

    @property
    def finished(self) -> bool:
        """Whether everything is there, except for lists that failed."""
        return self.all_known and self.lists_done + self.lists_failed == self.lists_known

    @property
    def complete(self) -> bool:
        """Whether everything is there: no list failed, and no item was set aside."""
        return self.finished and not self.lists_failed and not self.quarantined

    @property
    def state(self) -> State:
        """Whether it runs; else how much is there: all, all but what has a fault, or less."""
        if self.running:
            return "running"
        if not self.finished:
            return "unfinished"
        return "complete" if self.complete else "incomplete"

    def to_json(self) -> str:
        """Write the status as a JSON object."""
        return to_json(self, state=self.state, finished=self.finished, complete=self.complete)

    def _repr_html_(self) -> str:
        facts = {
            "source": described(self.source),
            "generation": f"{self.generation}, started {_shown(self.started_at)},"
            f" finished {_shown(self.finished_at)}",
            "lists done": f"{self.lists_done:,} of {self.lists_known:,}"
            + ("" if self.all_known else " known so far"),
            "lists failed": f"{self.lists_failed:,}",
            "items set aside": f"{self.quarantined:,}",
            "rows": f"{self.items:,}, from {self.pages:,} pages",
            **{f"rows of {table}": f"{rows:,}" for table, rows in self.tables.items()},
        }
        state = "finished" if self.finished else UNFINISHED
        return facts_html(printed(facts, self.failures), title=f"{self.target}: {state}")


def _shown(value: datetime | None) -> str:
    return "never" if value is None else value.isoformat(" ", "seconds")


def status(
    target: str | os.PathLike[str], *, storage_options: Mapping[str, str] | None = None
) -> Status:
    """
    Tell how far a harvest is; it may be running.

    Raises:
        TargetError: there is no such harvest, or it cannot be read.
        ArgumentError: the name has none of the known endings.

    """
    files = target_files(target, storage_options)
    running = _is_running(files)  # first, since a run that ends meanwhile has finished it
    lake = open_lake(files)
    if lake is not None:
        return _status_of_lake(files, lake, running=running)
    with reading(files.place), closing(Checkpoint(files.place, writable=False)) as checkpoint:
        found = _status(files, checkpoint, running=running)
    _check_files(files, found)
    return found


def _is_running(files: TargetFiles) -> bool:
    """Tell whether a harvest writes a target, in a database one of any machine."""
    if is_held(files.lock) or files.address is None:
        return is_held(files.lock)
    with closing(PostgresDatabase(files.address)) as database, reading(files.name):
        return database.is_held()


def _check_files(files: TargetFiles, status: Status) -> None:
    """Find a target whose rows were deleted while its state was left."""
    if files.address is not None:
        return
    for table in status.tables:
        path = files.of_table(table, alone=len(status.tables) == 1)
        if not path.exists() and not _is_staged(files, path):
            raise TargetError(
                f"{path} does not exist, but {files.place} does: restore it, or delete both "
                "and harvest again",
                kind="missing",
            )


def _is_staged(files: TargetFiles, path: Path) -> bool:
    """Tell whether what counts has not got its name yet."""
    with reading(files.place), closing(Checkpoint(files.place, writable=False)) as checkpoint:
        return swap.current(checkpoint.connection, files.state.parent, path).exists()


def check(
    target: str | os.PathLike[str], *, storage_options: Mapping[str, str] | None = None
) -> Status:
    """
    Read a target whole and compare it with its checkpoint; the harvest may be unfinished.

    Raises:
        TargetError: the target is damaged, or rows of a list are missing or too many.
        ArgumentError: the name has none of the known endings.

    """
    files = target_files(target, storage_options)
    running = _is_running(files)
    lake = open_lake(files)
    if lake is not None:
        _check_lake(files, lake)
        return _status_of_lake(files, lake, running=running)
    with reading(files.place), closing(Checkpoint(files.place, writable=False)) as checkpoint:
        checkpoint.verify()
        result, tables = _status(files, checkpoint, running=running), checkpoint.tables()
    for table in tables:
        _check(files, table.name)
    return result


def _check(files: TargetFiles, name: str) -> None:
    found, gone = Counter[str](), 0
    with snapshot(files, lambda tables: next(one for one in tables if one.name == name)) as opened:
        table, cls = opened.table, CLASSES.get(opened.table.item)
        with reading(files.place):
            items = opened.checkpoint.items()
        expected = {key: rows for (number, key), rows in items.items() if number == table.number}
        for row in opened.rows(removed=True):
            if row.removed_at is None:
                found[row.list] += 1
            else:
                gone += 1
            if cls is not None:
                with reading(opened.path):
                    from_dict(cls, parse(row.text))
    for key in {**expected, **found}:
        there, written = found.get(key, 0), expected.get(key, 0)
        if there != written:
            raise damaged(
                opened.path, f"the list {key} has {there} rows where {written} were written"
            )
    if gone != table.removed:
        raise damaged(opened.path, f"it has {gone} removed rows where {table.removed} were written")


def _status(files: TargetFiles, checkpoint: Checkpoint, *, running: bool) -> Status:
    totals, generation = checkpoint.totals(), checkpoint.generations()[-1]
    return Status(
        target=files.name,
        source=checkpoint.identity,
        lists_known=totals.lists,
        lists_done=totals.done,
        lists_failed=totals.failed,
        all_known=checkpoint.all_known,
        items=totals.items,
        pages=totals.pages,
        failures=checkpoint.failures(),
        tables={table.name: table.items for table in checkpoint.tables()},
        running=running,
        generation=generation.number,
        version=generation.version,
        started_at=generation.started,
        finished_at=generation.finished,
        quarantined=totals.quarantined,
        refresh=_refresh(files),
    )


def _refresh(files: TargetFiles) -> RefreshStatus | None:
    try:
        with closing(Checkpoint(files.spool, writable=False)) as spool:
            totals, number = spool.totals(), spool.generations()[-1].number
    except TargetError:  # there is none, or it was just removed
        return None
    return RefreshStatus(number, totals.lists, totals.done, totals.failed, totals.items)


def _check_lake(files: TargetFiles, lake: LakeTarget) -> None:
    for table in lake_tables(lake):
        cls = CLASSES.get(table.item)
        written, found = lake.committed(table.name), Counter[str]()
        for row in lake.rows(table.name):
            found[row.list] += row.removed_at is None
            if cls is not None:
                from_dict(cls, parse(row.text))
        for key in {**written, **found}:
            there, wanted = found[key], written.get(key, 0)
            if there != wanted:
                raise damaged(
                    files.name, f"the list {key} has {there} rows where {wanted} were written"
                )


def _status_of_lake(files: TargetFiles, lake: LakeTarget, *, running: bool) -> Status:
    """Tell what the target says, and its database where there is one on this machine."""
    tables, state = lake_tables(lake), lake.state()
    assert state is not None  # noqa: S101 - it has tables
    done = {
        (table.source, key): rows
        for table in tables
        for key, rows in lake.committed(table.name).items()
    }
    found = Status(
        target=files.name,
        source=dict(state.identity),
        lists_known=len(done) + state.failed,
        lists_done=len(done),
        lists_failed=state.failed,
        all_known=state.finished is not None,
        items=sum(done.values()),
        pages=0,
        failures=list(state.failures),
        tables={table.name: table.items for table in tables},
        running=running,
        generation=state.generation,
        started_at=state.started,
        finished_at=state.finished,
        refresh=_refresh(files),
    )
    if not files.state.exists():
        return found
    with reading(files.state), closing(Checkpoint(files.state, writable=False)) as spool:
        found = attrs.evolve(found, quarantined=spool.totals().quarantined)
        if state.finished is not None:
            return found
        lists = {(source, key): (how, items) for source, key, how, items in spool.lists()}
        for name, (how, items) in lists.items():
            if how == "done":
                done.setdefault(name, items)
        left = [how for name, (how, _) in lists.items() if name not in done]
        return attrs.evolve(
            found,
            lists_known=len({*done, *lists}),
            lists_done=len(done),
            lists_failed=left.count("failed"),
            all_known=spool.all_known,
            items=sum(done.values()),
            pages=spool.totals().pages,
            failures=[one for one in spool.failures() if (one.source, one.key) not in done],
        )
