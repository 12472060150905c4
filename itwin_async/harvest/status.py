"""Looking at a target from outside, also while a harvest writes it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from datetime import datetime

import attrs

from itwin_async._json.converter import from_dict
from itwin_async._tables.html import facts_html
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.errors import damaged, reading
from itwin_async.harvest.progress import UNFINISHED, Failure, described, printed, to_json
from itwin_async.harvest.reading import CLASSES, rows_of
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.target import TargetFiles, TargetServer, target_files


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
        generation: how often everything was read: 1 for a harvest, one more for each refresh.
        version: the version of this package that began the generation.
        started_at: when the generation was begun.
        finished_at: when it was finished, if it is.

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
    generation: int = 1
    version: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether everything is there, except for lists that failed."""
        return self.all_known and self.lists_done + self.lists_failed == self.lists_known

    def to_json(self) -> str:
        """Write the status as a JSON object."""
        return to_json(self)

    def _repr_html_(self) -> str:
        facts = {
            "source": described(self.source),
            "generation": f"{self.generation}, started {_shown(self.started_at)},"
            f" finished {_shown(self.finished_at)}",
            "lists done": f"{self.lists_done:,} of {self.lists_known:,}"
            + ("" if self.all_known else " known so far"),
            "lists failed": f"{self.lists_failed:,}",
            "rows": f"{self.items:,}, from {self.pages:,} pages",
            **{f"rows of {table}": f"{rows:,}" for table, rows in self.tables.items()},
        }
        state = "finished" if self.finished else UNFINISHED
        return facts_html(printed(facts, self.failures), title=f"{self.target}: {state}")


def _shown(value: datetime | None) -> str:
    return "never" if value is None else value.isoformat(" ", "seconds")


def status(target: str | os.PathLike[str]) -> Status:
    """
    Tell how far a harvest is; it may be running.

    Raises:
        TargetError: there is no such harvest, or it cannot be read.
        ArgumentError: the name has none of the known endings.

    """
    files = target_files(target)
    with reading(files.state), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        return _status(files, checkpoint)


def check(target: str | os.PathLike[str]) -> Status:
    """
    Read a target whole and compare it with its checkpoint; the harvest may be unfinished.

    Raises:
        TargetError: the target is damaged, or rows of a list are missing or too many.
        ArgumentError: the name has none of the known endings.

    """
    files = target_files(target)
    found, removed = Counter[tuple[int, str]](), Counter[int]()
    with reading(files.path), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        with reading(files.state):
            checkpoint.verify()
            expected, result = checkpoint.items(), _status(files, checkpoint)
            tables = checkpoint.tables()
        for table in tables:
            cls = CLASSES.get(table.item)
            path = files.of_table(table.name, alone=len(tables) == 1)
            for row in rows_of(files.form, path, checkpoint, table, removed=True):
                if row.removed_at is None:
                    found[table.number, row.list] += 1
                else:
                    removed[table.number] += 1
                if cls is not None:
                    from_dict(cls, parse(row.text))
    for number, key in {**expected, **found}:
        there, written = found.get((number, key), 0), expected.get((number, key), 0)
        if there != written:
            raise damaged(
                files.path, f"the list {key} has {there} rows where {written} were written"
            )
    for table in tables:
        if removed[table.number] != table.removed:
            raise damaged(
                files.path,
                f"{table.name} has {removed[table.number]} removed rows where {table.removed} were"
                " written",
            )
    return result


def _status(files: TargetFiles | TargetServer, checkpoint: Checkpoint) -> Status:
    totals, generation = checkpoint.totals(), checkpoint.generations()[-1]
    return Status(
        target=str(files.path),
        source=checkpoint.identity,
        lists_known=totals.lists,
        lists_done=totals.done,
        lists_failed=totals.failed,
        all_known=checkpoint.all_known,
        items=totals.items,
        pages=totals.pages,
        failures=checkpoint.failures(),
        tables={table.name: table.items for table in checkpoint.tables()},
        generation=generation.number,
        version=generation.version,
        started_at=generation.started,
        finished_at=generation.finished,
    )
