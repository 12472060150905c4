"""The schemas of the Saved Views API."""

from __future__ import annotations

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform.schemas import (
    FLAG,
    LINK,
    MOMENT,
    TEXT,
    TEXT_OR_NULL,
    arrays,
    define,
    each,
    objects,
)

_NO_FORBIDDEN: JsonObject = {"pattern": "^[^<>&\"'.]*$"}
ALLOWED = _NO_FORBIDDEN  # without a type: of texts only
PLAIN: JsonObject = {"type": "string", **_NO_FORBIDDEN}
PLAIN_OR_NULL: JsonObject = {**PLAIN, "nullable": True}
FLAG_OR_NULL: JsonObject = {**FLAG, "nullable": True}
_NAME: JsonObject = {**PLAIN, "minLength": 1}

# Any JSON, in whose texts, however deep, no forbidden character is; keys may have them.
_VALUE_REF: JsonObject = {"$ref": "#/components/schemas/SavedViewValue"}
_VALUE = define(
    "SavedViewValue",
    {**_NO_FORBIDDEN, "nullable": True, "items": _VALUE_REF, "additionalProperties": _VALUE_REF},
)
_NUMBER: JsonObject = {"type": "number"}


def _point(size: int) -> JsonObject:
    return {**arrays(_NUMBER), "minItems": size, "maxItems": size}


def _open(properties: JsonObject, *required: str) -> JsonObject:
    return objects(properties, *required, nullable=True, additionalProperties=_VALUE)


_ANGLE: JsonObject = {"type": "number", "nullable": True}
_IDS: JsonObject = {**arrays(PLAIN), "nullable": True}
_SELECTION = define("SavedViewSelection", _open(each(_IDS, "enabled disabled")))
_VIEW_3D = define(
    "SavedView3d",
    objects(
        {
            "origin": _point(3),
            "extents": _point(3),
            "angles": _open(each(_ANGLE, "yaw pitch roll")),
            "camera": _open(
                {**each(_NUMBER, "lens focusDist"), "eye": _point(3)}, "lens", "focusDist", "eye"
            ),
            **each(_SELECTION, "categories models"),
            **each(_open({}), "displayStyle viewDetails"),
        },
        "origin",
        "extents",
        additionalProperties=_VALUE,
    ),
)
_VIEW_2D = define(
    "SavedView2d",
    objects(
        {
            "baseModelId": PLAIN,
            **each(_point(2), "origin delta"),
            "angle": _NUMBER,
            "categories": _SELECTION,
            **each(_open({}), "displayStyle viewDetails"),
        },
        "baseModelId",
        "origin",
        "delta",
        "angle",
        additionalProperties=_VALUE,
    ),
)
_DATA = define(
    "SavedViewDataGiven",
    objects(
        {"itwin3dView": _VIEW_3D, **each(_VIEW_2D, "itwinSheetView itwinDrawingView")},
        minProperties=1,
        maxProperties=1,
    ),
)
_EXTENSION_GIVEN: JsonObject = {
    "extensionName": _NAME,
    **each(TEXT, "data"),
    **each(TEXT_OR_NULL, "markdownUrl schemaUrl"),
}
EXTENSION_PUT = define(
    "ExtensionCreate",
    objects(_EXTENSION_GIVEN, "extensionName", "data", additionalProperties=ALLOWED),
)
_CHANGE: JsonObject = {
    "savedViewData": _DATA,
    "displayName": PLAIN,
    "groupId": PLAIN_OR_NULL,
    "shared": FLAG_OR_NULL,
    "tagIds": {**arrays(PLAIN), "nullable": True},
}
VIEW_CREATE = define(
    "SavedViewCreate",
    objects(
        {
            "iTwinId": PLAIN,
            "iModelId": PLAIN_OR_NULL,
            **_CHANGE,
            "extensions": {**arrays(EXTENSION_PUT), "nullable": True},
        },
        "iTwinId",
        "savedViewData",
        "displayName",
        additionalProperties=ALLOWED,
    ),
)
VIEW_UPDATE = define("SavedViewUpdate", objects(_CHANGE, additionalProperties=ALLOWED))
IMAGE_PUT = define(
    "ImageUpdate",
    objects(
        {
            "image": {
                "type": "string",
                "format": "base64Image",
                "pattern": "^data:image/(png|jpeg);base64,[A-Za-z0-9+/]+={0,2}$",
            }
        },
        "image",
        additionalProperties=ALLOWED,
    ),
)
GROUP_CREATE = define(
    "GroupCreate",
    objects(
        {
            **each(PLAIN, "iTwinId displayName"),
            "iModelId": PLAIN_OR_NULL,
            **each(FLAG_OR_NULL, "shared readOnly"),
        },
        "iTwinId",
        "displayName",
        additionalProperties=ALLOWED,
    ),
)
GROUP_UPDATE = define(
    "GroupUpdate",
    objects(
        {"displayName": PLAIN, **each(FLAG_OR_NULL, "shared readOnly")},
        additionalProperties=ALLOWED,
    ),
)

GROUP = define(
    "Group",
    objects(
        {
            **each(TEXT, "id displayName"),
            **each(FLAG, "shared readOnly"),
            "_links": define("GroupLinks", objects(each(LINK, "savedViews iTwin imodel creator"))),
        }
    ),
)
_EXTENSION_LINKS = define("ExtensionLinks", objects(each(LINK, "savedView iTwin imodel")))
EXTENSION = define(
    "Extension",
    objects(
        {
            "extensionName": TEXT,
            **each(TEXT_OR_NULL, "markdownUrl schemaUrl"),
            "data": {"description": "JSON as text; inside of a saved view as it is."},
            "_links": _EXTENSION_LINKS,
        }
    ),
)
EXTENSION_LINK = define("ExtensionLink", objects(each(TEXT, "extensionName href")))
_TAG = define("TagOfView", objects(each(TEXT, "id displayName")))
_VIEW_LINKS = define(
    "SavedViewLinks", objects(each(LINK, "iTwin imodel creator group image thumbnail"))
)
_SUMMARY: JsonObject = {
    **each(TEXT, "id displayName"),
    "shared": FLAG,
    **each(MOMENT, "creationTime lastModified"),
    "tags": arrays(_TAG),
    "extensions": arrays(EXTENSION_LINK),
    "_links": _VIEW_LINKS,
}
_ANY_DATA: JsonObject = {"savedViewData": {"type": "object", "additionalProperties": True}}
VIEW_SUMMARY = define("SavedViewSummary", objects(_SUMMARY))
VIEW_MINIMAL = define("SavedViewMinimal", objects({**_SUMMARY, **_ANY_DATA}))
VIEW = define("SavedView", objects({**_SUMMARY, **_ANY_DATA, "extensions": arrays(EXTENSION)}))
HREF = define("ImageResponse", objects({"href": TEXT}, "href"))
