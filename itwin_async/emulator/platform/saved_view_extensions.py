"""How extensions of saved views are read and shown."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

import msgspec

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.world.records import owner_links
from itwin_async.emulator.world.saved_views import SavedViewExtensionRecord, SavedViewRecord


def extension_of(content: JsonObject) -> SavedViewExtensionRecord:
    """Return an extension from a body that was checked."""
    return SavedViewExtensionRecord(
        id=str(content["extensionName"]),
        data=str(content["data"]),
        markdown_url=cast("str | None", content.get("markdownUrl")),
        schema_url=cast("str | None", content.get("schemaUrl")),
    )


def extension_link(extension: SavedViewExtensionRecord, view_id: str, origin: str) -> JsonObject:
    """Return the name and address of an extension."""
    return {"extensionName": extension.id, "href": _href(extension, view_id, origin)}


def shown_extension(
    extension: SavedViewExtensionRecord,
    view: SavedViewRecord,
    origin: str,
    *,
    parsed: bool = False,
) -> JsonObject:
    """Return an extension; its data as text or, as inside of saved views, as JSON."""
    links = owner_links(origin, view.itwin_id, view.imodel_id, view.creator_id)
    links.pop("creator", None)
    return {
        "extensionName": extension.id,
        "markdownUrl": extension.markdown_url,
        "schemaUrl": extension.schema_url,
        "data": _parsed(extension.data) if parsed else extension.data,
        "_links": {"savedView": {"href": f"{origin}/savedviews/{view.id}"}, **links},
    }


def _href(extension: SavedViewExtensionRecord, view_id: str, origin: str) -> str:
    return f"{origin}/savedviews/{view_id}/extensions/{quote(extension.id, safe='')}"


def _parsed(data: str) -> Json:
    try:
        found: Json = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return data
    return found
