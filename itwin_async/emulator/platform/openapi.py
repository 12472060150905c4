"""The operations as an OpenAPI document."""

from __future__ import annotations

import re
from copy import deepcopy

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.api import APIS
from itwin_async.emulator.platform.routes import Route
from itwin_async.emulator.platform.schemas import BYTES, ERROR, SCHEMAS, TEXT
from itwin_async.emulator.platform.served import ROUTER

_VERSION = "1.0.0"
_REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    401: "The token is missing or not valid.",
    403: "The user may not do this.",
    404: "It is not available, or the Accept header names another version.",
    409: "The name or number is taken.",
    413: "The body is too large.",
    415: "The content type of the body is another one.",
    422: "The request cannot be processed.",
    429: "More requests than allowed.",
}


def openapi(server: str = "https://api.bentley.com") -> JsonObject:
    """
    Return the OpenAPI 3.0.3 document.

    Args:
        server: scheme and host that it names.

    """
    paths: dict[str, JsonObject] = {}
    for route in ROUTER.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    document: JsonObject = {
        "openapi": "3.0.3",
        "info": {
            "title": "iTwin Platform (emulated)",
            "version": _VERSION,
            "description": "Favorites, recents and tags, and what tests need to set them up.",
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "tags": [{"name": api.title} for api in APIS.values()],
        "paths": dict[str, "Json"](paths),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
    return deepcopy(document)


def _operation(route: Route) -> JsonObject:
    found: JsonObject = {
        "operationId": route.title.lower().replace(" ", "-"),
        "summary": route.title,
        "tags": [route.api.title],
        "parameters": _parameters(route),
        "responses": {str(status): _response(route, status) for status in _statuses(route)},
    }
    if route.body is not None:
        found["requestBody"] = {
            "required": route.body_required,
            "content": {"application/json": {"schema": route.body}},
        }
    if route.takes:
        found["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": BYTES} for kind in route.takes},
        }
    return found


def _parameters(route: Route) -> list[Json]:
    rows: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    for parameter in route.parameters:
        row: JsonObject = {
            "name": parameter.name,
            "in": parameter.where,
            "required": parameter.required,
            "schema": parameter.schema,
        }
        if parameter.name == "$continuationToken":
            row["allowEmptyValue"] = True
        rows.append(row)
    if route.prefers:
        wishes: JsonObject = {
            "type": "string",
            "description": "`return=minimal` or `return=representation`; a hint.",
        }
        rows.append({"name": "Prefer", "in": "header", "required": False, "schema": wishes})
    return rows


def _statuses(route: Route) -> list[int]:
    has_body = route.body is not None or bool(route.takes)
    wrong = {
        401: True,
        403: route.api.forbids or route.forbids,
        404: True,
        409: route.conflicts,
        413: has_body,
        415: bool(route.takes) or (route.body is not None and route.api.json_only),
        422: bool(route.parameters) or has_body or route.refuses,
        429: True,
    }
    return [route.success, *(status for status, possible in wrong.items() if possible)]


def _response(route: Route, status: int) -> JsonObject:
    found: JsonObject = {"description": _REASONS[status]}
    if status == 429:  # noqa: PLR2004 - the status is the name
        seconds: JsonObject = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
        found["headers"] = {"retry-after": seconds}
    if route.gives and status == route.success:
        found["content"] = {route.gives: {"schema": BYTES}}
        return found
    schemas = route.results if status == route.success else [ERROR]
    if schemas:
        schema: JsonObject = schemas[0] if len(schemas) == 1 else {"anyOf": list[Json](schemas)}
        found["content"] = {"application/json": {"schema": schema}}
    return found
