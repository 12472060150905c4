"""Checks of arguments that several resources of an iModel share, made before any request."""

from __future__ import annotations

import re

from itwin_async._arguments import instance, invalid, text, whole
from itwin_async._json.codec import to_dict
from itwin_async.imodels.models import Extent

_TEXT_LIMIT = 255
_SHORT = f"a string of at most {_TEXT_LIMIT} characters"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CHANGESET_ID = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)


def short_name(name: str, value: object) -> str:
    """Check a name: not blank, up to 255 characters."""
    value = text(name, value)
    if len(value) > _TEXT_LIMIT:
        raise invalid(name, value, _SHORT)
    return value


def short_text(name: str, value: object) -> str:
    """Check a description: up to 255 characters, also none."""
    if not isinstance(value, str) or len(value) > _TEXT_LIMIT or _SURROGATE.search(value):
        raise invalid(name, value, _SHORT)
    return value


def extent_body(name: str, value: object) -> dict[str, object]:
    """Check a rectangle on the Earth, in degrees, and write it for a body."""
    extent = instance(name, value, Extent, "an Extent")
    for corner in (extent.south_west, extent.north_east):
        if not _within(corner.latitude, 90) or not _within(corner.longitude, 180):
            raise invalid(name, corner, "of latitudes from -90 to 90, longitudes from -180 to 180")
    return to_dict(extent)


def _within(degrees: object, limit: int) -> bool:
    number = isinstance(degrees, int | float) and not isinstance(degrees, bool)
    return number and -limit <= degrees <= limit  # type: ignore[operator]


def hexadecimal(name: str, value: object) -> str:
    """Check the id of a changeset: 40 hexadecimal digits."""
    if not isinstance(value, str) or not _CHANGESET_ID.fullmatch(value):
        raise invalid(name, value, "a changeset id of 40 hexadecimal digits")
    return value


def hexadecimal_or_empty(name: str, value: object) -> str:
    """Check the id of a changeset, or the empty text that stands for the baseline."""
    return "" if value == "" else hexadecimal(name, value)


def id_or_number(name: str, value: str | int) -> str:
    """Write the segment of a path that may be an id or a number; ids are checked with the path."""
    return value if isinstance(value, str) else str(natural(name, value))


def natural(name: str, value: object) -> int:
    """Check a whole number that is not negative, such as an index or a set of bits."""
    return int(whole(name, value, 0))


def briefcase(name: str, value: object) -> int:
    """Check the number of a briefcase."""
    return whole(name, value, 1)
