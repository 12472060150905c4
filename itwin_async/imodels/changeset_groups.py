"""Changeset groups: changesets that are one logical change."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack

from itwin_async._arguments import text
from itwin_async._json.model import model
from itwin_async.imodels.api import api
from itwin_async.models import Id, Link
from itwin_async.paging import NumberedPaging, Pager
from itwin_async.session import Session


@model
class ChangesetGroupLinks:
    """Addresses of what belongs to a changeset group."""

    creator: Link | None = None


@model
class ChangesetGroup:
    """
    A group of changesets that are one logical change.

    Attributes:
        id: opaque id.
        description: free text.
        state: ``"inProgress"``, ``"completed"``, ``"timedOut"`` or ``"forciblyClosed"``; open set.
        creator_id: id of the user who made it.
        created_date_time: when it was made.
        links: addresses of what belongs to it.

    """

    id: str
    description: str | None = None
    state: str | None = None
    creator_id: str | None = None
    created_date_time: datetime | None = None
    links: ChangesetGroupLinks | None = None


LIST = api.list(
    "list_changeset_groups",
    "GET /{imodel_id}/changesetgroups",
    "Get iModel Changeset Groups",
    ChangesetGroup,
    key="changesetGroups",
    paging="skip",
)
GET = api.entity(
    "get_changeset_group",
    "GET /{imodel_id}/changesetgroups/{changeset_group_id}",
    "Get iModel Changeset Group",
    ChangesetGroup,
    key="changesetGroup",
)
CREATE = api.entity(
    "create_changeset_group",
    "POST /{imodel_id}/changesetgroups",
    "Create iModel Changeset Group",
    ChangesetGroup,
    key="changesetGroup",
)
CLOSE = api.entity(
    "close_changeset_group",
    "PATCH /{imodel_id}/changesetgroups/{changeset_group_id}",
    "Update iModel Changeset Group",
    ChangesetGroup,
    key="changesetGroup",
)


def list_changeset_groups(
    session: Session, imodel_id: Id, **paging: Unpack[NumberedPaging]
) -> Pager[ChangesetGroup]:
    """List the changeset groups of an iModel."""
    return LIST(session, {}, paging, imodel_id=imodel_id)


async def get_changeset_group(
    session: Session, imodel_id: Id, changeset_group_id: Id
) -> ChangesetGroup:
    """Get a changeset group."""
    return await GET(session, imodel_id=imodel_id, changeset_group_id=changeset_group_id)


async def create_changeset_group(
    session: Session, imodel_id: Id, description: str
) -> ChangesetGroup:
    """Make a changeset group; its id goes into ``create_changeset(group_id=...)``."""
    body = {"description": text("description", description)}
    return await CREATE(session, json=body, imodel_id=imodel_id)


async def close_changeset_group(
    session: Session, imodel_id: Id, changeset_group_id: Id
) -> ChangesetGroup:
    """Complete a changeset group."""
    body = {"state": "completed"}
    return await CLOSE(
        session, json=body, imodel_id=imodel_id, changeset_group_id=changeset_group_id
    )
