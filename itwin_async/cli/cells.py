"""How one value looks in a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs
import msgspec

Row: TypeAlias = Mapping[str, object]
"""Members by name; a member may be JSON text (``msgspec.Raw``)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def clean(text: str) -> str:
    """Keep a text from moving the cursor, changing colours or breaking the line."""
    return _CONTROL.sub(" ", text)


def plain(value: object) -> str:
    """Show a value as it is; nothing for ``None``."""
    return "" if value is None else clean(str(value))


def moment(value: object) -> str:
    """Show a date in UTC to the minute, such as ``2026-05-01 13:30``."""
    text = plain(value)
    return text[:16].replace("T", " ") if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", text) else text


def extent(value: object) -> str:
    """Show an extent by latitude and longitude of its south-west and north-east corners."""
    if not isinstance(value, Mapping):
        return plain(value)
    return " ".join(_point(value.get(corner)) for corner in ("southWest", "northEast"))


@attrs.frozen
class Column:
    """
    A column of a table.

    Args:
        title: its header.
        key: member of the row.
        style: rich style.
        show: makes a cell of the member.
        whole: never cut, however narrow the terminal.
        min_width: how narrow it may get where it is cut.
        spare_width: width to keep for later rows, where the terminal is wide enough.

    """

    title: str
    key: str
    style: str = ""
    show: Callable[[object], str] = plain
    whole: bool = False
    min_width: int = 12
    spare_width: int = 0

    def cell(self, row: Row) -> str:
        """Show this column's member of a row in one line."""
        return self.show(_decoded(row.get(self.key)))


def _decoded(value: object) -> object:
    if not isinstance(value, msgspec.Raw):
        return value
    text = bytes(value)
    if text[:1] in {b'"', b"{", b"[", b"n"}:  # a number may be larger than what Python reads
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            pass
    return text.decode(errors="replace")


def _point(value: object) -> str:
    if not isinstance(value, Mapping):
        return "?"
    pair = (value.get("latitude"), value.get("longitude"))
    return ",".join(f"{number:.4f}" if isinstance(number, int | float) else "?" for number in pair)
