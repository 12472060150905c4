"""Extensions, which hold what features of applications add to saved views."""

from __future__ import annotations

import json
from collections.abc import Mapping

from itwin_async._arguments import instance, invalid, text
from itwin_async._http.urls import new_id
from itwin_async.paging import Pager
from itwin_async.saved_views.api import api
from itwin_async.saved_views.models import Extension
from itwin_async.session import Session

_ALL = "/{saved_view_id}/extensions"
_ONE = f"{_ALL}/{{extension_name}}"

LIST = api.list(
    "list_extensions",
    f"GET {_ALL}",
    "Get All Extensions",
    Extension,
    key="extensions",
    paging="none",
)
CREATE = api.entity(
    "create_extension", f"PUT {_ALL}", "Create Extension", Extension, key="extension"
)
GET = api.entity("get_extension", f"GET {_ONE}", "Get Extension", Extension, key="extension")
DELETE = api.nothing("delete_extension", f"DELETE {_ONE}", "Delete Extension")


def list_extensions(
    session: Session, saved_view_id: str, *, cursor: str | None = None
) -> Pager[Extension]:
    """List the extensions of a saved view: their names and addresses, without data."""
    return LIST(session, {}, {"cursor": cursor}, saved_view_id=saved_view_id)


async def create_extension(
    session: Session, saved_view_id: str, extension_name: str, data: Mapping[str, object] | str
) -> Extension:
    """
    Add an extension to a saved view; a mapping is sent as JSON text, a text as it is.

    The platform accepts a few names only. Whether it replaces an extension that is there already is
    not documented; the platform's own viewer expects so.
    """
    body = {
        "extensionName": new_id("extension_name", extension_name),
        "data": json_text("data", data),
    }
    return await CREATE(session, saved_view_id=saved_view_id, json=body)


async def get_extension(session: Session, saved_view_id: str, extension_name: str) -> Extension:
    """Get an extension with its data."""
    return await GET(session, saved_view_id=saved_view_id, extension_name=extension_name)


async def delete_extension(session: Session, saved_view_id: str, extension_name: str) -> None:
    """Delete an extension."""
    await DELETE(session, saved_view_id=saved_view_id, extension_name=extension_name)


def created_with(value: object) -> dict[str, str]:
    """Write an extension that is created with its saved view."""
    extension = instance("extensions", value, Extension, "Extension values")
    body = {
        "extensionName": new_id("extension_name", extension.extension_name),
        "data": json_text("data", extension.data),
    }
    urls = {"markdownUrl": extension.markdown_url, "schemaUrl": extension.schema_url}
    return body | {name: text(name, url) for name, url in urls.items() if url is not None}


def json_text(name: str, value: object) -> str:
    """Write JSON as text; a text stays as it is."""
    if isinstance(value, str):
        return text(name, value)
    try:
        if isinstance(value, Mapping | list):
            return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        pass
    raise invalid(name, value, "JSON, or a text of it")
