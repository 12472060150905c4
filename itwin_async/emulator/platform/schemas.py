"""The shapes of what goes over the wire, as JSON schemas of OpenAPI 3.0."""

from __future__ import annotations

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.world.records import CLASS_OF, STATUSES

TEXT: JsonObject = {"type": "string"}
TEXT_OR_NULL: JsonObject = {"type": "string", "nullable": True}
MOMENT: JsonObject = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL: JsonObject = {**MOMENT, "nullable": True}
_FLAG: JsonObject = {"type": "boolean"}


def ref(name: str) -> JsonObject:
    """Return a reference to a shape."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: JsonObject, *required: str, **more: Json) -> JsonObject:
    found: JsonObject = {"type": "object", "properties": properties, **more}
    if required:
        found["required"] = list[Json](required)
    found.setdefault("additionalProperties", False)
    return found


def _array(items: str) -> JsonObject:
    return {"type": "array", "items": ref(items)}


def _kind_of(class_: str) -> JsonObject:
    fitting: list[Json] = [name for name, of in CLASS_OF.items() if of == class_]
    return {"properties": {"class": {"enum": [class_]}, "subClass": {"enum": fitting}}}


def _degrees(bound: int) -> JsonObject:
    return {"type": "number", "format": "double", "minimum": -bound, "maximum": bound}


_IMODEL_SUMMARY: JsonObject = {"id": TEXT, "displayName": TEXT, "dataCenterLocation": TEXT}
_ITWIN_SUMMARY: JsonObject = {
    "id": TEXT,
    "class": {"type": "string", "enum": list[Json](sorted(set(CLASS_OF.values())))},
    "subClass": {"type": "string", "enum": list[Json](CLASS_OF)},
    "type": TEXT_OR_NULL,
    "number": TEXT,
    "displayName": TEXT,
    "status": {"type": "string", "enum": list[Json](STATUSES)},
}
_DEGREES_OR_NULL: JsonObject = {"type": "number", "nullable": True}
_LINK = _object({"href": TEXT}, nullable=True)
_NAME: JsonObject = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "\\S"}
_SHORT: JsonObject = {"type": "string", "maxLength": 255, "nullable": True}
_FLAGS: JsonObject = {"type": "integer", "minimum": 0, "maximum": 7}
_PLAIN: JsonObject = {"type": "string", "pattern": "^[^<>&\"'.]*$"}
_ITWIN_CHANGE: JsonObject = {
    "type": _SHORT,
    "number": {"type": "string", "maxLength": 255},
    "displayName": _NAME,
    "geographicLocation": _SHORT,
    "latitude": {**_degrees(90), "nullable": True},
    "longitude": {**_degrees(180), "nullable": True},
    "ianaTimeZone": _SHORT,
    "dataCenterLocation": {"type": "string", "maxLength": 255},
    "status": {"type": "string", "enum": list[Json](STATUSES)},
    "parentId": _SHORT,
}

SCHEMAS: JsonObject = {
    "Link": _LINK,
    "PagingLinks": _object({"self": ref("Link"), "prev": ref("Link"), "next": ref("Link")}),
    "Point": _object(
        {"latitude": _degrees(90), "longitude": _degrees(180)}, "latitude", "longitude"
    ),
    "Extent": _object(
        {"southWest": ref("Point"), "northEast": ref("Point")},
        "southWest",
        "northEast",
        nullable=True,
    ),
    "iModelState": {"type": "string", "enum": ["initialized", "notInitialized"]},
    "iModelLinks": _object(
        {
            "creator": ref("Link"),
            "changesets": ref("Link"),
            "namedVersions": ref("Link"),
            "upload": ref("Link"),
            "complete": ref("Link"),
        }
    ),
    "iModelSummary": _object(_IMODEL_SUMMARY),
    "iModel": _object(
        {
            **_IMODEL_SUMMARY,
            "name": TEXT,
            "description": TEXT_OR_NULL,
            "state": ref("iModelState"),
            "createdDateTime": MOMENT,
            "lastChangesetPushDateTime": MOMENT_OR_NULL,
            "iTwinId": TEXT,
            "isSecured": _FLAG,
            "extent": ref("Extent"),
            "containersEnabled": {"type": "integer"},
            "_links": ref("iModelLinks"),
        }
    ),
    "iModelsMinimal": _object(
        {"iModels": _array("iModelSummary"), "_links": ref("PagingLinks")}, "iModels"
    ),
    "iModelsRepresentation": _object(
        {"iModels": _array("iModel"), "_links": ref("PagingLinks")}, "iModels"
    ),
    "iModelResponse": _object({"iModel": ref("iModel")}, "iModel"),
    "iModelCreate": _object(
        {
            "iTwinId": {"type": "string", "format": "uuid"},
            "name": _NAME,
            "description": _SHORT,
            "extent": ref("Extent"),
            "containersEnabled": _FLAGS,
            "creationMode": {
                "type": "string",
                "enum": ["empty", "fromiModelVersion", "fromBaseline"],
            },
        },
        "iTwinId",
        "name",
        additionalProperties=True,
    ),
    "iModelUpdate": _object(
        {
            "name": _NAME,
            "description": _SHORT,
            "extent": ref("Extent"),
            "containersEnabled": _FLAGS,
        },
        minProperties=1,
    ),
    "iTwinSummary": _object(_ITWIN_SUMMARY),
    "iTwin": _object(
        {
            **_ITWIN_SUMMARY,
            "geographicLocation": TEXT_OR_NULL,
            "latitude": _DEGREES_OR_NULL,
            "longitude": _DEGREES_OR_NULL,
            "ianaTimeZone": TEXT_OR_NULL,
            "dataCenterLocation": TEXT,
            "parentId": TEXT_OR_NULL,
            "iTwinAccountId": TEXT,
            "imageName": TEXT_OR_NULL,
            "image": TEXT_OR_NULL,
            "createdDateTime": MOMENT,
            "createdBy": TEXT,
            "lastModifiedDateTime": MOMENT_OR_NULL,
            "lastModifiedBy": TEXT_OR_NULL,
        }
    ),
    "iTwinsMinimal": _object(
        {"iTwins": _array("iTwinSummary"), "_links": ref("PagingLinks")}, "iTwins"
    ),
    "iTwinsRepresentation": _object(
        {"iTwins": _array("iTwin"), "_links": ref("PagingLinks")}, "iTwins"
    ),
    "iTwinSummaryResponse": _object({"iTwin": ref("iTwinSummary")}, "iTwin"),
    "iTwinResponse": _object({"iTwin": ref("iTwin")}, "iTwin"),
    "iTwinCreate": _object(
        {
            "class": {"type": "string", "enum": list[Json](sorted(set(CLASS_OF.values())))},
            "subClass": {"type": "string", "enum": list[Json](CLASS_OF)},
            **_ITWIN_CHANGE,
        },
        "class",
        "subClass",
        "displayName",
        additionalProperties=True,
        anyOf=[_kind_of(class_) for class_ in sorted(set(CLASS_OF.values()))],
    ),
    "iTwinUpdate": _object(_ITWIN_CHANGE, additionalProperties=True),
    "TagLinks": _object(
        {
            "iTwin": ref("Link"),
            "project": ref("Link"),
            "imodel": ref("Link"),
            "creator": ref("Link"),
        }
    ),
    "Tag": _object({"id": TEXT, "displayName": TEXT, "_links": ref("TagLinks")}),
    "TagResponse": _object({"tag": ref("Tag")}, "tag"),
    "TagsResponse": _object({"tags": _array("Tag"), "_links": ref("PagingLinks")}, "tags"),
    "TagCreate": _object(
        {"iTwinId": _PLAIN, "iModelId": _PLAIN, "displayName": _PLAIN},
        "displayName",
        additionalProperties=True,
    ),
    "TagUpdate": _object({"displayName": _PLAIN}, additionalProperties=True),
    "DetailedError": _object(
        {
            "code": TEXT,
            "message": TEXT,
            "target": TEXT_OR_NULL,
            "innerError": {"type": "object"},
        },
        "code",
        "message",
        additionalProperties=True,
    ),
    "Error": _object(
        {
            "code": TEXT,
            "message": TEXT,
            "target": TEXT_OR_NULL,
            "details": _array("DetailedError"),
        },
        "code",
        "message",
        additionalProperties=True,
    ),
    "ErrorResponse": _object({"error": ref("Error")}, "error"),
}
