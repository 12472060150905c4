"""Typed columns of an attrs class, and what may stand in them."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import attrs
import msgspec

from itwin_async._json.codec import to_dict
from itwin_async._json.fast_path import reachable

Kind: TypeAlias = Literal["text", "integer", "real", "boolean", "moment", "json", "nested"]

_HALF = 2**63
_ENDS = {1, 9999}

_KINDS: dict[object, Kind] = {
    str: "text",
    int: "integer",
    float: "real",
    bool: "boolean",
    datetime: "moment",
}


@attrs.frozen
class Column:
    """
    One attribute of a class.

    Attributes:
        name: the platform's name in snake case; in a flat column the names on the way, joined by
            ``_``.
        kind: what it holds.
        members: columns of a nested class.
        path: the attribute; in a flat column the attributes on the way, joined by dots.

    """

    name: str
    kind: Kind
    members: tuple[Column, ...] = ()
    path: str = ""


def columns_of(cls: type, *, hidden: bool = True) -> tuple[Column, ...]:
    """
    Describe the attributes of a class; none if it is no attrs class.

    Args:
        cls: the class.
        hidden: whether attributes that ``repr`` does not show, such as signed addresses, are among
            them.

    """
    return tuple(_columns(cls, hidden=hidden)) if attrs.has(cls) else ()


def storable(value: object) -> object:
    """Give ``None`` for what no column can hold: huge numbers, and days that UTC does not have."""
    if isinstance(value, int) and not -_HALF <= value < _HALF:
        return None
    if isinstance(value, datetime) and value.year in _ENDS:
        try:
            return value.astimezone(UTC)
        except OverflowError:
            return None
    return value


def as_json(value: object) -> str:
    """Write a value that has no column type of its own as JSON, with the platform's names."""
    value = _spelled(value)
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()
    except OverflowError:  # whole numbers beyond 64 bits
        return json.dumps(value, default=str)


def _spelled(value: object) -> object:
    if isinstance(value, list):
        return [_spelled(each) for each in value]
    return to_dict(value) if attrs.has(type(value)) else value  # type: ignore[arg-type]


def _columns(cls: type, *, hidden: bool) -> Iterator[Column]:
    hints = typing.get_type_hints(cls)
    for attribute in attrs.fields(cls):
        if hidden or attribute.repr:
            found = _column(attribute.name, hints[attribute.name], hidden=hidden)
            if found is not None:
                yield found


def _column(attribute: str, hint: object, *, hidden: bool) -> Column | None:
    name = attribute.rstrip("_")  # that of class_, which is a word of Python
    inner = without_none(hint)
    if isinstance(inner, type) and attrs.has(inner):
        members = tuple(_columns(inner, hidden=hidden))
        return Column(name, "nested", members, attribute) if members else None
    if typing.get_origin(inner) is Literal:
        inner = str
    kind = _KINDS.get(inner, "json")
    if kind == "json" and not hidden and _hides(inner):
        return None
    return Column(name, kind, path=attribute)


def _hides(hint: object) -> bool:
    classes = (part for part in reachable(hint) if isinstance(part, type) and attrs.has(part))
    return any(not attribute.repr for cls in classes for attribute in attrs.fields(cls))


def without_none(hint: object) -> object:
    """Take ``None`` off a type."""
    if typing.get_origin(hint) not in {typing.Union, types.UnionType}:
        return hint
    left = [part for part in typing.get_args(hint) if part is not types.NoneType]
    if all(part is str or typing.get_origin(part) is Literal for part in left):
        return str
    return left[0] if len(left) == 1 else hint
