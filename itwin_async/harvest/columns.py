"""Typed columns of an attrs class: flat ones for tables, nested ones for Parquet."""

from __future__ import annotations

import json
import operator
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import attrs
import msgspec

from itwin_async._arguments import invalid
from itwin_async._json.converter import to_dict

Kind: TypeAlias = Literal["text", "integer", "real", "boolean", "moment", "json", "nested"]
Row: TypeAlias = tuple[object, ...]
Identify: TypeAlias = Callable[[object, bytes], str]
"""Makes the id of an item that has none of its own; it is given the item and its JSON."""

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
        name: name of the attribute; in a flat column the names on the way, joined by ``_``.
        kind: what it holds.
        members: columns of a nested class.
        path: the attributes on the way from the item, joined by dots; in flat columns only.

    """

    name: str
    kind: Kind
    members: tuple[Column, ...] = ()
    path: str = ""


def columns_of(cls: type, id: str | None = "id") -> tuple[Column, ...]:  # noqa: A002
    """
    Describe the attributes of an attrs class.

    Raises:
        ArgumentError: it is no attrs class with such an id, a str or an int.

    """
    found = tuple(_columns(cls)) if attrs.has(cls) else ()
    known = {column.name for column in found if column.kind in {"text", "integer"}}
    if not found or (id is not None and id not in known):
        raise invalid("item", cls, f"an attrs class with {_with(id)}")
    return found


def id_of(item: object, name: str | None = "id") -> str:
    """
    Read the id of an item.

    Raises:
        ValueError: it has none that every target can store.

    """
    value = getattr(item, name or "id", None)
    if isinstance(value, str) and value:
        value.encode()
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -_HALF <= value < _HALF:
        return str(value)
    raise ValueError(f"an item has the id {value!r:.80}, which cannot be stored")


def flat(
    columns: Sequence[Column], *, name: str = "", path: str = "", leave: Sequence[str] = ()
) -> Iterator[Column]:
    """
    Dissolve nested columns.

    Args:
        columns: the columns of a class.
        name: prefix of each name.
        path: prefix of each path.
        leave: names that are left out.

    """
    for column in columns:
        if column.name in leave:
            continue
        own, way = f"{name}{column.name}", f"{path}{column.name}"
        if column.kind == "nested":
            yield from flat(column.members, name=f"{own}_", path=f"{way}.", leave=leave)
        else:
            yield attrs.evolve(column, name=own, path=way)


def reader(columns: Sequence[Column]) -> Callable[[object], Row]:
    """Make a function that reads flat columns off an item; dates are ISO 8601 in UTC."""
    plain = [column.path for column in columns if _is_plain(column)]
    special = [
        (index, _getter(column)) for index, column in enumerate(columns) if not _is_plain(column)
    ]
    get = _all_of(plain)

    def read(item: object) -> Row:
        values = list(get(item))
        for index, special_get in special:
            values.insert(index, special_get(item))
        return tuple(values)

    return read


def moment(value: datetime) -> str:
    """Write a date as ISO 8601 in UTC with microseconds, so that texts sort as dates do."""
    with suppress(OverflowError):  # at the ends of the calendar there may be no such day in UTC
        value = value.astimezone(UTC)
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z")


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


def _with(id: str | None) -> str:  # noqa: A002
    return "attributes" if id is None else f"an {id}, a str or an int"


def _columns(cls: type) -> Iterator[Column]:
    hints = typing.get_type_hints(cls)
    for attribute in attrs.fields(cls):
        yield _column(attribute.name, hints[attribute.name])


def _column(name: str, hint: object) -> Column:
    inner = without_none(hint)
    if isinstance(inner, type) and attrs.has(inner):
        return Column(name, "nested", tuple(_columns(inner)))
    if typing.get_origin(inner) is Literal:
        inner = str
    return Column(name, _KINDS.get(inner, "json"))


def without_none(hint: object) -> object:
    """Take ``None`` off a type."""
    if typing.get_origin(hint) not in {typing.Union, types.UnionType}:
        return hint
    left = [part for part in typing.get_args(hint) if part is not types.NoneType]
    if all(part is str or typing.get_origin(part) is Literal for part in left):
        return str
    return left[0] if len(left) == 1 else hint


def _is_plain(column: Column) -> bool:
    return "." not in column.path and column.kind not in {"moment", "json"}


def _all_of(names: Sequence[str]) -> Callable[[object], Row]:
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda item: tuple(getattr(item, name) for name in names)


def _getter(column: Column) -> Callable[[object], object]:
    steps = column.path.split(".")

    def get(item: object) -> object:
        value: object = item
        for step in steps:
            value = getattr(value, step)
            if value is None:
                return None
        return value

    if column.kind == "moment":
        return lambda item: moment(found) if isinstance(found := get(item), datetime) else None
    if column.kind == "json":
        return lambda item: None if (found := get(item)) is None else as_json(found)
    return get
