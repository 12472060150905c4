"""Changesets: the changes of an iModel, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import IntFlag
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._arguments import instance, invalid, text, whole
from itwin_async._json.codec import to_dict
from itwin_async._json.model import model
from itwin_async.imodels._arguments import (
    briefcase,
    hexadecimal,
    hexadecimal_or_empty,
    id_or_number,
    natural,
    short_text,
)
from itwin_async.imodels.api import api
from itwin_async.imodels.models import Application, StorageLink
from itwin_async.models import Id, Link
from itwin_async.operations import Checks, new, orders, query
from itwin_async.paging import DetailPager, NumberedPaging
from itwin_async.session import Session

ChangesetOrder: TypeAlias = Literal["index", "index asc", "index desc"]


class ContainingChanges(IntFlag):
    """The bits of a changeset's ``containing_changes``; none of them for regular changes."""

    SCHEMA = 1
    DEFINITION = 2
    SPATIAL_DATA = 4
    SHEETS_AND_DRAWINGS = 8
    VIEWS_AND_MODELS = 16
    GLOBAL_PROPERTIES = 32
    SCHEMA_SYNC = 64


@model
class SynchronizationInfo:
    """
    The synchronization run that made a changeset.

    Attributes:
        task_id: id of the run.
        changed_files: names of the files that it took in.

    """

    task_id: str | None = None
    changed_files: list[str] | None = None


@model
class ChangesetLinks:
    """
    Addresses of what belongs to a changeset; lists of summaries give the first two.

    Attributes:
        self_: the changeset.
        creator: the user who made it.
        named_version: the named version on it.
        current_or_preceding_checkpoint: the nearest checkpoint that is not after it.
        download: its file; absent without the permission ``imodels_read``.
        upload: where its file is sent; only after ``create_changeset``.
        complete: what ``complete_changeset`` calls afterwards.

    """

    self_: Link | None = None
    creator: Link | None = None
    named_version: Link | None = None
    current_or_preceding_checkpoint: Link | None = None
    download: StorageLink | None = None
    upload: StorageLink | None = None
    complete: Link | None = None


@model
class ChangesetSummary:
    """
    A changeset as lists give it.

    Attributes:
        id: 40 hexadecimal digits.
        display_name: name to show.
        description: free text.
        index: its place in the history, growing from 1, not necessarily without gaps.
        parent_id: id of the changeset before; empty for the first.
        creator_id: id of the user who made it.
        push_date_time: when it was pushed.
        state: ``"waitingForFile"`` or ``"fileUploaded"``; open set.
        containing_changes: bit set, see ``ContainingChanges``.
        file_size: size in bytes.
        briefcase_id: number of the briefcase that it was made in.
        group_id: id of the changeset group that it belongs to.
        links: addresses of what belongs to it.

    """

    id: str
    display_name: str | None = None
    description: str | None = None
    index: int | None = None
    parent_id: str | None = None
    creator_id: str | None = None
    push_date_time: datetime | None = None
    state: str | None = None
    containing_changes: int | None = None
    file_size: int | None = None
    briefcase_id: int | None = None
    group_id: str | None = None
    links: ChangesetLinks | None = None


@model
class Changeset(ChangesetSummary):
    """
    A changeset.

    Attributes:
        application: what made it.
        synchronization_info: the run that made it.

    """

    application: Application | None = None
    synchronization_info: SynchronizationInfo | None = None


LIST = api.detail_list(
    "list_changesets",
    "GET /{imodel_id}/changesets",
    "Get iModel Changesets",
    ChangesetSummary,
    Changeset,
    key="changesets",
    paging="both",
)
GET = api.entity(
    "get_changeset",
    "GET /{imodel_id}/changesets/{changeset}",
    "Get iModel Changeset",
    Changeset,
    key="changeset",
)
CREATE = api.entity(
    "create_changeset",
    "POST /{imodel_id}/changesets",
    "Create iModel Changeset",
    Changeset,
    key="changeset",
)
COMPLETE = api.entity(
    "complete_changeset",
    "PATCH /{imodel_id}/changesets/{changeset}",
    "Update iModel Changeset",
    Changeset,
    key="changeset",
)


def list_changesets(
    session: Session,
    imodel_id: Id,
    *,
    after_index: int | None = None,
    last_index: int | None = None,
    order_by: ChangesetOrder | Sequence[ChangesetOrder] | None = None,
    **paging: Unpack[NumberedPaging],
) -> DetailPager[ChangesetSummary, Changeset]:
    """List the changesets of an iModel, behind ``after_index`` and up to ``last_index``."""
    chosen = query(_QUERY, after_index=after_index, last_index=last_index, order_by=order_by)
    return LIST(session, chosen, paging, imodel_id=imodel_id)


async def get_changeset(session: Session, imodel_id: Id, changeset: str | int) -> Changeset:
    """Get a changeset by its id or its index."""
    return await GET(session, imodel_id=imodel_id, changeset=id_or_number("changeset", changeset))


async def create_changeset(
    session: Session,
    imodel_id: Id,
    changeset_id: str,
    *,
    briefcase_id: int,
    file_size: int,
    parent_id: str | None = None,
    description: str | None = None,
    containing_changes: int | None = None,
    synchronization_info: SynchronizationInfo | None = None,
    group_id: str | None = None,
) -> Changeset:
    """
    Announce a changeset; its file is then sent to ``links.upload``.

    ``complete_changeset`` ends the push. Until then nobody else can push.

    Args:
        session: the session.
        imodel_id: id of the iModel.
        changeset_id: 40 hexadecimal digits.
        briefcase_id: number of the briefcase that it was made in.
        file_size: size of its file in bytes.
        parent_id: id of the changeset before; none or empty for the first.
        description: up to 255 characters.
        containing_changes: bit set, see ``ContainingChanges``; the bits for schemas stand alone.
        synchronization_info: the run that made it; ``task_id`` is required.
        group_id: id of the changeset group that it belongs to.

    """
    name = hexadecimal("changeset_id", changeset_id)
    body = new(
        _MEMBERS,
        {"briefcase_id": briefcase_id, "file_size": file_size},
        parent_id=parent_id,
        description=description,
        containing_changes=containing_changes,
        synchronization_info=synchronization_info,
        group_id=group_id,
    )
    return await CREATE(session, json={"id": name, **body}, imodel_id=imodel_id)


async def complete_changeset(
    session: Session, imodel_id: Id, changeset: str | int, *, briefcase_id: int
) -> Changeset:
    """Say that the file of a changeset has been uploaded."""
    body = {"state": "fileUploaded", "briefcaseId": briefcase("briefcase_id", briefcase_id)}
    number = id_or_number("changeset", changeset)
    return await COMPLETE(session, json=body, imodel_id=imodel_id, changeset=number)


def _kinds(name: str, value: object) -> int:
    bits = natural(name, value)
    alone = ContainingChanges.SCHEMA | ContainingChanges.SCHEMA_SYNC
    if bits & alone and bits & ~alone:
        raise invalid(name, value, "either the bits for schemas or others")
    return bits


def _run(name: str, value: object) -> dict[str, object]:
    run = instance(name, value, SynchronizationInfo, "a SynchronizationInfo")
    text(f"{name}.task_id", run.task_id)
    if run.changed_files is not None and not run.changed_files:
        raise invalid(f"{name}.changed_files", run.changed_files, "None or a list of file names")
    for file in run.changed_files or ():
        text(f"{name}.changed_files", file)
    return to_dict(run)


_QUERY: Checks = {
    "after_index": natural,
    "last_index": natural,
    "$orderBy": orders(*get_args(ChangesetOrder)),
}
_MEMBERS: Checks = {
    "briefcase_id": briefcase,
    "file_size": lambda name, value: whole(name, value, 1),
    "parent_id": hexadecimal_or_empty,
    "description": short_text,
    "containing_changes": _kinds,
    "synchronization_info": _run,
    "group_id": text,
}
