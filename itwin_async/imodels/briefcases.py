"""Briefcases: the local copies in which users change an iModel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._arguments import text
from itwin_async._json.model import model
from itwin_async.imodels._arguments import id_or_number
from itwin_async.imodels.api import api
from itwin_async.imodels.models import Application
from itwin_async.models import Id, Link
from itwin_async.operations import Checks, new, orders, query
from itwin_async.paging import DetailPager, NumberedPaging
from itwin_async.session import Session

BriefcaseOrder: TypeAlias = Literal[
    "acquiredDateTime", "acquiredDateTime asc", "acquiredDateTime desc"
]


@model
class BriefcaseSummary:
    """
    A briefcase as lists give it.

    Attributes:
        id: its number, as text.
        display_name: name to show.

    """

    id: str
    display_name: str | None = None


@model
class BriefcaseLinks:
    """Addresses of what belongs to a briefcase."""

    owner: Link | None = None
    checkpoint: Link | None = None


@model
class Briefcase(BriefcaseSummary):
    """
    A briefcase.

    Attributes:
        briefcase_id: its number.
        owner_id: id of the user who acquired it.
        acquired_date_time: when it was acquired.
        file_size: size in bytes.
        device_name: the computer that it is on, as the owner named it.
        application: what acquired it.
        links: addresses of what belongs to it.

    """

    briefcase_id: int | None = None
    owner_id: str | None = None
    acquired_date_time: datetime | None = None
    file_size: int | None = None
    device_name: str | None = None
    application: Application | None = None
    links: BriefcaseLinks | None = None


LIST = api.detail_list(
    "list_briefcases",
    "GET /{imodel_id}/briefcases",
    "Get iModel Briefcases",
    BriefcaseSummary,
    Briefcase,
    key="briefcases",
    paging="both",
)
GET = api.entity(
    "get_briefcase",
    "GET /{imodel_id}/briefcases/{briefcase_id}",
    "Get iModel Briefcase",
    Briefcase,
    key="briefcase",
)
ACQUIRE = api.entity(
    "acquire_briefcase",
    "POST /{imodel_id}/briefcases",
    "Acquire iModel Briefcase",
    Briefcase,
    key="briefcase",
    own_limit=True,
)
RELEASE = api.nothing(
    "release_briefcase",
    "DELETE /{imodel_id}/briefcases/{briefcase_id}",
    "Release iModel Briefcase",
)

_QUERY: Checks = {"owner_id": text, "$orderBy": orders(*get_args(BriefcaseOrder))}


def list_briefcases(
    session: Session,
    imodel_id: Id,
    *,
    owner_id: Id | None = None,
    order_by: BriefcaseOrder | Sequence[BriefcaseOrder] | None = None,
    **paging: Unpack[NumberedPaging],
) -> DetailPager[BriefcaseSummary, Briefcase]:
    """List the briefcases of an iModel; ``owner_id="me"`` stands for the caller's."""
    chosen = query(_QUERY, owner_id=owner_id, order_by=order_by)
    return LIST(session, chosen, paging, imodel_id=imodel_id)


async def get_briefcase(session: Session, imodel_id: Id, briefcase_id: int | str) -> Briefcase:
    """Get a briefcase."""
    number = id_or_number("briefcase_id", briefcase_id)
    return await GET(session, imodel_id=imodel_id, briefcase_id=number)


async def acquire_briefcase(
    session: Session, imodel_id: Id, *, device_name: str | None = None
) -> Briefcase:
    """
    Acquire a briefcase for the caller.

    The platform allows a user 100 briefcases, and 100 calls a minute.
    """
    body = new({"device_name": text}, {}, device_name=device_name)
    return await ACQUIRE(session, json=body or None, imodel_id=imodel_id)


async def release_briefcase(session: Session, imodel_id: Id, briefcase_id: int | str) -> None:
    """
    Give a briefcase back; one of another user needs the permission ``imodels_manage``.

    Whether its locks go with it is not documented; ``release_all_locks`` frees them before.
    """
    number = id_or_number("briefcase_id", briefcase_id)
    await RELEASE(session, imodel_id=imodel_id, briefcase_id=number)
