"""Exports of very many iTwins to a file; technology preview of the platform."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypeAlias, get_args

import attrs

from itwin_async._arguments import flag, text
from itwin_async._json.model import model
from itwin_async.itwins.api import api
from itwin_async.itwins.filters import SubClass, sub_classes
from itwin_async.itwins.itwins import member_names
from itwin_async.models import Id
from itwin_async.operations import Checks, choice, new, wait_for_end
from itwin_async.paging import Pager
from itwin_async.session import Session

OutputFormat: TypeAlias = Literal["JsonGZip", "JsonZipArchive", "CsvGZip", "Csv"]
ExportScope: TypeAlias = Literal["MemberOfiTwin", "OrganizationAdmin"]


@model
class ExportRequest:
    """
    What an export was asked for.

    Attributes:
        output_format: ``"JsonGZip"``, ``"JsonZipArchive"``, ``"CsvGZip"`` or ``"Csv"``.
        query_scope: ``"MemberOfiTwin"`` or ``"OrganizationAdmin"``.
        sub_class: sub-classes with commas.
        select: members with commas.
        filter: OData expression.
        include_inactive: whether inactive iTwins are in it.

    """

    output_format: str | None = None
    query_scope: str | None = None
    sub_class: str | None = None
    select: str | None = None
    filter: str | None = None
    include_inactive: bool | None = None


@model
class Export:
    """
    An export of iTwins to a file.

    Attributes:
        id: id of the export.
        request: what it was asked for.
        status: ``"Queued"``, ``"InProgress"``, ``"Completed"`` or ``"Failed"``; open set.
        output_url: signed address of the file, to be fetched without a token; once completed.
        created_by: id of the user who asked for it.
        created_date_time: when it was asked for.
        started_date_time: when it was begun.
        completed_date_time: when it ended.

    """

    id: str
    request: ExportRequest | None = None
    status: str | None = None
    output_url: str | None = attrs.field(default=None, repr=False)
    created_by: str | None = None
    created_date_time: datetime | None = None
    started_date_time: datetime | None = None
    completed_date_time: datetime | None = None


CREATE = api.entity(
    "create_export", "POST /exports", "Create Export", Export, key="export", own_limit=True
)
LIST = api.list(
    "list_exports", "GET /exports", "Get My Exports", Export, key="exports", paging="none"
)
GET = api.entity("get_export", "GET /exports/{export_id}", "Get Export", Export, key="export")

_MEMBERS: Checks = {
    "output_format": choice(*get_args(OutputFormat)),
    "query_scope": choice(*get_args(ExportScope)),
    "sub_class": sub_classes,
    "select": lambda name, value: ",".join(member_names(name, value)),
    "filter": text,
    "include_inactive": flag,
}


async def create_export(
    session: Session,
    output_format: OutputFormat,
    *,
    query_scope: ExportScope | None = None,
    sub_class: SubClass | Iterable[SubClass] | None = None,
    select: str | Iterable[str] | None = None,
    filter: str | None = None,  # noqa: A002 - the platform's word
    include_inactive: bool | None = None,
) -> Export:
    """
    Start an export of iTwins; ``wait_for_export`` waits for its end.

    The platform allows one unfinished export of a user and three an hour, and keeps a file for four
    hours. ``select`` is by default the members of a summary.
    """
    body = new(
        _MEMBERS,
        {"output_format": output_format},
        query_scope=query_scope,
        sub_class=sub_class,
        select=select,
        filter=filter,
        include_inactive=include_inactive,
    )
    return await CREATE(session, json=body)


def list_exports(session: Session, *, cursor: str | None = None) -> Pager[Export]:
    """List the calling user's exports of the last four hours, newest first."""
    return LIST(session, {}, {"cursor": cursor})


async def get_export(session: Session, export_id: Id) -> Export:
    """Get an export; only who made it can, and with the same client id."""
    return await GET(session, export_id=export_id)


async def wait_for_export(
    session: Session,
    export_id: Id,
    *,
    timeout: float = 3600.0,  # noqa: ASYNC109
    poll: float = 5.0,
) -> Export:
    """
    Wait until an export is completed; its ``output_url`` is the file.

    Args:
        session: of the user who made it.
        export_id: id of the export.
        timeout: how long to wait, in seconds.
        poll: seconds between two questions.

    Raises:
        OperationFailedError: it failed.
        TransportError: it has not ended in time.

    """
    return await wait_for_end(
        session,
        lambda: get_export(session, export_id),
        lambda export: export.status,
        succeeded={"Completed"},
        failed={"Failed"},
        what="Export",
        id=str(export_id),
        timeout=timeout,
        poll=poll,
    )
