"""Named versions: changesets that stand out, with a name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._arguments import text
from itwin_async._json.model import model
from itwin_async.imodels._arguments import hexadecimal, short_name, short_text
from itwin_async.imodels.api import api
from itwin_async.imodels.models import Application
from itwin_async.models import UNSET, Id, Link, Unset
from itwin_async.operations import Checks, changes, choice, new, nullable, orders, query
from itwin_async.paging import DetailPager, NumberedPaging
from itwin_async.session import Session

NamedVersionState: TypeAlias = Literal["visible", "hidden"]
NamedVersionOrder: TypeAlias = Literal[
    "changesetIndex",
    "changesetIndex asc",
    "changesetIndex desc",
    "createdDateTime",
    "createdDateTime asc",
    "createdDateTime desc",
]


@model
class NamedVersionSummary:
    """
    A named version as lists give it.

    Attributes:
        id: GUID of the named version.
        display_name: name to show.
        changeset_id: id of its changeset; ``None`` on the baseline.
        changeset_index: index of its changeset; 0 on the baseline.

    """

    id: str
    display_name: str | None = None
    changeset_id: str | None = None
    changeset_index: int | None = None


@model
class NamedVersionLinks:
    """Addresses of what belongs to a named version."""

    creator: Link | None = None
    changeset: Link | None = None


@model
class NamedVersion(NamedVersionSummary):
    """
    A named version.

    Attributes:
        name: name, unique in the iModel.
        description: free text.
        created_date_time: when it was made.
        state: ``"visible"`` or ``"hidden"``; open set.
        application: what made it.
        links: addresses of what belongs to it.

    """

    name: str | None = None
    description: str | None = None
    created_date_time: datetime | None = None
    state: str | None = None
    application: Application | None = None
    links: NamedVersionLinks | None = None


LIST = api.detail_list(
    "list_named_versions",
    "GET /{imodel_id}/namedversions",
    "Get iModel Named Versions",
    NamedVersionSummary,
    NamedVersion,
    key="namedVersions",
    paging="both",
)
GET = api.entity(
    "get_named_version",
    "GET /{imodel_id}/namedversions/{named_version_id}",
    "Get iModel Named Version",
    NamedVersion,
    key="namedVersion",
)
CREATE = api.entity(
    "create_named_version",
    "POST /{imodel_id}/namedversions",
    "Create iModel Named Version",
    NamedVersion,
    key="namedVersion",
)
UPDATE = api.entity(
    "update_named_version",
    "PATCH /{imodel_id}/namedversions/{named_version_id}",
    "Update iModel Named Version",
    NamedVersion,
    key="namedVersion",
)

_MEMBERS: Checks = {
    "name": short_name,
    "description": nullable(short_text),
    "changeset_id": hexadecimal,
    "state": choice(*get_args(NamedVersionState)),
}
_QUERY: Checks = {
    **_MEMBERS,
    "$search": text,
    "$orderBy": orders(*get_args(NamedVersionOrder)),
}


def list_named_versions(
    session: Session,
    imodel_id: Id,
    *,
    search: str | None = None,
    name: str | None = None,
    state: NamedVersionState | None = None,
    order_by: NamedVersionOrder | Sequence[NamedVersionOrder] | None = None,
    **paging: Unpack[NumberedPaging],
) -> DetailPager[NamedVersionSummary, NamedVersion]:
    """
    List the named versions of an iModel, hidden ones too.

    Args:
        session: the session.
        imodel_id: id of the iModel.
        search: only those with this text in their name or description.
        name: only the one of exactly this name.
        state: only those in this state.
        order_by: one order, or several of falling weight.
        paging: how the list is walked.

    """
    chosen = query(_QUERY, search=search, name=name, state=state, order_by=order_by)
    return LIST(session, chosen, paging, imodel_id=imodel_id)


async def get_named_version(session: Session, imodel_id: Id, named_version_id: Id) -> NamedVersion:
    """Get a named version."""
    return await GET(session, imodel_id=imodel_id, named_version_id=named_version_id)


async def create_named_version(
    session: Session,
    imodel_id: Id,
    name: str,
    *,
    description: str | None = None,
    changeset_id: str | None = None,
) -> NamedVersion:
    """Name a changeset, which has no name yet; without ``changeset_id`` the baseline."""
    body = new(_MEMBERS, {"name": name}, description=description, changeset_id=changeset_id)
    return await CREATE(session, json=body, imodel_id=imodel_id)


async def update_named_version(
    session: Session,
    imodel_id: Id,
    named_version_id: Id,
    *,
    name: str | Unset = UNSET,
    description: str | Unset | None = UNSET,
    state: NamedVersionState | Unset = UNSET,
) -> NamedVersion:
    """Change at least one of a named version's name, description and state."""
    body = changes(_MEMBERS, name=name, description=description, state=state)
    return await UPDATE(session, json=body, imodel_id=imodel_id, named_version_id=named_version_id)
