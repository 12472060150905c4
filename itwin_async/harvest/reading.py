"""Reading a target back as models."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TypeVar, overload

from itwin_async import catalog
from itwin_async._json.converter import from_dict
from itwin_async.harvest.checkpoint import Checkpoint, Table
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.lake import LakeTarget, open_lake
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.snapshot import Snapshot, snapshot
from itwin_async.harvest.target import TargetFiles, target_files
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
    target: str | os.PathLike[str],
    *,
    table: str | None = None,
    removed: bool = False,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, object]]: ...
@overload
def read(
    target: str | os.PathLike[str],
    item: type[T],
    *,
    table: str | None = None,
    removed: bool = False,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, T]]: ...
def read(
    target: str | os.PathLike[str],
    item: type[object] | None = None,
    *,
    table: str | None = None,
    removed: bool = False,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, object]]:
    """
    Read all items of a target, one after another, each with the key of its list.

    Args:
        target: the target.
        item: class of the items, for exact types and for classes of your own.
        table: the table, where there are several and the class does not tell which.
        removed: read items too that are no longer there.
        storage_options: how an object store is reached, as ``run`` takes them.

    Raises:
        TargetError: there is no such harvest, or its items are of another class.

    """
    files = target_files(target, storage_options)
    lake = open_lake(files)
    if lake is not None:
        chosen = _choose(files, lake_tables(lake), item, table)
        cls = class_of(files, chosen, item)
        for row in _rows_of_lake(lake, chosen, removed=removed):
            yield row.list, from_dict(cls, parse(row.text))
        return
    with snapshot(files, lambda tables: _choose(files, tables, item, table)) as found:
        cls = class_of(files, found.table, item)
        for row in _counted(found, removed=removed):
            yield row.list, from_dict(cls, parse(row.text))


def stored(
    target: str | os.PathLike[str],
    table: str,
    *,
    removed: bool = False,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """
    Read the rows of a table as they are stored.

    Raises:
        TargetError: there is no such harvest, or it is not as it was written.

    """
    files = target_files(target, storage_options)
    lake = open_lake(files)
    if lake is not None:
        yield from _rows_of_lake(
            lake, _choose(files, lake_tables(lake), None, table), removed=removed
        )
        return
    with snapshot(files, lambda tables: _choose(files, tables, None, table)) as found:
        yield from _counted(found, removed=removed)


@contextmanager
def table_rows(files: TargetFiles, name: str) -> Iterator[Iterator[Row]]:
    """
    Open a table, and read its rows as they are now, removed ones too.

    Raises:
        TargetError: there is no such harvest, or a file is not as it was written.

    """
    lake = open_lake(files)
    if lake is not None:
        yield lake.rows(name)
        return
    with snapshot(files, lambda tables: next(one for one in tables if one.name == name)) as found:
        yield found.rows(removed=True)


def _rows_of_lake(lake: LakeTarget, table: Table, *, removed: bool) -> Iterator[Row]:
    return (row for row in lake.rows(table.name) if removed or row.removed_at is None)


def _counted(found: Snapshot, *, removed: bool) -> Iterator[Row]:
    count = 0
    for row in found.rows(removed=removed):
        count += 1
        yield row
    written = found.table.items + (found.table.removed if removed else 0)
    if count != written:
        raise damaged(found.path, f"it has {count} rows where {written} were written")


def tables_of(
    target: str | os.PathLike[str], storage_options: Mapping[str, str] | None = None
) -> list[Table]:
    """List the tables of a target."""
    return tables_in(target_files(target, storage_options))


def tables_in(files: TargetFiles) -> list[Table]:
    """List the tables of a target's files."""
    lake = open_lake(files)
    if lake is not None:
        return lake_tables(lake)
    with reading(files.place), closing(Checkpoint(files.place, writable=False)) as checkpoint:
        return checkpoint.tables()


def lake_tables(lake: LakeTarget) -> list[Table]:
    """
    List the tables of a target that many machines may write.

    Raises:
        TargetError: there is no such target.

    """
    state = lake.state()
    if state is None:
        raise TargetError(f"{lake.name} does not exist", kind="missing")
    return [
        Table(number, source, item, name, None, sum(lake.committed(name).values()))
        for number, (name, source, item) in enumerate(state.tables)
    ]


def _choose(
    files: TargetFiles,
    tables: list[Table],
    item: type[object] | None,
    name: str | None,
) -> Table:
    found = [table for table in tables if name is None or name == table.name]
    if item is not None and len(found) > 1:
        found = [table for table in found if issubclass(CLASSES.get(table.item, object), item)]
    if len(found) != 1:
        names = ", ".join(table.name for table in tables)
        raise TargetError(f"{files.name} has the tables {names}; give one of them as table=")
    return found[0]


def class_of(files: TargetFiles, table: Table, wanted: type[object] | None) -> type[object]:
    """Find the class of the items of a table, or raise ``TargetError``."""
    name = table.item
    cls = CLASSES.get(name)
    if cls is None and wanted is not None and wanted.__name__ == name:
        return wanted
    if cls is None or (wanted is not None and not issubclass(cls, wanted)):
        other = "" if wanted is None else f", not {wanted.__name__}"
        raise TargetError(f"{files.name} holds items of {name or 'an unknown class'}{other}")
    return cls
