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

GEOMETRY = "geometry"
_GEOARROW = {
    "ARROW:extension:name": "geoarrow.wkb",
    "ARROW:extension:metadata": '{"crs":"OGC:CRS84"}',
}


def to_arrow(items: Iterable[object], item: type | None = None) -> pa.Table:
    """
    Write items into an Arrow table, a column for each attribute.

    Nested models become structs, lists and free JSON become text. Attributes that ``repr`` does not
    show, such as signed addresses, are left out. Whole iTwins and iModels have a column
    ``geometry`` too, for maps (GeoArrow); it is empty where there is no place.

    Args:
        items: a page, or models of one class.
        item: their class; by default that of the first.

    Raises:
        ArgumentError: they are no models, or there are none to see the class of.
        ConfigurationError: pyarrow is not installed; it is in the extra ``arrow``.

    """
    pa = arrow("an Arrow table")
    if item is None and hasattr(items, "__arrow_c_stream__"):
        return pa.table(items)
    rows = [*items]
    if item is None and not rows:
        raise ArgumentError("item must be given where there are no items", argument="item")
    return table(type(rows[0]) if item is None else item, [rows])


def table(cls: type, batches: Iterable[Sequence[object]]) -> pa.Table:
    """Write batches of items into one table."""
    pa = arrow("an Arrow table")
    columns = columns_of(cls, hidden=False)
    if not columns:
        raise invalid("items", cls, "of a class with attributes")
    fields = [field(column) for column in columns]
    placed = hasattr(cls, "__geo_interface__")
    if placed:
        fields.append(pa.field(GEOMETRY, pa.binary(), metadata=_GEOARROW))
    schema, found = pa.schema(fields), []
    for rows in batches:
        arrays = [array(column, rows) for column in columns]
        if placed:
            arrays.append(pa.array(places_of(rows), pa.binary()))
        found.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return pa.Table.from_batches(found, schema)


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
    pa, get = arrow("an Arrow table"), attrgetter(column.name)
    return pa.array([_value(column, get(item)) for item in items], _type(pa, column))


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
            member.name: _value(member, getattr(value, member.name)) for member in column.members
        }
    return as_json(value) if column.kind == "json" else storable(value)
