"""The operations as an OpenAPI document."""

from __future__ import annotations

from copy import deepcopy

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.itwins import MAX_REACH
from itwin_async.emulator.platform.paging import DEFAULT_TOP, MAX_TOP
from itwin_async.emulator.platform.routes import ROUTES, Route
from itwin_async.emulator.platform.schemas import SCHEMAS, TEXT, ref
from itwin_async.emulator.world.records import CLASS_OF, STATUSES

_VERSION = "1.0.0"
_GUID: JsonObject = {"type": "string", "format": "uuid"}
_TOP: JsonObject = {"type": "integer", "minimum": 1, "maximum": MAX_TOP, "default": DEFAULT_TOP}
_SKIP: JsonObject = {"type": "integer", "minimum": 0, "maximum": 10**11 - 1, "default": 0}
_STATE: JsonObject = ref("iModelState")
_ORDER: JsonObject = {
    "type": "string",
    "pattern": "^(name|createdDateTime)( asc| desc)?(,(name|createdDateTime)( asc| desc)?)*$",
}
_STATUS: JsonObject = {"type": "string", "enum": list[Json](STATUSES)}
_SUB_CLASS: JsonObject = {
    "type": "string",
    "description": "One or several subclasses, separated by commas.",
    "pattern": f"^({'|'.join(CLASS_OF)})(,({'|'.join(CLASS_OF)}))*$",
}
_LISTED: dict[str, JsonObject] = {"iTwinId": _GUID, "$top": _TOP}
_TOKEN: dict[str, JsonObject] = {"$continuationToken": {"type": "string", "default": ""}}
_SIMPLE: dict[str, JsonObject] = {
    "subClass": _SUB_CLASS,
    "status": _STATUS,
    "type": TEXT,
    "includeInactive": {"type": "boolean", "default": False},
    "$top": _TOP,
    "$skip": _SKIP,
}
_QUERIES: dict[str, dict[str, JsonObject]] = {
    "GET /imodels/favorites": {**_LISTED, **_TOKEN},
    "GET /imodels/recents": _LISTED,
    "GET /imodels": {
        **_LISTED,
        **_TOKEN,
        "$skip": _SKIP,
        "$search": TEXT,
        "name": TEXT,
        "state": _STATE,
        "$orderBy": _ORDER,
    },
    "GET /itwins/favorites": _SIMPLE,
    "GET /itwins/recents": _SIMPLE,
    "GET /itwins": {**_SIMPLE, "number": TEXT, "displayName": TEXT, "$search": TEXT},
    "GET /savedviews/tags": {"iTwinId": TEXT, "iModelId": TEXT},
}
_BODIES = {
    "POST /imodels": "iModelCreate",
    "PATCH /imodels/{id}": "iModelUpdate",
    "POST /itwins": "iTwinCreate",
    "PATCH /itwins/{id}": "iTwinUpdate",
    "POST /savedviews/tags": "TagCreate",
    "PATCH /savedviews/tags/{id}": "TagUpdate",
}
_RESULTS = {
    "GET /imodels/{id}": "iModelResponse",
    "POST /imodels": "iModelResponse",
    "PATCH /imodels/{id}": "iModelResponse",
    "GET /itwins/{id}": "iTwinSummaryResponse iTwinResponse",
    "POST /itwins": "iTwinResponse",
    "PATCH /itwins/{id}": "iTwinResponse",
    "GET /itwins/myprimaryaccount": "iTwinSummaryResponse",
    "GET /itwins/{id}/account": "iTwinSummaryResponse",
    "POST /savedviews/tags": "TagResponse",
    "GET /savedviews/tags": "TagsResponse",
    "GET /savedviews/tags/{id}": "TagResponse",
    "PATCH /savedviews/tags/{id}": "TagResponse",
}
_LISTS = {"imodels": "iModelsMinimal iModelsRepresentation"}
_CREATES = {"POST /imodels", "POST /itwins", "POST /savedviews/tags"}
_REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    401: "No token, or one that is not good.",
    403: "The user may not do this.",
    404: "It is not there, or the Accept header names another version.",
    409: "The name or number is taken.",
    413: "The body is too large.",
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
    for route in ROUTES:
        paths.setdefault(route.pattern, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "iTwin Platform (emulated)",
            "version": _VERSION,
            "description": "Favorites, recents and tags, and what a test needs to set them up.",
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in ("iModels", "iTwins", "Saved Views")],
        "paths": dict[str, "Json"](paths),
        "components": {
            "schemas": deepcopy(SCHEMAS),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> JsonObject:
    name = f"{route.method} {route.pattern}"
    responses: JsonObject = {}
    for status in _statuses(route):
        responses[str(status)] = _response(route, status)
    found: JsonObject = {
        "operationId": route.handler.__name__ + "_" + route.api,
        "summary": route.title,
        "tags": [{"imodels": "iModels", "itwins": "iTwins"}.get(route.api, "Saved Views")],
        "parameters": _parameters(route),
        "responses": responses,
    }
    if name in _BODIES:
        content: JsonObject = {"application/json": {"schema": ref(_BODIES[name])}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(route: Route) -> list[Json]:
    name = f"{route.method} {route.pattern}"
    rows: list[Json] = []
    if "{id}" in route.pattern:
        rows.append({"name": "id", "in": "path", "required": True, "schema": TEXT})
    for query, schema in _QUERIES.get(name, {}).items():
        required = query == "iTwinId" and route.api == "imodels"
        row: JsonObject = {"name": query, "in": "query", "required": required, "schema": schema}
        if query == "$continuationToken":
            row["allowEmptyValue"] = True
        rows.append(row)
    if _prefers(route):
        wishes: JsonObject = {
            "type": "string",
            "description": "`return=minimal` or `return=representation`; a hint.",
        }
        rows.append({"name": "Prefer", "in": "header", "required": False, "schema": wishes})
    if name == "GET /itwins":
        reach: JsonObject = {"type": "integer", "minimum": 1, "maximum": MAX_REACH}
        rows.append({"name": "X-Max-Return", "in": "header", "required": False, "schema": reach})
    return rows


def _prefers(route: Route) -> bool:
    if route.method != "GET" or route.api == "savedviews":
        return False
    if route.pattern == "/itwins/myprimaryaccount":
        return False
    return "{id}" not in route.pattern or route.pattern == "/itwins/{id}"


def _statuses(route: Route) -> list[int]:
    name = f"{route.method} {route.pattern}"
    good = 200 if route.method in {"GET", "PATCH"} else 204
    statuses = [201 if name in _CREATES else good, 401, 404, 429]
    if name in _QUERIES or name in _BODIES:
        statuses.append(422)
    if name in _BODIES:
        statuses.append(413)
        if route.api != "savedviews":
            statuses.append(409)
    if route.api == "savedviews":
        statuses.append(403)
    return sorted(statuses)


def _response(route: Route, status: int) -> JsonObject:
    found: JsonObject = {"description": _REASONS[status]}
    if status == 429:  # noqa: PLR2004 - the status is the name
        seconds: JsonObject = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
        found["headers"] = {"retry-after": seconds}
    if status == 204:  # noqa: PLR2004 - the status is the name
        return found
    names = ["ErrorResponse"]
    if status < 400:  # noqa: PLR2004 - errors have one shape
        listed = _LISTS.get(route.api, "iTwinsMinimal iTwinsRepresentation")
        names = _RESULTS.get(f"{route.method} {route.pattern}", listed).split()
    schema: JsonObject = ref(names[0]) if len(names) == 1 else {"anyOf": [ref(n) for n in names]}
    found["content"] = {"application/json": {"schema": schema}}
    return found
