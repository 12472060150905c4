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
        return self.show(_decoded(picked(row, self.key)))


_WHOLE = frozenset({"id", "iTwinId", "iModelId"})


def named_column(path: str) -> Column:
    """Make a column of a member by its path, such as ``extent.southWest.latitude``."""
    name = path.rpartition(".")[2]
    if name in _WHOLE:
        return Column(path, path, "dim", compact, whole=True)
    if name == "displayName":
        return Column(path, path, "bold", compact, min_width=16)
    return Column(path, path, show=compact)


def compact(value: object) -> str:
    """Show a text as it is, and anything else as JSON in one line; nothing for ``None``."""
    return clean(json_text(value))


def json_text(value: object) -> str:
    """Write a text as it is, and anything else as JSON in one line; nothing for ``None``."""
    value = _decoded(value)
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()


def picked(row: Row, path: str) -> object:
    """Find a member by its path; ``None`` if there is none. Numbers select items of lists."""
    if path in row:
        return row[path]
    value: object = row
    for name in path.split("."):
        value = _opened(value)
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _opened(value: object) -> object:
    """Parse the outermost level of JSON text."""
    if not isinstance(value, msgspec.Raw):
        return value
    kind: object = {b"{": dict[str, msgspec.Raw], b"[": list[msgspec.Raw]}.get(bytes(value)[:1])
    if kind is None:
        return None
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, RecursionError):
        return None


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
