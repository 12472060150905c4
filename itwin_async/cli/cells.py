"""How one value looks in a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

Row: TypeAlias = Mapping[str, object]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def clean(text: str) -> str:
    """
    Keep a text from moving the cursor, changing colours or breaking the line.

    Args:
        text: what the platform or the user gave.

    Returns:
        The text with a blank for each run of control characters.

    """
    return _CONTROL.sub(" ", text)


def plain(value: object) -> str:
    """
    Show a value as it is.

    Args:
        value: a member of a row.

    Returns:
        Its text; nothing for ``None``.

    """
    return "" if value is None else clean(str(value))


def moment(value: object) -> str:
    """
    Show a date in UTC to the minute.

    Args:
        value: the platform's text.

    Returns:
        Such as ``2026-05-01 13:30``.

    """
    text = plain(value)
    return text[:16].replace("T", " ") if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", text) else text


def extent(value: object) -> str:
    """
    Show an extent by its corners.

    Args:
        value: the platform's object.

    Returns:
        Latitude and longitude of the south-west corner, then of the north-east one.

    """
    if not isinstance(value, Mapping):
        return ""
    return " ".join(_point(value.get(corner)) for corner in ("southWest", "northEast"))


@attrs.frozen
class Column:
    """
    A column of a table.

    Args:
        title: what stands above it.
        key: member of the row; dots lead into nested members.
        style: rich style.
        show: makes a cell of the member.
        whole: never cut, however narrow the terminal.
        least: how narrow it may get where it is cut.
        reach: how wide it gets for what comes later, where there is room.

    """

    title: str
    key: str
    style: str = ""
    show: Callable[[object], str] = plain
    whole: bool = False
    least: int = 12
    reach: int = 0

    def cell(self, row: Row) -> str:
        """
        Show this column's member of a row.

        Args:
            row: the row.

        Returns:
            One line of text.

        """
        value: object = row
        for part in self.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return self.show(value)


def _point(value: object) -> str:
    if not isinstance(value, Mapping):
        return "?"
    pair = (value.get("latitude"), value.get("longitude"))
    return ",".join(f"{number:.4f}" if isinstance(number, int | float) else "?" for number in pair)
