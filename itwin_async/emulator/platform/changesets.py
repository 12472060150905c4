"""Changesets of iModels: lists, and pushes through the storage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import belongings
from itwin_async.emulator.platform.briefcases import APPLICATION, briefcase, require_owner
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.changeset_groups import GROUPS
from itwin_async.emulator.platform.imodel_files import changeset_file
from itwin_async.emulator.platform.imodels import IMODELS, imodel_url
from itwin_async.emulator.platform.ordering import order_by, orders
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.permissions import may, require
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.stored import (
    STORAGE_LINK,
    download_url,
    storage_link,
    upload_url,
)
from itwin_async.emulator.storage.blobs import drop_blob, find_blob
from itwin_async.emulator.world.collaboration import ChangesetGroupRecord
from itwin_async.emulator.world.history import ChangesetRecord, History
from itwin_async.emulator.world.tables import Rows

PUSH_SECONDS = 600.0
_ID_LENGTH = 40
_INDEX = s.between(0, 2**31 - 1)
_ID: JsonObject = {"type": "string", "pattern": "^[0-9a-fA-F]{40}$"}
ID_OR_EMPTY: JsonObject = {"type": "string", "nullable": True, "pattern": "^([0-9a-fA-F]{40})?$"}
_STATES = s.texts("waitingForFile", "fileUploaded")
_SYNCHRONIZATION = s.define(
    "SynchronizationInfo",
    s.objects(
        {
            "taskId": {"type": "string", "minLength": 1},
            "changedFiles": {**s.arrays({"type": "string", "minLength": 1}), "nullable": True},
        },
        "taskId",
        nullable=True,
    ),
)
_SUMMARY_LINKS = s.each(s.LINK, "self creator")
_SUMMARY_MEMBERS: JsonObject = {
    **s.each(s.TEXT, "id displayName parentId creatorId"),
    "description": s.TEXT_OR_NULL,
    **s.each({"type": "integer"}, "index containingChanges fileSize briefcaseId"),
    "pushDateTime": s.MOMENT,
    "state": _STATES,
    "groupId": s.TEXT_OR_NULL,
    "_links": s.define("ChangesetSummaryLinks", s.objects(_SUMMARY_LINKS)),
}
_LINKS: JsonObject = {
    **_SUMMARY_LINKS,
    **s.each(s.LINK, "namedVersion currentOrPrecedingCheckpoint complete"),
    **s.each(STORAGE_LINK, "download upload"),
}
_CHANGESET = s.define(
    "Changeset",
    s.objects(
        {
            **_SUMMARY_MEMBERS,
            "application": APPLICATION,
            "synchronizationInfo": _SYNCHRONIZATION,
            "_links": s.define("ChangesetLinks", s.objects(_LINKS)),
        }
    ),
)
# The bits for schemas stand alone; all others go with each other.
_KINDS: list[Json] = [1, 64, 65, *range(0, 64, 2)]
_CREATE = s.define(
    "ChangesetCreate",
    s.objects(
        {
            "id": _ID,
            "briefcaseId": s.between(1, 2**31 - 1),
            "fileSize": s.between(1, 2**53 - 1),
            "parentId": ID_OR_EMPTY,
            "description": s.SHORT_TEXT_OR_NULL,
            "containingChanges": {"type": "integer", "enum": _KINDS},
            "synchronizationInfo": _SYNCHRONIZATION,
            "groupId": s.TEXT_OR_NULL,
        },
        "id",
        "briefcaseId",
        "fileSize",
        additionalProperties=True,
    ),
)
_UPDATE = s.define(
    "ChangesetUpdate",
    s.objects(
        {"state": s.texts("fileUploaded"), "briefcaseId": s.between(1, 2**31 - 1)},
        "state",
        "briefcaseId",
        additionalProperties=True,
    ),
)


def history_of(call: Call) -> History:
    """Return the history of the iModel that a path names."""
    return call.world.history(IMODELS.id_of(call))


def find_changeset(call: Call, id_or_index: str) -> ChangesetRecord | None:
    """Return the changeset of an id, or of an index: digits, fewer than in an id."""
    history = history_of(call)
    if len(id_or_index) < _ID_LENGTH and id_or_index.isascii() and id_or_index.isdigit():
        return history.at(int(id_or_index))
    return history.find(id_or_index.lower())


def pushed_changeset(call: Call, changeset_id: str) -> ChangesetRecord:
    """Return the changeset that a body names, or fail with 404."""
    found = history_of(call).find(changeset_id.lower())
    if found is None or found.waits:
        raise errors.OperationError(errors.not_found("Changeset"))
    return found


def _show(record: ChangesetRecord, imodel: str) -> JsonObject:
    return {**_summarize(record), "_links": _links(record, imodel)}


def _summarize(record: ChangesetRecord) -> JsonObject:
    return {
        "id": record.id,
        "displayName": str(record.index),
        "description": record.description,
        "index": record.index,
        "parentId": record.parent_id,
        "creatorId": record.creator_id,
        "pushDateTime": record.pushed,
        "state": record.state,
        "containingChanges": record.containing_changes,
        "fileSize": record.file_size,
        "briefcaseId": record.briefcase_id,
        "groupId": record.group_id,
    }


def _links(record: ChangesetRecord, imodel: str) -> JsonObject:
    return {
        "self": {"href": f"{imodel}/changesets/{record.index}"},
        "creator": {"href": f"{imodel}/users/{record.creator_id}"},
    }


def _complete_summary(call: Call, record: ChangesetRecord, shown: JsonObject) -> JsonObject:
    return {**shown, "_links": _links(record, imodel_url(call))}


def _complete(call: Call, record: ChangesetRecord, shown: JsonObject) -> JsonObject:
    imodel, history = imodel_url(call), history_of(call)
    imodel_id, name = IMODELS.id_of(call), changeset_file(record.id)
    version = history.version_on(record.index)
    preceding = max(history.versions_before(record.index), default=0)
    links: JsonObject = {
        **cast("JsonObject", shown["_links"]),
        "namedVersion": version and {"href": f"{imodel}/namedversions/{version}"},
        "currentOrPrecedingCheckpoint": {"href": f"{imodel}/changesets/{preceding}/checkpoint"},
        "download": None,
    }
    if record.waits:
        links["upload"] = storage_link(upload_url(call, imodel_id, name))
        links["complete"] = {"href": f"{imodel}/changesets/{record.id}"}
    elif may(call, imodel_id, "imodels_read"):
        links["download"] = storage_link(download_url(call, imodel_id, name))
    info = cast("JsonObject | None", record.synchronization_info)
    return {**shown, "application": None, "synchronizationInfo": info, "_links": links}


def _pushed(_: Call, __: ChangesetRecord, shown: JsonObject) -> JsonObject:
    """Answers to a push have neither a download link nor the run."""
    links = {**cast("JsonObject", shown["_links"]), "download": None}
    return {**shown, "synchronizationInfo": None, "_links": links}


def _list(call: Call) -> Rows[ChangesetRecord]:
    after, last = call.values.get("afterIndex") or 0, call.values.get("lastIndex")
    rows = history_of(call).rows(cast("int", after), cast("int | None", last))
    for _, descends in orders(call):
        rows = Rows(rows.table, sorted(rows.positions, reverse=descends), ascending=not descends)
    return rows


def _after(call: Call, rows: Sequence[object], last: str) -> int | None:
    found = history_of(call).find(last)
    assert isinstance(rows, Rows)  # noqa: S101 - so is the list of changesets
    return None if found is None else rows.after(found.index - 1)


def _conflict(code: str, message: str) -> errors.OperationError:
    return errors.OperationError(errors.error(409, code, message))


def _invalid(verb: str, detail: errors.Detail) -> errors.OperationError:
    return errors.OperationError(api.IMODELS.invalid(f"Cannot {verb} Changeset.", [detail]))


def _create(call: Call, content: JsonObject) -> ChangesetRecord:
    imodel_id, changeset_id = IMODELS.id_of(call), str(content["id"]).lower()
    number = cast("int", content["briefcaseId"])
    require_owner(call, imodel_id, briefcase(call, imodel_id, number), "imodels_write")
    group_id = _open_group(call, imodel_id, cast("str | None", content.get("groupId")))
    last = _last(call, imodel_id, changeset_id)
    parent = cast("str | None", content.get("parentId")) or ""
    latest = "" if last is None else last.id
    if parent.lower() != latest:
        if parent and history_of(call).find(parent.lower()) is None:
            raise _invalid("create", errors.invalid("parentId", parent))
        raise _conflict("NewerChangesExist", "Newer Changesets exist: pull them first.")
    return ChangesetRecord(
        id=changeset_id,
        index=len(history_of(call)) + 1,
        parent_id=latest,
        creator_id=call.user.id,
        pushed=call.clock.stamp(),
        state="waitingForFile",
        description=cast("str | None", content.get("description")),
        containing_changes=cast("int", content.get("containingChanges", 0)),
        file_size=cast("int", content["fileSize"]),
        briefcase_id=number,
        group_id=group_id,
        synchronization_info=cast("JsonObject | None", content.get("synchronizationInfo")),
    )


def _last(call: Call, imodel_id: str, changeset_id: str) -> ChangesetRecord | None:
    """Return the last changeset of an iModel that may be pushed to."""
    history = history_of(call)
    last = history.last
    if last is not None and last.waits:
        age = call.clock.now() - datetime.fromisoformat(last.pushed).timestamp()
        if age < PUSH_SECONDS and last.id != changeset_id:
            raise _conflict("AnotherUserPushing", "Another user is pushing a Changeset.")
        if age >= PUSH_SECONDS:
            call.world.belongings.drop(ChangesetRecord, last.id, imodel_id)
            drop_blob(call.world, imodel_id, changeset_file(last.id))
            last = history.last
    if history.find(changeset_id) is not None:
        raise _conflict("ChangesetExists", "Changeset already exists.")
    return last


def _open_group(call: Call, imodel_id: str, group_id: str | None) -> str | None:
    if not group_id:
        return None
    found = call.world.belongings.of(ChangesetGroupRecord, imodel_id).get(group_id.lower())
    if found is None:
        raise errors.OperationError(errors.not_found(GROUPS.name))
    if found.state != "inProgress":
        message = f"Changeset Group that is '{found.state}' takes no Changesets."
        raise _invalid("create", errors.Detail("InvalidValue", message, "groupId"))
    return found.id


def _uploaded(call: Call, changed: ChangesetRecord) -> ChangesetRecord:
    imodel_id = IMODELS.id_of(call)
    require(call, imodel_id, "imodels_write")
    before = find_changeset(call, call.params["changesetId"])
    if before is None or before.briefcase_id != changed.briefcase_id:
        message = "Changeset was created by another Briefcase."
        raise _conflict("ConflictWithAnotherUser", message)
    if not before.waits:
        return before
    blob = find_blob(call.world, imodel_id, changeset_file(changed.id))
    if blob is None:
        raise errors.OperationError(errors.not_found("File"))
    if blob.size != changed.file_size:
        message = f"The file has {blob.size} bytes; {changed.file_size} were announced."
        raise _invalid("update", errors.Detail("InvalidChange", message, "state"))
    imodel, now = call.world.imodels[imodel_id], call.clock.stamp()
    call.world.put_imodel(attrs.evolve(imodel, last_changeset=now))
    return attrs.evolve(changed, pushed=now)


CHANGESETS = belongings(
    ChangesetRecord,
    IMODELS,
    find=find_changeset,
    api=api.IMODELS,
    name="Changeset",
    key="changeset",
    keys="changesets",
    schema=_CHANGESET,
    show=_show,
    base=imodel_url,
    complete=_complete,
    summary_schema=s.define("ChangesetSummary", s.objects(_SUMMARY_MEMBERS)),
    summarize=_summarize,
    complete_summary=_complete_summary,
    list_failure="Cannot get Changesets.",
    paging=Paging(after=_after),
    id_name="changesetId",
)

_PATH = "/imodels/{id}/changesets"
ROUTES = (
    CHANGESETS.list(
        f"GET {_PATH}",
        "Get iModel Changesets",
        _list,
        parameters=(
            Parameter("afterIndex", _INDEX),
            Parameter("lastIndex", _INDEX),
            order_by("index"),
        ),
    ),
    CHANGESETS.get(f"GET {_PATH}/{{changesetId}}", "Get iModel Changeset"),
    CHANGESETS.create(
        f"POST {_PATH}",
        "Create iModel Changeset",
        _create,
        body=_CREATE,
        finish=_pushed,
        forbids=True,
        conflicts=True,
    ),
    CHANGESETS.update(
        f"PATCH {_PATH}/{{changesetId}}",
        "Update iModel Changeset",
        body=_UPDATE,
        stamp=_uploaded,
        finish=_pushed,
        forbids=True,
        conflicts=True,
    ),
)
