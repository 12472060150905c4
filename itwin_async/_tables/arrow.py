"""Arrow tables of models, with columns typed by the class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING

from itwin_async._arguments import invalid
from itwin_async._tables.columns import Column, as_json, columns_of, storable
from itwin_async._tables.wkb import places_of
from itwin_async.errors import ArgumentError, ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

_GEOARROW = {
    "ARROW:extension:name": "geoarrow.wkb",
    "ARROW:extension:metadata": '{"crs":"OGC:CRS84"}',
}


def to_arrow(
    items: Iterable[object], item: type | None = None, *, geometry: bool = False
) -> pa.Table:
    """
    Write items into an Arrow table, a column for each attribute.

    Nested models become structs, lists and free JSON become text. Attributes that ``repr`` does not
    show, such as signed addresses, are left out.

    Args:
        items: a page, or models of one class.
        item: their class; by default that of the first.
        geometry: add a GeoArrow column ``geometry`` with the places of whole iTwins or iModels,
            empty where there is none. Polars before 1.36 cannot read it.

    Raises:
        ArgumentError: they are no models, there are none to see the class of, or they have no
            places.
        ConfigurationError: pyarrow is not installed; it is in the extra ``arrow``.

    """
    pa, rows = arrow("an Arrow table"), [*items]
    if item is None and hasattr(items, "__arrow_c_stream__"):
        found = pa.table(items)
    elif item is None and not rows:
        raise ArgumentError("item must be given where there are no items", argument="item")
    else:
        found = table(type(rows[0]) if item is None else item, rows)
    if not geometry:
        return found
    if not all(hasattr(row, "__geo_interface__") for row in rows):
        raise ArgumentError(
            "geometry needs items that have places: list whole entities, with .full()",
            argument="geometry",
        )
    places = pa.array(places_of(rows), pa.binary())
    return found.append_column(pa.field("geometry", pa.binary(), metadata=_GEOARROW), places)


def table(cls: type, items: Sequence[object]) -> pa.Table:
    """Write items of a class into a table."""
    pa = arrow("an Arrow table")
    columns = columns_of(cls, hidden=False)
    if not columns:
        raise invalid("items", cls, "of a class with attributes")
    schema = pa.schema([field(column) for column in columns])
    return pa.Table.from_arrays([array(column, items) for column in columns], schema=schema)


def arrow(what: str, *, extra: str = "arrow") -> ModuleType:
    """Import pyarrow, or raise ``ConfigurationError`` naming the extra that brings it."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"{what} needs an extra: pip install 'itwin-async[{extra}]'"
        ) from None
    module: ModuleType = pa
    return module


def field(column: Column) -> pa.Field:
    """Describe a column; only ``id`` is always there."""
    pa = arrow("an Arrow table")
    return pa.field(column.name, _type(pa, column), nullable=column.name != "id")


def array(column: Column, items: Iterable[object]) -> pa.Array:
    """Write a column of some items."""
    return typed(column, map(attrgetter(column.path), items))


def typed(column: Column, values: Iterable[object]) -> pa.Array:
    """Write the values of a column."""
    pa = arrow("an Arrow table")
    return pa.array([_value(column, value) for value in values], _type(pa, column))


def _type(pa: ModuleType, column: Column) -> pa.DataType:
    if column.kind == "nested":
        return pa.struct([(member.name, _type(pa, member)) for member in column.members])
    known = {
        "integer": pa.int64(),
        "real": pa.float64(),
        "boolean": pa.bool_(),
        "moment": pa.timestamp("us", tz="UTC"),
    }
    return known.get(column.kind, pa.string())


def _value(column: Column, value: object) -> object:
    if value is None:
        return None
    if column.kind == "nested":
        return {
            member.name: _value(member, getattr(value, member.path)) for member in column.members
        }
    return as_json(value) if column.kind == "json" else storable(value)
