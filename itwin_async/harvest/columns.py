"""Columns of a harvest's tables: flat ones for SQLite, and the ids of rows."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeAlias

import attrs

from itwin_async._arguments import invalid
from itwin_async._tables.columns import Column, as_json, columns_of

Cells: TypeAlias = tuple[object, ...]

MOMENTS = ("harvested_at", "first_seen", "last_seen", "removed_at")
RESERVED = frozenset({"list", "list_name", "json", *MOMENTS})
"""Columns that every table has besides those of its items."""

_HALF = 2**63


def columns_with_id(cls: type, id: str | None = "id") -> tuple[Column, ...]:  # noqa: A002
    """
    Describe the attributes of an attrs class.

    Raises:
        ArgumentError: it is no attrs class with such an id, a str or an int.

    """
    found = columns_of(cls)
    taken = next((column.name for column in found if column.name in RESERVED), None)
    if taken is not None:
        raise invalid("item", cls, f"an attrs class without the attribute {taken}")
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
        own, way = f"{name}{column.name}", f"{path}{column.path}"
        if column.kind == "nested":
            yield from flat(column.members, name=f"{own}_", path=f"{way}.", leave=leave)
        else:
            yield attrs.evolve(column, name=own, path=way)


def reader(columns: Sequence[Column]) -> Callable[[object], Cells]:
    """Make a function that reads flat columns off an item; dates are ISO 8601 in UTC."""
    plain = [column.path for column in columns if _is_plain(column)]
    special = [
        (index, _getter(column)) for index, column in enumerate(columns) if not _is_plain(column)
    ]
    get = _all_of(plain)

    def read(item: object) -> Cells:
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


def moment_of(text: str) -> datetime:
    """Read what ``moment`` wrote."""
    return datetime.fromisoformat(text)


def getter(column: Column) -> Callable[[object], object]:
    """Make a function that reads a column off an item: ``None`` where something above it is."""
    if "." not in column.path:
        return operator.attrgetter(column.path)
    steps = column.path.split(".")

    def get(item: object) -> object:
        value: object = item
        for step in steps:
            value = getattr(value, step)
            if value is None:
                return None
        return value

    return get


def _with(id: str | None) -> str:  # noqa: A002
    return "attributes" if id is None else f"an {id}, a str or an int"


def _is_plain(column: Column) -> bool:
    return "." not in column.path and column.kind not in {"moment", "json"}


def _all_of(names: Sequence[str]) -> Callable[[object], Cells]:
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda item: tuple(getattr(item, name) for name in names)


def _getter(column: Column) -> Callable[[object], object]:
    get = getter(column)
    if column.kind == "moment":
        return lambda item: moment(found) if isinstance(found := get(item), datetime) else None
    if column.kind == "json":
        return lambda item: None if (found := get(item)) is None else as_json(found)
    return get
