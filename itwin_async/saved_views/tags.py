"""Tags, which organize saved views."""

from __future__ import annotations

from itwin_async.models import Id
from itwin_async.paging import Pager
from itwin_async.saved_views.api import api
from itwin_async.saved_views.escapes import plain_name
from itwin_async.saved_views.models import Tag
from itwin_async.saved_views.owners import owner
from itwin_async.session import Session

LIST = api.list("list_tags", "GET /tags", "Get All Tags", Tag, key="tags", paging="none")
CREATE = api.entity("create_tag", "POST /tags", "Create Tag", Tag, key="tag")
GET = api.entity("get_tag", "GET /tags/{tag_id}", "Get Tag", Tag, key="tag")
UPDATE = api.entity("update_tag", "PATCH /tags/{tag_id}", "Update Tag", Tag, key="tag")
DELETE = api.nothing("delete_tag", "DELETE /tags/{tag_id}", "Delete Tag")


def list_tags(
    session: Session,
    *,
    itwin_id: Id | None = None,
    imodel_id: Id | None = None,
    cursor: str | None = None,
) -> Pager[Tag]:
    """List the tags of an iTwin or iModel; the platform gives them in one page."""
    return LIST(session, owner(itwin_id, imodel_id), {"cursor": cursor})


async def create_tag(
    session: Session,
    display_name: str,
    *,
    itwin_id: Id | None = None,
    imodel_id: Id | None = None,
) -> Tag:
    """
    Create a tag; retried only where the first request surely did nothing.

    The name must not contain any of ``<>&"'.``. What a tag without both ids belongs to is not
    documented.
    """
    body = {**owner(itwin_id, imodel_id), "displayName": plain_name("display_name", display_name)}
    return await CREATE(session, json=body)


async def get_tag(session: Session, tag_id: str) -> Tag:
    """Get a tag."""
    return await GET(session, tag_id=tag_id)


async def update_tag(session: Session, tag_id: str, *, display_name: str) -> Tag:
    """Rename a tag, under the rules of ``create_tag``."""
    body = {"displayName": plain_name("display_name", display_name)}
    return await UPDATE(session, tag_id=tag_id, json=body)


async def delete_tag(session: Session, tag_id: str) -> None:
    """Delete a tag."""
    await DELETE(session, tag_id=tag_id)
