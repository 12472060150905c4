"""Checks of arguments that several resources of an iModel share, made before any request."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from itwin_async._arguments import instance, invalid, one_of, text, whole
from itwin_async._json.converter import to_dict
from itwin_async.errors import ArgumentError
from itwin_async.imodels.models import Extent
from itwin_async.models import UNSET, Unset

T = TypeVar("T")

_TEXT_LIMIT = 255
_SHORT = f"a string of at most {_TEXT_LIMIT} characters"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CHANGESET_ID = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)


def given(values: Mapping[str, T | None]) -> dict[str, T]:
    """Leave out what is ``None``."""
    return {name: value for name, value in values.items() if value is not None}


def checked(check: Callable[[str, object], T], name: str, value: object) -> T | None:
    """Check a value that may be ``None``."""
    return None if value is None else check(name, value)


def changed(check: Callable[[str, object], T], name: str, value: object) -> T | Unset | None:
    """Check a value that may be ``None`` or ``UNSET``."""
    return UNSET if value is UNSET else checked(check, name, value)


def one_change(**members: object) -> dict[str, object]:
    """
    Check that an update changes something.

    Raises:
        ArgumentError: all members are ``UNSET``.

    """
    if all(value is UNSET for value in members.values()):
        raise ArgumentError(
            f"give at least one of {', '.join(members)}", argument=next(iter(members))
        )
    return members


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


def ordered(value: object, allowed: Collection[str]) -> str | None:
    """Check one order or several, and write them for ``$orderBy``."""
    if value is None or isinstance(value, str):
        return checked(lambda name, order: one_of(name, order, allowed), "order_by", value)
    if not isinstance(value, Sequence) or not value:
        raise invalid("order_by", value, "one order or a sequence of them")
    orders: Sequence[object] = value
    return ",".join([one_of("order_by", order, allowed) for order in orders])


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
    return value if isinstance(value, str) else index(name, value)


def index(name: str, value: object) -> str:
    """Check the index of a changeset, and write it as text; 0 is the baseline."""
    return str(whole(name, value, 0))


def natural(name: str, value: object) -> int:
    """Check a whole number that is not negative, such as an index or a set of bits."""
    return int(whole(name, value, 0))


def briefcase(value: object) -> int:
    """Check the number of a briefcase."""
    return whole("briefcase_id", value, 1)
