"""Reading a target back as models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar, overload

from itwin_async import catalog
from itwin_async._json.converter import from_dict
from itwin_async.harvest.checkpoint import Checkpoint, Table
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.postgres.table import rows_of as rows_of_table
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import ndjson, parquet, sqlite
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.target import Form, TargetFiles, TargetServer, target_files
from itwin_async.operations import ListOperation

T = TypeVar("T")

CLASSES: dict[str, type] = {
    cls.__name__: cls
    for entry in catalog.operations()
    if isinstance(entry.operation, ListOperation)
    for cls in (entry.operation.item, getattr(entry.operation, "full", entry.operation.item))
}


@overload
def read(
    target: str | os.PathLike[str], *, table: str | None = None, removed: bool = False
) -> Iterator[tuple[str, object]]: ...
@overload
def read(
    target: str | os.PathLike[str],
    item: type[T],
    *,
    table: str | None = None,
    removed: bool = False,
) -> Iterator[tuple[str, T]]: ...
def read(
    target: str | os.PathLike[str],
    item: type[object] | None = None,
    *,
    table: str | None = None,
    removed: bool = False,
) -> Iterator[tuple[str, object]]:
    """
    Read all items of a target, one after another, each with the key of its list.

    Args:
        target: the target.
        item: class of the items, for exact types and for classes of your own.
        table: the table, where there are several and the class does not tell which.
        removed: read items too that are no longer there.

    Raises:
        TargetError: there is no such harvest, or its items are of another class.

    """
    files = target_files(target)
    with reading(files.path), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        with reading(files.state):
            tables = checkpoint.tables()
        chosen = _choose(files, tables, item, table)
        cls = class_of(files, chosen, item)
        count, path = 0, files.of_table(chosen.name, alone=len(tables) == 1)
        for row in rows_of(files.form, path, checkpoint, chosen, removed=removed):
            count += 1
            yield row.list, from_dict(cls, parse(row.text))
        written = chosen.items + (chosen.removed if removed else 0)
        if count != written:
            raise damaged(path, f"it has {count} rows where {written} were written")


def tables_of(target: str | os.PathLike[str]) -> list[Table]:
    """List the tables of a target."""
    files = target_files(target)
    with reading(files.state), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        return checkpoint.tables()


def _choose(
    files: TargetFiles | TargetServer,
    tables: list[Table],
    item: type[object] | None,
    name: str | None,
) -> Table:
    found = [table for table in tables if name is None or name == table.name]
    if item is not None and len(found) > 1:
        found = [table for table in found if issubclass(CLASSES.get(table.item, object), item)]
    if len(found) != 1:
        names = ", ".join(table.name for table in tables)
        raise TargetError(f"{files.path} has the tables {names}; give one of them as table=")
    return found[0]


def class_of(
    files: TargetFiles | TargetServer, table: Table, wanted: type[object] | None
) -> type[object]:
    """Find the class of the items of a table, or raise ``TargetError``."""
    name = table.item
    cls = CLASSES.get(name)
    if cls is None and wanted is not None and wanted.__name__ == name:
        return wanted
    if cls is None or (wanted is not None and not issubclass(cls, wanted)):
        other = "" if wanted is None else f", not {wanted.__name__}"
        raise TargetError(f"{files.path} holds items of {name or 'an unknown class'}{other}")
    return cls


def rows_of(
    form: Form,
    path: Path | str,
    checkpoint: Checkpoint,
    table: Table,
    *,
    removed: bool = False,
) -> Iterator[Row]:
    """
    Read the rows of a table; closes the checkpoint where it is not needed.

    Args:
        form: form of the target.
        path: the file or directory of the table.
        checkpoint: the checkpoint, as of the moment that is read.
        table: the table.
        removed: read those too that are no longer there.

    Raises:
        TargetError: a file is not as it was written.

    """
    if isinstance(checkpoint.database, PostgresDatabase):
        yield from rows_of_table(checkpoint.database, table.name, removed=removed)
        return
    if form == "sqlite":
        yield from sqlite.rows_of(checkpoint.connection, table.name, removed=removed)
        return
    checkpoint.close()  # a slow reader must not keep a harvest from being resumed
    read_rows = ndjson.rows_of if form == "ndjson" else parquet.rows_of
    for row in read_rows(Path(path), int(table.mark or 0)):
        if removed or row.removed_at is None:
            yield row
