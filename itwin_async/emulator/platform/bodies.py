"""Checks of request bodies that the APIs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.world.records import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from itwin_async.emulator.json_types import Json, JsonObject

MAX_TEXT = 255


def missing(name: str) -> Detail:
    """Return the detail for a member that must be there."""
    return Detail("MissingRequiredProperty", "Required property is missing.", name)


def invalid(name: str, value: Json) -> Detail:
    """Return the detail for a member with a value that it cannot have."""
    shown = value if isinstance(value, str) else str(value).lower()
    return Detail("InvalidValue", f"'{shown}' is not a valid '{name}' value.", name)


def check_text(
    content: JsonObject, name: str, *, required: bool = False, nullable: bool = True
) -> list[Detail]:
    """Check a member that is a text of at most 255 characters."""
    if name not in content:
        return [missing(name)] if required else []
    value = content[name]
    if value is None and nullable and not required:
        return []
    if not isinstance(value, str) or len(value) > MAX_TEXT or (required and not value.strip()):
        return [invalid(name, value if not isinstance(value, str) else value[:MAX_TEXT])]
    return []


def read_extent(value: Json) -> Extent | None:
    """
    Return an extent from JSON.

    Raises:
        ValueError: it is no extent, or lies outside the Earth.

    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("extent")  # noqa: TRY004 - one kind of error
    south, west = _point(value.get("southWest"))
    north, east = _point(value.get("northEast"))
    return Extent(south, west, north, east)


def text_or_none(content: Mapping[str, Json], name: str) -> str | None:
    """Return a member that was checked to be a text."""
    value = content.get(name)
    return value if isinstance(value, str) else None


def number_or_none(content: Mapping[str, Json], name: str) -> float | None:
    """Return a member that was checked to be a number."""
    value = content.get(name)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _point(value: Json) -> tuple[float, float]:
    if not isinstance(value, dict):
        raise ValueError("extent")  # noqa: TRY004 - one kind of error
    latitude, longitude = (number_or_none(value, name) for name in ("latitude", "longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
        raise ValueError("extent")
    return latitude, longitude
