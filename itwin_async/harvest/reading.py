"""Reading a target back as models."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, overload

import attrs

from itwin_async import catalog
from itwin_async._json.converter import from_dict
from itwin_async._tables.arrow import arrow
from itwin_async._tables.columns import Kind, columns_of, without_none
from itwin_async.harvest.checkpoint import Checkpoint, Table
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.sinks.ndjson import lines_of, parse
from itwin_async.harvest.sinks.parquet import parts_of
from itwin_async.harvest.sinks.sqlite import texts_of
from itwin_async.harvest.target import Form, TargetFiles, target_files
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
    target: str | os.PathLike[str], *, table: str | None = None
) -> Iterator[tuple[str, object]]: ...
@overload
def read(
    target: str | os.PathLike[str], item: type[T], *, table: str | None = None
) -> Iterator[tuple[str, T]]: ...
def read(
    target: str | os.PathLike[str],
    item: type[object] | None = None,
    *,
    table: str | None = None,
) -> Iterator[tuple[str, object]]:
    """
    Read all items of a target, one after another, each with the key of its list.

    Args:
        target: the target.
        item: class of the items, for exact types and for classes of your own.
        table: the table, where there are several and the class does not tell which.

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
        for key, value in rows_of(files.form, path, checkpoint, chosen):
            count += 1
            yield key, build(cls, value, files.form)
        if count != chosen.items:
            raise damaged(path, f"it has {count} rows where {chosen.items} were written")


def tables_of(target: str | os.PathLike[str]) -> list[Table]:
    """List the tables of a target."""
    files = target_files(target)
    with reading(files.state), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        return checkpoint.tables()


def _choose(
    files: TargetFiles, tables: list[Table], item: type[object] | None, name: str | None
) -> Table:
    found = [table for table in tables if name is None or name == table.name]
    if item is not None and len(found) > 1:
        found = [table for table in found if issubclass(CLASSES.get(table.item, object), item)]
    if len(found) != 1:
        names = ", ".join(table.name for table in tables)
        raise TargetError(f"{files.path} has the tables {names}; give one of them as table=")
    return found[0]


def class_of(files: TargetFiles, table: Table, wanted: type[object] | None) -> type[object]:
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
    form: Form, path: Path, checkpoint: Checkpoint, table: Table
) -> Iterator[tuple[str, Any]]:
    """
    Read list and plain value of each row; closes the checkpoint where it is not needed.

    Raises:
        TargetError: a file is not as it was written.

    """
    if form == "sqlite":
        for key, text in texts_of(checkpoint.connection, table.name):
            yield key, parse(text)
        return
    checkpoint.close()  # a slow reader must not keep a harvest from being resumed
    yield from _rows_of_files(form, path, int(table.mark or 0))


def build(cls: type[object], value: Any, form: Form) -> object:  # noqa: ANN401 - JSON
    """Make an item of a row's plain value."""
    return _build(cls, value) if form == "parquet" else from_dict(cls, value)


def _rows_of_files(form: Form, path: Path, mark: int) -> Iterator[tuple[str, Any]]:
    if form == "ndjson":
        yield from lines_of(path, mark)
        return
    arrow("Parquet", extra="parquet")
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    for part in parts_of(path, mark):
        # Opened here, since pyarrow takes no names that are not UTF-8.
        with reading(part), part.open("rb") as file:
            for batch in pq.ParquetFile(file, page_checksum_verification=True).iter_batches(1000):
                for row in batch.to_pylist():
                    yield row.pop("list"), row


def _build(cls: type, row: Mapping[str, object]) -> object:
    values: dict[str, object] = {}
    for name, hint, kind in _members(cls):
        value = row.get(name)
        if kind == "json" and isinstance(value, str):
            values[name] = _from_json(hint, parse(value))
        elif kind == "moment" and isinstance(value, datetime):
            values[name] = value.astimezone(UTC)  # pyarrow has a zone of its own for it
        else:
            inner = without_none(hint)
            nested = kind == "nested" and isinstance(value, Mapping)
            values[name] = _build(inner, value) if nested else value  # type: ignore[arg-type]
    return cls(**values)


def _from_json(hint: object, value: object) -> object:
    """Make what a column of JSON was written from."""
    inner = without_none(hint)
    if isinstance(value, list):
        (part,) = typing.get_args(inner) or (object,)
        return [_from_json(part, each) for each in value]
    is_item = isinstance(inner, type) and attrs.has(inner)
    return from_dict(inner, value) if is_item else value  # type: ignore[arg-type]


@cache
def _members(cls: type) -> tuple[tuple[str, object, Kind], ...]:
    hints = typing.get_type_hints(cls)
    return tuple((column.name, hints[column.name], column.kind) for column in columns_of(cls))
