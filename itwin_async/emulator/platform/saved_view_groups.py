"""The Saved Views API: groups."""

from __future__ import annotations

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api
from itwin_async.emulator.platform import saved_view_schemas as schemas
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.saved_view_access import check_change, container, find, seen
from itwin_async.emulator.platform.schemas import TEXT
from itwin_async.emulator.world.saved_views import (
    SavedViewGroupRecord,
    drop_group,
    new_combined_id,
)


def _create(call: Call, content: JsonObject) -> SavedViewGroupRecord:
    itwin_id, imodel_id = container(call, content["iTwinId"] or "?", content.get("iModelId"))
    assert itwin_id is not None  # noqa: S101 - "?" is no iTwin
    return SavedViewGroupRecord(
        id=new_combined_id(call.world, itwin_id, imodel_id),
        display_name=str(content["displayName"]),
        itwin_id=itwin_id,
        imodel_id=imodel_id,
        shared=bool(content.get("shared")),
        read_only=bool(content.get("readOnly")),
        creator_id=call.user.id,
    )


def _changed(call: Call, group: SavedViewGroupRecord) -> SavedViewGroupRecord:
    check_change(call, group)
    return attrs.evolve(group, shared=bool(group.shared), read_only=bool(group.read_only))


def _drop(call: Call, group: SavedViewGroupRecord) -> None:
    check_change(call, group)
    drop_group(call.world, group)


GROUPS = Collection[SavedViewGroupRecord](
    api=api.SAVED_VIEWS,
    name="Group",
    key="group",
    keys="groups",
    schema=schemas.GROUP,
    show=SavedViewGroupRecord.full,
    find=lambda call, group_id: find(call, SavedViewGroupRecord, group_id),
    put=lambda call, group: call.world.belongings.put(group, group.itwin_id),
    drop=_drop,
)

ROUTES = (
    GROUPS.create("POST /savedviews/groups", "Create Group", _create, body=schemas.GROUP_CREATE),
    GROUPS.list(
        "GET /savedviews/groups",
        "Get All Groups",
        lambda call: seen(
            call,
            SavedViewGroupRecord,
            *container(call, call.text("iTwinId"), call.text("iModelId")),
        ),
        parameters=(Parameter("iTwinId", TEXT), Parameter("iModelId", TEXT)),
    ),
    GROUPS.get("GET /savedviews/groups/{id}", "Get Group"),
    GROUPS.update(
        "PATCH /savedviews/groups/{id}",
        "Update Group",
        body=schemas.GROUP_UPDATE,
        stamp=_changed,
    ),
    GROUPS.delete("DELETE /savedviews/groups/{id}", "Delete Group"),
)
