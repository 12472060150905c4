"""Tags, which organize saved views."""

from __future__ import annotations

from itwin_async._arguments import text
from itwin_async._http.urls import guid, segment
from itwin_async.errors import ArgumentError
from itwin_async.listing import Listing
from itwin_async.paging import Pager
from itwin_async.saved_views.models import Tag
from itwin_async.session import Session

ACCEPT = "application/vnd.bentley.itwin-platform.v1+json"

_FORBIDDEN = "<>&\"'."


async def create_tag(
    session: Session,
    display_name: str,
    *,
    itwin_id: str | None = None,
    imodel_id: str | None = None,
) -> Tag:
    """
    Create a tag; repeated by itself only where the first request surely did nothing.

    Calls "Create Tag", ``POST /savedviews/tags``. What a tag without both ids belongs to is not
    documented.

    Args:
        session: the session.
        display_name: name, without any of ``<``, ``>``, ``&``, ``"``, ``'`` and ``.``.
        itwin_id: GUID of the iTwin that it belongs to.
        imodel_id: GUID of the iModel that it belongs to.

    Returns:
        The tag.

    Raises:
        ArgumentError: an argument is not what the platform accepts.
        PermissionDeniedError: the user may not create tags there.
        ITwinError: as ``Session.request``.

    """
    body = {**_owner(itwin_id, imodel_id), "displayName": _name(display_name)}
    return await session.fetch(Tag, "tag", "POST", "/savedviews/tags", accept=ACCEPT, json=body)


async def get_tag(session: Session, tag_id: str) -> Tag:
    """
    Get a tag.

    Calls "Get Tag", ``GET /savedviews/tags/{tagId}``.

    Args:
        session: the session.
        tag_id: id of the tag.

    Returns:
        The tag.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such tag.
        ITwinError: as ``Session.request``.

    """
    return await session.fetch(Tag, "tag", "GET", _path(tag_id), accept=ACCEPT)


def list_tags(
    session: Session,
    *,
    itwin_id: str | None = None,
    imodel_id: str | None = None,
    cursor: str | None = None,
) -> Pager[Tag]:
    """
    List the tags of an iTwin or iModel; the platform gives them in one page.

    Calls "Get All Tags", ``GET /savedviews/tags``.

    Args:
        session: the session.
        itwin_id: GUID of the iTwin.
        imodel_id: GUID of the iModel.
        cursor: where to go on.

    Returns:
        A pager; nothing is requested yet.

    Raises:
        ArgumentError: an argument is not what the platform accepts.

    """
    listing = Listing(
        operation="saved_views.list_tags",
        path="/savedviews/tags",
        query=tuple(_owner(itwin_id, imodel_id).items()),
        key="tags",
        item=Tag,
        accept=ACCEPT,
    )
    return Pager(session, listing, cursor=cursor)


async def update_tag(session: Session, tag_id: str, *, display_name: str) -> Tag:
    """
    Rename a tag.

    Calls "Update Tag", ``PATCH /savedviews/tags/{tagId}``.

    Args:
        session: the session.
        tag_id: id of the tag.
        display_name: new name, under the rules of ``create_tag``.

    Returns:
        The tag as it is now.

    Raises:
        ArgumentError: an argument is not what the platform accepts.
        NotFoundError: there is no such tag.
        ITwinError: as ``Session.request``.

    """
    body = {"displayName": _name(display_name)}
    return await session.fetch(Tag, "tag", "PATCH", _path(tag_id), accept=ACCEPT, json=body)


async def delete_tag(session: Session, tag_id: str) -> None:
    """
    Delete a tag.

    Calls "Delete Tag", ``DELETE /savedviews/tags/{tagId}``.

    Args:
        session: the session.
        tag_id: id of the tag.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such tag.
        ITwinError: as ``Session.request``.

    """
    await session.request("DELETE", _path(tag_id), accept=ACCEPT)


def _path(tag_id: str) -> str:
    return f"/savedviews/tags/{segment('tag_id', tag_id)}"


def _owner(itwin_id: str | None, imodel_id: str | None) -> dict[str, str]:
    given = {"iTwinId": ("itwin_id", itwin_id), "iModelId": ("imodel_id", imodel_id)}
    return {wire: guid(name, value) for wire, (name, value) in given.items() if value is not None}


def _name(value: object) -> str:
    name = text("display_name", value)
    found = sorted(set(name) & set(_FORBIDDEN))
    if found:
        raise ArgumentError(
            "display_name", name, f"a text without any of {' '.join(_FORBIDDEN)}, found {found[0]}"
        )
    return name
