"""Reading a target back as models."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, overload

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async._json.converter import from_dict
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.sinks.ndjson import lines_of, parse
from itwin_async.harvest.sinks.parquet import arrow, parts_of
from itwin_async.harvest.sinks.sqlite import texts_of
from itwin_async.harvest.target import TargetFiles, target_files

T = TypeVar("T")

Item: TypeAlias = imodels.IModelSummary | itwins.ITwinSummary | saved_views.Tag

_CLASSES: dict[str, type] = {
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
    with closing(Checkpoint(files.state, writable=False)) as checkpoint:
        cls = _class(files.path, checkpoint.identity.get("item", ""), item)
        if files.form == "sqlite":
            for key, text in texts_of(checkpoint.connection, checkpoint.get("table") or "items"):
                yield key, from_dict(cls, parse(text))
            return
        mark = checkpoint.get("mark")
    yield from _from_files(files, cls, int(mark or 0))


def _class(path: Path, name: str, wanted: type[object] | None) -> type[object]:
    cls = _CLASSES.get(name)
    if cls is None and wanted is not None and wanted.__name__ == name:
        return wanted
    if cls is None or (wanted is not None and not issubclass(cls, wanted)):
        other = "" if wanted is None else f", not {wanted.__name__}"
        raise TargetError(f"{path} holds items of {name or 'an unknown class'}{other}")
    return cls


def _from_files(files: TargetFiles, cls: type, mark: int) -> Iterator[tuple[str, object]]:
    if files.form == "ndjson":
        for key, value in lines_of(files.path, mark):
            yield key, from_dict(cls, value)
        return
    arrow()
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    for part in parts_of(files.path, mark):
        yield from _from_part(pq.ParquetFile(part), cls)


def _from_part(part: Any, cls: type) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - untyped
    for batch in part.iter_batches(1000):
        for row in batch.to_pylist():
            yield row.pop("list"), _build(cls, row)


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
