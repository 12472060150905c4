"""Harvested iTwins and iModels on the map, as GeoJSON."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import attrs

from itwin_async._tables.columns import as_json
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.output import refuse_overlap, replacing
from itwin_async.harvest.reading import read, tables_of
from itwin_async.harvest.target import name_of, target_files
from itwin_async.imodels import IModel, IModelSummary
from itwin_async.itwins import ITwin, ITwinSummary

_PLACED: dict[str, type[IModel | ITwin]] = {cls.__name__: cls for cls in (IModel, ITwin)}
_SUMMARIES = {IModelSummary.__name__, ITwinSummary.__name__}


@attrs.frozen
class Exported:
    """
    What was written.

    Attributes:
        features: items that have a place on the map.
        without_place: items that have none; they are left out.
        impossible: those of them whose coordinates are none on the Earth.

    """

    features: int
    without_place: int
    impossible: int = 0


def export_geojson(
    target: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, str] | None = None,
) -> Exported:
    """
    Write iTwins as points and iModels as rectangles; an item of several lists is written once.

    Args:
        target: a target of whole entities (``source.full()``).
        path: the GeoJSON file; replaced when everything is written.
        storage_options: how an object store is reached, as ``run`` takes them.

    Raises:
        TargetError: there is no such harvest, it has no places, or the file cannot be
            written or belongs to the target.

    """
    output, count, written, impossible = Path(path), 0, 0, 0
    refuse_overlap(output, target_files(target, storage_options))
    with replacing(output) as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        for count, (feature, is_possible) in enumerate(_features(target, storage_options), 1):  # noqa: B007
            impossible += not is_possible
            if feature is not None:
                file.write(b",\n" if written else b"\n")
                file.write(as_json(feature).encode())
                written += 1
        file.write(b"\n]}\n")
    return Exported(written, count - written, impossible)


def features(
    target: str | os.PathLike[str], storage_options: Mapping[str, str] | None = None
) -> Iterator[dict[str, object] | None]:
    """
    Make a GeoJSON feature of each item, ``None`` for one without a place.

    Raises:
        TargetError: there is no such harvest, or its items have no places.

    """
    return (feature for feature, _ in _features(target, storage_options))


def _features(
    target: str | os.PathLike[str], storage_options: Mapping[str, str] | None
) -> Iterator[tuple[dict[str, object] | None, bool]]:
    """Tell of each feature too whether its coordinates may be some on the Earth."""
    seen: set[bytes] = set()
    tables = tables_of(target, storage_options)
    placed = [table for table in tables if table.item in _PLACED]
    if tables and not placed:
        kinds = {table.item for table in tables}
        raise TargetError(
            f"{name_of(target)} holds {min(kinds)} items, which have no places"
            + "; harvest whole items (--full)" * bool(kinds & _SUMMARIES)
        )
    for table in placed:
        items = read(target, _PLACED[table.item], table=table.name, storage_options=storage_options)
        for key, item in items:
            mark = _mark(item.id)
            if mark not in seen:
                seen.add(mark)
                made = _listed(key, item.__geo_interface__)
                yield made, made is not None or not _has_coordinates(item)


def _listed(key: str, feature: dict[str, object]) -> dict[str, object] | None:
    if feature["geometry"] is None:
        return None
    if key:
        feature["properties"] = {**cast("dict[str, object]", feature["properties"]), "list": key}
    return feature


def _has_coordinates(item: IModel | ITwin) -> bool:
    if isinstance(item, IModel):
        return item.extent is not None
    return item.latitude is not None and item.longitude is not None


def _mark(name: str) -> bytes:
    try:
        return bytes.fromhex(name.replace("-", ""))
    except ValueError:
        return name.encode()
