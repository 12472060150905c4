"""Harvested iTwins and iModels on the map, as GeoJSON."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import attrs

from itwin_async.harvest.columns import as_json
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.output import refuse_overlap, replacing
from itwin_async.harvest.reading import read, tables_of
from itwin_async.harvest.target import target_files
from itwin_async.imodels import IModel, IModelSummary
from itwin_async.itwins import ITwin, ITwinSummary

_PLACED: dict[str, type[IModel | ITwin]] = {cls.__name__: cls for cls in (IModel, ITwin)}
_SUMMARIES = {IModelSummary.__name__, ITwinSummary.__name__}
_LEFT_OUT = {"extent", "links", "latitude", "longitude", "image"}


@attrs.frozen
class Exported:
    """
    What was written.

    Attributes:
        features: items that have a place on the map.
        without_place: items that have none; they are left out.

    """

    features: int
    without_place: int


def export_geojson(target: str | os.PathLike[str], path: str | os.PathLike[str]) -> Exported:
    """
    Write iTwins as points and iModels as rectangles; an item of several lists is written once.

    Args:
        target: a target of whole entities (``source.full()``).
        path: the GeoJSON file; replaced when everything is written.

    Raises:
        TargetError: there is no such harvest, it has no places, or the file cannot be
            written or belongs to the target.

    """
    output, count, written = Path(path), 0, 0
    refuse_overlap(output, target_files(target))
    with replacing(output) as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        for count, feature in enumerate(features(target), 1):  # noqa: B007 - counted on
            if feature is not None:
                file.write(b",\n" if written else b"\n")
                file.write(as_json(feature).encode())
                written += 1
        file.write(b"\n]}\n")
    return Exported(written, count - written)


def features(target: str | os.PathLike[str]) -> Iterator[dict[str, object] | None]:
    """
    Make a GeoJSON feature of each item, ``None`` for one without a place.

    Raises:
        TargetError: there is no such harvest, or its items have no places.

    """
    seen: set[bytes] = set()
    tables = tables_of(target)
    placed = [table for table in tables if table.item in _PLACED]
    if tables and not placed:
        kinds = {table.item for table in tables}
        raise TargetError(
            f"{target} holds {min(kinds)} items, which have no places"
            + "; harvest whole items (--full)" * bool(kinds & _SUMMARIES)
        )
    for table in placed:
        for key, item in read(target, _PLACED[table.item], table=table.name):
            mark = _mark(item.id)
            if mark not in seen:
                seen.add(mark)
                yield _feature(key, item)


def _feature(key: str, item: IModel | ITwin) -> dict[str, object] | None:
    geometry = _geometry(item)
    if geometry is None:
        return None
    properties = {
        field.name: _plain(value)
        for field in attrs.fields(type(item))
        if field.name not in _LEFT_OUT and (value := getattr(item, field.name)) is not None
    }
    if key:
        properties["list"] = key
    return {"type": "Feature", "id": item.id, "geometry": geometry, "properties": properties}


def _geometry(item: IModel | ITwin) -> dict[str, object] | None:
    if isinstance(item, IModel):
        if item.extent is None:
            return None
        corners = (item.extent.south_west, item.extent.north_east)
        known = all(math.isfinite(part) for corner in corners for part in attrs.astuple(corner))
        return item.extent.__geo_interface__ if known else None
    if item.latitude is None or item.longitude is None:
        return None
    place = (item.longitude, item.latitude)
    return {"type": "Point", "coordinates": place} if all(map(math.isfinite, place)) else None


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _mark(name: str) -> bytes:
    try:
        return bytes.fromhex(name.replace("-", ""))
    except ValueError:
        return name.encode()
