"""Models on the map."""

from __future__ import annotations

from datetime import datetime

import attrs

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
