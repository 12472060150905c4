"""Named versions of iModels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import after_id, belongings
from itwin_async.emulator.platform.briefcases import APPLICATION
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.changesets import ID_OR_EMPTY, history_of, pushed_changeset
from itwin_async.emulator.platform.imodels import IMODELS, imodel_url
from itwin_async.emulator.platform.ordering import order_by, ordered
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.permissions import require
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.world.creations import CheckpointRecord
from itwin_async.emulator.world.history import NamedVersionRecord

_STATE = s.define("NamedVersionState", s.texts("visible", "hidden"))
_SUMMARY_MEMBERS: JsonObject = {
    **s.each(s.TEXT, "id displayName"),
    "changesetId": s.TEXT_OR_NULL,
    "changesetIndex": {"type": "integer"},
}
_VERSION = s.define(
    "NamedVersion",
    s.objects(
        {
            **_SUMMARY_MEMBERS,
            "name": s.TEXT,
            "description": s.TEXT_OR_NULL,
            "createdDateTime": s.MOMENT,
            "state": _STATE,
            "application": APPLICATION,
            "_links": s.define("NamedVersionLinks", s.objects(s.each(s.LINK, "creator changeset"))),
        }
    ),
)
_TEXTS: JsonObject = {"name": s.NAME, "description": s.SHORT_TEXT_OR_NULL}
_CREATE = s.define(
    "NamedVersionCreate",
    s.objects({**_TEXTS, "changesetId": ID_OR_EMPTY}, "name", additionalProperties=True),
)
_CHANGE: JsonObject = {**_TEXTS, "state": _STATE}
_UPDATE = s.define(
    "NamedVersionUpdate",
    s.objects(_CHANGE, additionalProperties=True, anyOf=[{"required": [name]} for name in _CHANGE]),
)


def _summarize(record: NamedVersionRecord) -> JsonObject:
    return {
        "id": record.id,
        "displayName": record.name,
        "changesetId": record.changeset_id,
        "changesetIndex": record.changeset_index,
    }


def _show(record: NamedVersionRecord, imodel: str) -> JsonObject:
    changeset: JsonObject = {"href": f"{imodel}/changesets/{record.changeset_index}"}
    return {
        **_summarize(record),
        "name": record.name,
        "description": record.description,
        "createdDateTime": record.created,
        "state": record.state,
        "application": None,
        "_links": {
            "creator": {"href": f"{imodel}/users/{record.creator_id}"},
            "changeset": changeset if record.changeset_index else None,
        },
    }


def _find(call: Call, version_id: str) -> NamedVersionRecord | None:
    return history_of(call).version(version_id.lower())


def _list(call: Call) -> Sequence[NamedVersionRecord]:
    name, state = call.text("name"), call.text("state")
    search = (call.text("$search") or "").lower()
    rows = [
        row
        for row in history_of(call).versions()
        if name in {None, row.name}
        and state in {None, row.state}
        and (search in row.name.lower() or search in (row.description or "").lower())
    ]
    keys = {
        "changesetIndex": lambda row: row.changeset_index,
        "createdDateTime": lambda row: row.created,
    }
    return ordered(call, rows, keys)


def _taken(call: Call, version: NamedVersionRecord) -> bool:
    others = history_of(call).versions()
    return any(other.name == version.name and other.id != version.id for other in others)


def _create(call: Call, content: JsonObject) -> NamedVersionRecord:
    imodel_id = IMODELS.id_of(call)
    require(call, imodel_id, "imodels_write")
    changeset_id = cast("str | None", content.get("changesetId"))
    changeset = pushed_changeset(call, changeset_id) if changeset_id else None
    version = NamedVersionRecord(
        id=call.world.new_id(),
        name=str(content["name"]),
        description=cast("str | None", content.get("description")),
        changeset_id=changeset.id if changeset else None,
        changeset_index=changeset.index if changeset else 0,
        created=call.clock.stamp(),
        creator_id=call.user.id,
    )
    if _taken(call, version):
        return version  # which the collection refuses
    if history_of(call).version_on(version.changeset_index) is not None:
        message = "Named Version on the Changeset already exists."
        response = errors.error(409, "NamedVersionOnChangesetExists", message)
        raise errors.OperationError(response)
    known = call.world.belongings.of(CheckpointRecord, imodel_id)
    if changeset is not None and str(changeset.index) not in known:
        ready = call.clock.now() + call.work_seconds
        checkpoint = CheckpointRecord(id=str(changeset.index), ready=ready)
        call.world.belongings.put(checkpoint, imodel_id)
    return version


def _changed(call: Call, version: NamedVersionRecord) -> NamedVersionRecord:
    require(call, IMODELS.id_of(call), "imodels_write")
    return version


NAMED_VERSIONS = belongings(
    NamedVersionRecord,
    IMODELS,
    find=_find,
    api=api.IMODELS,
    name="NamedVersion",
    key="namedVersion",
    keys="namedVersions",
    schema=_VERSION,
    show=_show,
    base=imodel_url,
    summary_schema=s.define("NamedVersionSummary", s.objects(_SUMMARY_MEMBERS)),
    summarize=_summarize,
    list_failure="Cannot get Named Versions.",
    unique="name",
    taken=_taken,
    paging=Paging(after=after_id),
    id_name="namedVersionId",
)

_PATH = "/imodels/{id}/namedversions"
ROUTES = (
    NAMED_VERSIONS.list(
        f"GET {_PATH}",
        "Get iModel Named Versions",
        _list,
        parameters=(
            Parameter("$search", s.TEXT),
            Parameter("name", s.TEXT),
            Parameter("state", _STATE),
            order_by("changesetIndex", "createdDateTime"),
        ),
    ),
    NAMED_VERSIONS.get(f"GET {_PATH}/{{namedVersionId}}", "Get iModel Named Version"),
    NAMED_VERSIONS.create(
        f"POST {_PATH}", "Create iModel Named Version", _create, body=_CREATE, forbids=True
    ),
    NAMED_VERSIONS.update(
        f"PATCH {_PATH}/{{namedVersionId}}",
        "Update iModel Named Version",
        body=_UPDATE,
        stamp=_changed,
        forbids=True,
    ),
)
