"""Saved views."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

import attrs

from itwin_async._arguments import flag, instance, invalid, text
from itwin_async._http.urls import guid
from itwin_async._json.codec import to_dict
from itwin_async.errors import ArgumentError
from itwin_async.models import UNSET, Id, Unset
from itwin_async.operations import Checks, changes, new, nullable
from itwin_async.paging import DetailPager, NumberedPaging
from itwin_async.saved_views.api import api
from itwin_async.saved_views.escapes import escaped, plain_name
from itwin_async.saved_views.extensions import created_with
from itwin_async.saved_views.models import Extension, SavedView, SavedViewData, SavedViewSummary
from itwin_async.saved_views.owners import owner
from itwin_async.session import Session

LIST = api.detail_list(
    "list_saved_views",
    "GET /",
    "Get All Saved Views",
    SavedViewSummary,
    SavedView,
    key="savedViews",
    paging="skip",
)
CREATE = api.entity("create_saved_view", "POST /", "Create Saved View", SavedView, key="savedView")
GET = api.entity(
    "get_saved_view",
    "GET /{saved_view_id}",
    "Get Saved View",
    SavedView,
    key="savedView",
    full=True,
)
UPDATE = api.entity(
    "update_saved_view",
    "PATCH /{saved_view_id}",
    "Update Saved View",
    SavedView,
    key="savedView",
)
DELETE = api.nothing("delete_saved_view", "DELETE /{saved_view_id}", "Delete Saved View")

_GET_MINIMAL = attrs.evolve(GET, full=False)


def _view(name: str, value: object) -> dict[str, object]:
    data = instance(name, value, SavedViewData, "a SavedViewData")
    given = to_dict(data)
    if len(given) != 1 or data.legacy_view is not None:
        raise invalid(name, data, "one of a 3D, a sheet and a drawing view, and nothing else")
    return escaped(given)


def _texts(name: str, value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise invalid(name, value, "several strings")
    return [text(name, one) for one in value]


def _extensions(name: str, value: object) -> list[dict[str, str]]:
    found = instance(name, value, Iterable, "Extension values")  # type: ignore[type-abstract]
    return [created_with(extension) for extension in found]


_MEMBERS: Checks = {
    "itwin_id": guid,
    "imodel_id": guid,
    "display_name": plain_name,
    "saved_view_data": _view,
    "group_id": nullable(text),
    "shared": flag,
    "tag_ids": _texts,
    "extensions": _extensions,
}


def list_saved_views(
    session: Session,
    *,
    itwin_id: Id | None = None,
    imodel_id: Id | None = None,
    group_id: str | None = None,
    **paging: Unpack[NumberedPaging],
) -> DetailPager[SavedViewSummary, SavedView]:
    """
    List the saved views of an iTwin, of an iModel of it, or of a group, ordered by name.

    At least one of ``itwin_id`` and ``group_id`` is needed; ``imodel_id`` needs ``itwin_id``. Whole
    views may be large: with ``.full()`` choose a small ``page_size``.
    """
    if itwin_id is None and imodel_id is not None:
        raise ArgumentError("imodel_id needs itwin_id", argument="imodel_id")
    query = owner(itwin_id, imodel_id)
    if group_id is not None:
        query["groupId"] = text("group_id", group_id)
    if not query:
        raise ArgumentError("give at least one of itwin_id, group_id", argument="itwin_id")
    return LIST(session, query, paging)


async def create_saved_view(
    session: Session,
    itwin_id: Id,
    display_name: str,
    saved_view_data: SavedViewData,
    *,
    imodel_id: Id | None = None,
    group_id: str | None = None,
    shared: bool | None = None,
    tag_ids: Iterable[str] | None = None,
    extensions: Iterable[Extension] | None = None,
) -> SavedView:
    """
    Create a saved view of one of the three kinds.

    The name must not contain any of ``<>&"'.``; in the data they are escaped.
    """
    body = new(
        _MEMBERS,
        {
            "itwin_id": itwin_id,
            "display_name": display_name,
            "saved_view_data": saved_view_data,
        },
        imodel_id=imodel_id,
        group_id=group_id,
        shared=shared,
        tag_ids=tag_ids,
        extensions=extensions,
    )
    return await CREATE(session, json=body)


async def get_saved_view(session: Session, saved_view_id: str, *, full: bool = True) -> SavedView:
    """Get a saved view; unless ``full``, its extensions come without their data."""
    get = GET if flag("full", full) else _GET_MINIMAL
    return await get(session, saved_view_id=saved_view_id)


async def update_saved_view(
    session: Session,
    saved_view_id: str,
    *,
    display_name: str | Unset = UNSET,
    saved_view_data: SavedViewData | Unset = UNSET,
    group_id: str | Unset | None = UNSET,
    shared: bool | Unset = UNSET,
    tag_ids: Iterable[str] | Unset = UNSET,
) -> SavedView:
    """
    Change members of a saved view, at least one, under the rules of ``create_saved_view``.

    ``tag_ids`` are all its tags afterwards. The views of an older service cannot be changed.
    """
    body = changes(
        _MEMBERS,
        display_name=display_name,
        saved_view_data=saved_view_data,
        group_id=group_id,
        shared=shared,
        tag_ids=tag_ids,
    )
    return await UPDATE(session, saved_view_id=saved_view_id, json=body)


async def delete_saved_view(session: Session, saved_view_id: str) -> None:
    """Delete a saved view, with its pictures."""
    await DELETE(session, saved_view_id=saved_view_id)
