"""Models on the map."""

from __future__ import annotations

import math
from datetime import datetime

import attrs

_WHOLE_CIRCLE = 360.0
_LEFT_OUT = {"extent", "links", "latitude", "longitude", "image"}


def feature(
    id: str,  # noqa: A002 - GeoJSON's word
    item: attrs.AttrsInstance,
    geometry: dict[str, object] | None,
) -> dict[str, object]:
    """Make a GeoJSON feature of an item; members that are ``None`` are left out."""
    properties = {
        field.name: value.isoformat() if isinstance(value, datetime) else value
        for field in attrs.fields(type(item))
        if field.name not in _LEFT_OUT and (value := getattr(item, field.name)) is not None
    }
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": properties}


def point(longitude: float, latitude: float) -> dict[str, object] | None:
    """Make a point, of degrees; ``None`` where there is no such place on the Earth."""
    if not (_is_latitude(latitude) and _is_longitude(longitude)):
        return None
    return {"type": "Point", "coordinates": (_turned(longitude), latitude)}


def rectangle(west: float, south: float, east: float, north: float) -> dict[str, object] | None:
    """
    Make a rectangle, of degrees; ``None`` where there is no such place on the Earth.

    One that crosses the antimeridian becomes two (RFC 7946, 3.1.9), also where a longitude beyond
    180 says so.
    """
    known = all(map(_is_latitude, (south, north))) and all(map(_is_longitude, (west, east)))
    if not known or south > north:
        return None
    if east - west >= _WHOLE_CIRCLE:
        west, east = -180.0, 180.0
    west, east = _turned(west), _turned(east)
    if west <= east:
        return {"type": "Polygon", "coordinates": _ring(west, south, east, north)}
    halves = (_ring(west, south, 180.0, north), _ring(-180.0, south, east, north))
    return {"type": "MultiPolygon", "coordinates": halves}


def _is_latitude(value: float) -> bool:
    return -90.0 <= value <= 90.0  # noqa: PLR2004 - poles


def _is_longitude(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= _WHOLE_CIRCLE


def _turned(longitude: float) -> float:
    """Write a longitude within half a circle to either side; what is there already stays."""
    if abs(longitude) <= _WHOLE_CIRCLE / 2:
        return longitude
    return longitude - math.copysign(_WHOLE_CIRCLE, longitude)


def _ring(west: float, south: float, east: float, north: float) -> tuple[object, ...]:
    return (((west, south), (east, south), (east, north), (west, north), (west, south)),)
