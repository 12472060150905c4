"""Groups of saved views."""

from __future__ import annotations

from itwin_async._arguments import flag
from itwin_async._http.urls import guid
from itwin_async.models import UNSET, Id, Unset
from itwin_async.operations import Checks, changes, new
from itwin_async.paging import Pager
from itwin_async.saved_views.api import api
from itwin_async.saved_views.escapes import plain_name
from itwin_async.saved_views.models import Group
from itwin_async.saved_views.owners import owner
from itwin_async.session import Session

LIST = api.list("list_groups", "GET /groups", "Get All Groups", Group, key="groups", paging="none")
CREATE = api.entity("create_group", "POST /groups", "Create Group", Group, key="group")
GET = api.entity("get_group", "GET /groups/{group_id}", "Get Group", Group, key="group")
UPDATE = api.entity("update_group", "PATCH /groups/{group_id}", "Update Group", Group, key="group")
DELETE = api.nothing("delete_group", "DELETE /groups/{group_id}", "Delete Group")

_MEMBERS: Checks = {
    "itwin_id": guid,
    "imodel_id": guid,
    "display_name": plain_name,
    "shared": flag,
    "read_only": flag,
}


def list_groups(
    session: Session,
    *,
    itwin_id: Id | None = None,
    imodel_id: Id | None = None,
    cursor: str | None = None,
) -> Pager[Group]:
    """List the groups of an iTwin or iModel; the platform gives them in one page."""
    return LIST(session, owner(itwin_id, imodel_id), {"cursor": cursor})


async def create_group(
    session: Session,
    itwin_id: Id,
    display_name: str,
    *,
    imodel_id: Id | None = None,
    shared: bool | None = None,
    read_only: bool | None = None,
) -> Group:
    """
    Create a group.

    The name must not contain any of ``<>&"'.``. ``read_only`` is not documented, but sent by the
    platform's own client.
    """
    body = new(
        _MEMBERS,
        {"itwin_id": itwin_id, "display_name": display_name},
        imodel_id=imodel_id,
        shared=shared,
        read_only=read_only,
    )
    return await CREATE(session, json=body)


async def get_group(session: Session, group_id: str) -> Group:
    """Get a group."""
    return await GET(session, group_id=group_id)


async def update_group(
    session: Session,
    group_id: str,
    *,
    display_name: str | Unset = UNSET,
    shared: bool | Unset = UNSET,
    read_only: bool | Unset = UNSET,
) -> Group:
    """Change members of a group, at least one, under the rules of ``create_group``."""
    body = changes(_MEMBERS, display_name=display_name, shared=shared, read_only=read_only)
    return await UPDATE(session, group_id=group_id, json=body)


async def delete_group(session: Session, group_id: str) -> None:
    """Delete a group; its saved views stay."""
    await DELETE(session, group_id=group_id)
