"""Reading a target back as models."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, TypeAlias, TypeVar, overload

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async._json.converter import from_dict
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.errors import TargetError, damaged, reading
from itwin_async.harvest.sinks.ndjson import lines_of, parse
from itwin_async.harvest.sinks.parquet import arrow, parts_of
from itwin_async.harvest.sinks.sqlite import texts_of
from itwin_async.harvest.target import Form, TargetFiles, target_files

T = TypeVar("T")

Item: TypeAlias = imodels.IModelSummary | itwins.ITwinSummary | saved_views.Tag

CLASSES: dict[str, type] = {
    "IModel": imodels.IModel,
    "IModelSummary": imodels.IModelSummary,
    "ITwin": itwins.ITwin,
    "ITwinSummary": itwins.ITwinSummary,
    "Tag": saved_views.Tag,
}


@overload
def read(target: str | os.PathLike[str]) -> Iterator[tuple[str, Item]]: ...
@overload
def read(target: str | os.PathLike[str], item: type[T]) -> Iterator[tuple[str, T]]: ...
def read(
    target: str | os.PathLike[str], item: type[object] | None = None
) -> Iterator[tuple[str, object]]:
    """
    Read all items of a target, one after another, each with the key of its list.

    Args:
        target: the target.
        item: class of the items, for exact types and for classes of your own.

    Raises:
        TargetError: there is no such harvest, or its items are of another class.

    """
    files = target_files(target)
    with reading(files.path), closing(Checkpoint(files.state, writable=False)) as checkpoint:
        cls = class_of(files, checkpoint, item)
        count, written = 0, checkpoint.totals().items
        for key, value in rows_of(files, checkpoint):
            count += 1
            yield key, build(cls, value, files.form)
        if count != written:
            raise damaged(files.path, f"it has {count} rows where {written} were written")


def class_of(
    files: TargetFiles, checkpoint: Checkpoint, wanted: type[object] | None
) -> type[object]:
    """Find the class of the items of a target, or raise ``TargetError``."""
    name = checkpoint.identity.get("item", "")
    cls = CLASSES.get(name)
    if cls is None and wanted is not None and wanted.__name__ == name:
        return wanted
    if cls is None or (wanted is not None and not issubclass(cls, wanted)):
        other = "" if wanted is None else f", not {wanted.__name__}"
        raise TargetError(f"{files.path} holds items of {name or 'an unknown class'}{other}")
    return cls


def rows_of(files: TargetFiles, checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    """
    Read list and plain value of each row; closes the checkpoint where it is not needed.

    Raises:
        TargetError: a file is not as it was written.

    """
    if files.form == "sqlite":
        table = checkpoint.get("table") or "items"
        for key, text in texts_of(checkpoint.connection, table):
            yield key, parse(text)
        return
    count, mark, written = 0, int(checkpoint.get("mark") or 0), checkpoint.totals().items
    checkpoint.close()  # a slow reader must not keep a harvest from being resumed
    for count, row in enumerate(_rows_of_files(files, mark), 1):  # noqa: B007 - counted on
        yield row
    if count != written:
        raise damaged(files.path, f"it has {count} rows where {written} were written")


def build(cls: type[object], value: Any, form: Form) -> object:  # noqa: ANN401 - JSON
    """Make an item of a row's plain value."""
    return _build(cls, value) if form == "parquet" else from_dict(cls, value)


def _rows_of_files(files: TargetFiles, mark: int) -> Iterator[tuple[str, Any]]:
    if files.form == "ndjson":
        yield from lines_of(files.path, mark)
        return
    arrow()
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    for part in parts_of(files.path, mark):
        # Opened here, since pyarrow takes no names that are not UTF-8.
        with reading(part), part.open("rb") as file:
            for batch in pq.ParquetFile(file, page_checksum_verification=True).iter_batches(1000):
                for row in batch.to_pylist():
                    yield row.pop("list"), row


def _build(cls: type, row: Mapping[str, object]) -> object:
    hints = typing.get_type_hints(cls)
    values: dict[str, object] = {}
    for field in attrs.fields(cls):
        value = row.get(field.name)
        hint = hints[field.name]
        inner = [part for part in typing.get_args(hint) or (hint,) if attrs.has(part)]
        nested = isinstance(value, Mapping) and inner
        values[field.name] = _build(inner[0], value) if nested else value  # type: ignore[arg-type]
    return cls(**values)
