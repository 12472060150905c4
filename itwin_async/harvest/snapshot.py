"""A table of a target as it is at one moment, whatever is written and replaced meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import attrs

from itwin_async.harvest import swap
from itwin_async.harvest.checkpoint import Checkpoint, Table
from itwin_async.harvest.errors import TargetError, reading
from itwin_async.harvest.postgres import table as postgres
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import ndjson, parts, sqlite
from itwin_async.harvest.target import TargetFiles

_ATTEMPTS = 5


@attrs.frozen
class Snapshot:
    """
    A table that is open for reading.

    Attributes:
        table: the table.
        path: its file or directory, or the name of the target.
        checkpoint: the checkpoint of the same moment; closed when the rows of files are read.

    """

    table: Table
    path: Path | str
    checkpoint: Checkpoint
    _form: str
    _files: Sequence[tuple[Path, BinaryIO | None]]

    def rows(self, *, removed: bool = False) -> Iterator[Row]:
        """
        Read the rows, those that are no longer there only if wanted.

        Raises:
            TargetError: a file is not as it was written.

        """
        if isinstance(self.checkpoint.database, PostgresDatabase):
            return postgres.rows_of(self.checkpoint.database, self.table.name, removed=removed)
        if self._form == "sqlite":
            return sqlite.rows_of(self.checkpoint.connection, self.table.name, removed=removed)
        self.checkpoint.close()  # a slow reader must not keep a harvest from being resumed
        found = parts.rows_of(self._files) if self._form == "parquet" else self._lines()
        return found if removed else (row for row in found if row.removed_at is None)

    def _lines(self) -> Iterator[Row]:
        length = int(self.table.mark or 0)
        for path, file in self._files:
            if file is not None:
                yield from ndjson.rows_of(path, file, length)


@contextmanager
def snapshot(files: TargetFiles, choose: Callable[[list[Table]], Table]) -> Iterator[Snapshot]:
    """
    Open a table for reading.

    Its files are opened at once, and can be read when others have taken their names.

    Args:
        files: the target.
        choose: chooses one of its tables.

    Raises:
        TargetError: there is no such harvest, or a file is missing.

    """
    with ExitStack() as stack:
        found = _current(files, choose, stack)
        with reading(found.path):
            yield found


def _current(
    files: TargetFiles, choose: Callable[[list[Table]], Table], stack: ExitStack
) -> Snapshot:
    for _ in range(_ATTEMPTS - 1):
        with suppress(TargetError), ExitStack() as attempted:
            found = _open(files, choose, attempted)
            if not _is_replaced(files, found):
                stack.push(attempted.pop_all())
                return found
    return _open(files, choose, stack)


def _open(files: TargetFiles, choose: Callable[[list[Table]], Table], stack: ExitStack) -> Snapshot:
    with reading(files.place):
        checkpoint = stack.enter_context(closing(Checkpoint(files.place, writable=False)))
        tables = checkpoint.tables()
        table = choose(tables)
        if files.address is not None:
            return Snapshot(table, f"{files.name}, table {table.name},", checkpoint, files.form, [])
        path = files.of_table(table.name, alone=len(tables) == 1)
        where = swap.current(checkpoint.connection, files.state.parent, path)
    opened: list[tuple[Path, BinaryIO | None]] = []
    with reading(where):
        if files.form == "parquet":
            opened = parts.open_all(where, table.mark, stack)
        elif files.form == "ndjson":
            opened = [(where, stack.enter_context(where.open("rb")))]
    return Snapshot(table, path, checkpoint, files.form, opened)


def _is_replaced(files: TargetFiles, found: Snapshot) -> bool:
    """Tell whether something was replaced after the checkpoint was read."""
    if files.address is not None:
        return False
    with reading(files.state), closing(Checkpoint(files.state, writable=False)) as later:
        return swap.count(later.connection) != swap.count(found.checkpoint.connection)
