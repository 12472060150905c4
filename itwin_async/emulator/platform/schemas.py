"""JSON schemas of OpenAPI 3.0, and a checker for as much of them as they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import attrs
import msgspec

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.world.ids import is_guid

SCHEMAS: JsonObject = {}
_REF = "#/components/schemas/"

TEXT: JsonObject = {"type": "string"}
TEXT_OR_NULL: JsonObject = {"type": "string", "nullable": True}
SHORT_TEXT: JsonObject = {"type": "string", "maxLength": 255}
SHORT_TEXT_OR_NULL: JsonObject = {**SHORT_TEXT, "nullable": True}
NAME: JsonObject = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "\\S"}
GUID: JsonObject = {"type": "string", "format": "uuid"}
FLAG: JsonObject = {"type": "boolean"}
BYTES: JsonObject = {"type": "string", "format": "binary"}
MOMENT: JsonObject = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL: JsonObject = {**MOMENT, "nullable": True}


def define(name: str, schema: JsonObject) -> JsonObject:
    """Give a schema a name in the OpenAPI document, and return a reference to it."""
    SCHEMAS[name] = schema
    return {"$ref": _REF + name}


def objects(properties: JsonObject, *required: str, **more: Json) -> JsonObject:
    """Return the schema of objects, without further properties unless allowed."""
    found: JsonObject = {"type": "object", "properties": properties, **more}
    if required:
        found["required"] = list[Json](required)
    found.setdefault("additionalProperties", False)
    return found


def each(schema: JsonObject, names: str) -> JsonObject:
    """Return properties with the same schema, of names separated by blanks."""
    return dict.fromkeys(names.split(), schema)


def arrays(items: JsonObject) -> JsonObject:
    """Return the schema of arrays."""
    return {"type": "array", "items": items}


def texts(*values: str) -> JsonObject:
    """Return the schema of a choice of strings."""
    return {"type": "string", "enum": list[Json](values)}


def between(minimum: float, maximum: float, *, kind: str = "integer", **more: Json) -> JsonObject:
    """Return the schema of numbers in a range."""
    return {"type": kind, "minimum": minimum, "maximum": maximum, **more}


LINK = define("Link", objects({"href": TEXT}, nullable=True))
PAGING_LINKS = define("PagingLinks", objects({"self": LINK, "prev": LINK, "next": LINK}))
_ERROR: JsonObject = {"code": TEXT, "message": TEXT, "target": TEXT_OR_NULL}
_DETAIL = define(
    "DetailedError",
    objects(
        {**_ERROR, "innerError": {"type": "object"}}, "code", "message", additionalProperties=True
    ),
)
_INNER = define(
    "Error",
    objects({**_ERROR, "details": arrays(_DETAIL)}, "code", "message", additionalProperties=True),
)
ERROR = define("ErrorResponse", objects({"error": _INNER}, "error"))


@attrs.frozen
class Problem:
    """
    A value that a schema does not allow.

    Args:
        path: the names and indexes that lead to the value.
        keyword: the keyword of the schema that it breaks.
        value: the value; None when it is missing.
        schema: the schema that has the keyword.

    """

    path: tuple[str | int, ...]
    keyword: str
    value: Json
    schema: JsonObject

    def __str__(self) -> str:
        where = ""
        for part in self.path:
            where += f"[{part}]" if isinstance(part, int) else f".{part}"
        where = where.removeprefix(".") or "the whole"
        if self.keyword == "required":
            return f"{where}: it is missing"
        if self.keyword == "additionalProperties":
            return f"{where}: unknown member"
        value = msgspec.json.encode(self.value).decode()
        return f"{where}: {value} is not valid ({self.keyword}: {self.schema[self.keyword]})"


_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def problems(
    value: Json, schema: JsonObject, path: tuple[str | int, ...] = ()
) -> Iterator[Problem]:
    """Yield what is wrong with a value: required members first, then in the schema's order."""
    schema = _resolve(schema)
    if value is None and schema.get("nullable"):
        return
    kind = cast("str", schema.get("type", ""))
    if kind and not _is_kind(value, kind):
        yield Problem(path, "type", value, schema)
    elif isinstance(value, dict):
        yield from _size_problems(value, schema, path, "Properties")
        yield from _member_problems(value, schema, path)
    elif isinstance(value, list) and (keyword := _broken_keyword(value, schema)):
        yield Problem(path, keyword, value, schema)
    elif isinstance(value, list):
        yield from _size_problems(value, schema, path, "Items")
        items = cast("JsonObject", schema.get("items", {}))
        for index, item in enumerate(value):
            yield from problems(item, items, (*path, index))
    else:
        keyword = _broken_keyword(value, schema)
        if keyword:
            yield Problem(path, keyword, value, schema)


def known(value: JsonObject, schema: JsonObject) -> JsonObject:
    """Return the members that a schema has a name for."""
    names = cast("JsonObject", _resolve(schema).get("properties", {}))
    return {name: member for name, member in value.items() if name in names}


def _size_problems(
    value: Any,  # noqa: ANN401 - JSON
    schema: Any,  # noqa: ANN401 - JSON
    path: tuple[str | int, ...],
    what: str,
) -> Iterator[Problem]:
    size = len(value)
    if size < schema.get(f"min{what}", size):
        yield Problem(path, f"min{what}", value, schema)
    if size > schema.get(f"max{what}", size):
        yield Problem(path, f"max{what}", value, schema)


def _resolve(schema: JsonObject) -> JsonObject:
    while "$ref" in schema:
        schema = cast("JsonObject", SCHEMAS[cast("str", schema["$ref"]).removeprefix(_REF)])
    return schema


def _is_kind(value: Json, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _broken_keyword(value: Json, schema: Any) -> str | None:  # noqa: ANN401 - JSON
    if "enum" in schema and value not in schema["enum"]:
        return "enum"
    broken: dict[str, bool] = {}
    if isinstance(value, str):
        broken = {
            "minLength": len(value) < schema.get("minLength", 0),
            "maxLength": len(value) > schema.get("maxLength", len(value)),
            "pattern": re.search(schema.get("pattern", ""), value) is None,
            "format": not _has_format(value, schema.get("format")),
        }
    elif isinstance(value, list):
        broken = {
            "minItems": len(value) < schema.get("minItems", 0),
            "maxItems": len(value) > schema.get("maxItems", len(value)),
        }
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        broken = {
            "minimum": value < schema.get("minimum", value),
            "maximum": value > schema.get("maximum", value),
        }
    return next((keyword for keyword, is_broken in broken.items() if is_broken), None)


def _has_format(value: str, name: str | None) -> bool:
    if name == "date-time":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
    return name != "uuid" or is_guid(value)


def _member_problems(
    value: JsonObject, schema: JsonObject, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    properties = cast("dict[str, JsonObject]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    sound = True
    for name in dict.fromkeys([*required, *properties]):
        if name in value:
            found = list(problems(value[name], properties.get(name, {}), (*path, name)))
        elif name in required:
            found = [Problem((*path, name), "required", None, properties.get(name, {}))]
        else:
            continue
        sound = sound and not found
        yield from found
    others = schema.get("additionalProperties", {})
    for name in [name for name in value if name not in properties]:
        if others is False:
            yield Problem((*path, name), "additionalProperties", value[name], schema)
        elif isinstance(others, dict):
            yield from problems(value[name], others, (*path, name))
    if sound and "anyOf" in schema:
        yield from _branch_problems(value, cast("list[JsonObject]", schema["anyOf"]), path)


def _branch_problems(
    value: JsonObject, branches: list[JsonObject], path: tuple[str | int, ...]
) -> Iterator[Problem]:
    """Yield what is wrong with the branch of which most members are right."""
    best: tuple[int, list[Problem]] | None = None
    for branch in branches:
        found = list(_member_problems(value, branch, path))
        if not found:
            return
        names = list(cast("JsonObject", branch.get("properties", {})))
        first = str(found[0].path[-1])
        right = names.index(first) if first in names else 0
        if best is None or right > best[0]:
            best = right, found
    if best is not None:
        yield from best[1]
