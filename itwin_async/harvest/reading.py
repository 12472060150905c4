"""Reading a target back as models."""

from __future__ import annotations

import json
import os
import typing
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import attrs
import msgspec

from itwin_async import imodels, itwins, saved_views
from itwin_async._json.converter import from_dict
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.sinks.ndjson import lines_of
from itwin_async.harvest.sinks.parquet import arrow, parts_of
from itwin_async.harvest.sinks.sqlite import texts_of
from itwin_async.harvest.target import TargetFiles, target_files

_CLASSES: dict[str, type] = {
    "IModel": imodels.IModel,
    "IModelSummary": imodels.IModelSummary,
    "ITwin": itwins.ITwin,
    "ITwinSummary": itwins.ITwinSummary,
    "Tag": saved_views.Tag,
}


def read(target: str | os.PathLike[str]) -> Iterator[tuple[str, object]]:
    """
    Read all items of a target, one after another.

    Args:
        target: the target.

    Yields:
        The list's key and the item, an instance of the package's class.

    Raises:
        TargetError: there is no such harvest, or its items are of no class of this package.

    """
    files = target_files(target)
    with closing(Checkpoint(files.state, writable=False)) as checkpoint:
        name = checkpoint.identity.get("item", "")
        if name not in _CLASSES:
            raise TargetError(f"{files.path} holds items of {name or 'an unknown class'}")
        cls, table = _CLASSES[name], checkpoint.get("table") or "items"
        if files.form == "sqlite":
            for key, text in texts_of(checkpoint.connection, table):
                yield key, from_dict(cls, _parsed(text))
            return
        mark = checkpoint.get("mark")
    yield from _from_files(files, cls, int(mark or 0))


def _from_files(files: TargetFiles, cls: type, mark: int) -> Iterator[tuple[str, object]]:
    if files.form == "ndjson":
        for key, raw in lines_of(files.path, mark):
            yield key, from_dict(cls, _parsed(raw))
        return
    arrow()
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    for part in parts_of(files.path, mark):
        yield from _from_part(pq.ParquetFile(part), cls)


def _parsed(text: str | bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)  # takes numbers beyond all bounds too


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
