"""Points and rectangles as well-known binary, which every reader of GeoArrow knows."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

_NO_POINT = struct.pack("<BI2d", 1, 1, float("nan"), float("nan"))
_NO_POLYGON = struct.pack("<BII", 1, 3, 0)


def places_of(items: Iterable[Any]) -> list[bytes]:
    """Write the places of GeoJSON features; one without a place has an empty geometry."""
    found: list[dict[str, Any] | None] = [item.__geo_interface__["geometry"] for item in items]
    points = any(place is not None and place["type"] == "Point" for place in found)
    empty = _NO_POINT if points else _NO_POLYGON  # lonboard and others take no nulls
    return [empty if place is None else _wkb(place) for place in found]


def _wkb(geometry: dict[str, Any]) -> bytes:
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Point":
        return struct.pack("<BI2d", 1, 1, *coordinates)
    if geometry["type"] == "Polygon":
        return _polygon(coordinates)
    return struct.pack("<BII", 1, 6, len(coordinates)) + b"".join(map(_polygon, coordinates))


def _polygon(rings: Sequence[Sequence[tuple[float, float]]]) -> bytes:
    parts = [struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        numbers = [number for point in ring for number in point]
        parts.append(struct.pack(f"<I{len(numbers)}d", len(ring), *numbers))
    return b"".join(parts)
