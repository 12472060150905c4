"""Groups of changesets."""

from __future__ import annotations

from typing import cast

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import after_id, belonging_to, belongings
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.imodels import IMODELS, imodel_url
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.permissions import require
from itwin_async.emulator.world.collaboration import ChangesetGroupRecord

STATES = ("inProgress", "completed", "timedOut", "forciblyClosed")
_GROUP = s.define(
    "ChangesetGroup",
    s.objects(
        {
            **s.each(s.TEXT, "id description creatorId"),
            "state": s.texts(*STATES),
            "createdDateTime": s.MOMENT,
            "_links": s.define("ChangesetGroupLinks", s.objects({"creator": s.LINK})),
        }
    ),
)
_CREATE = s.define(
    "ChangesetGroupCreate",
    s.objects({"description": s.SHORT_TEXT}, "description", additionalProperties=True),
)
_UPDATE = s.define(
    "ChangesetGroupUpdate",
    s.objects({"state": s.texts("completed")}, "state", additionalProperties=True),
)


def _show(group: ChangesetGroupRecord, imodel: str) -> JsonObject:
    return {
        "id": group.id,
        "description": group.description,
        "state": group.state,
        "creatorId": group.creator_id,
        "createdDateTime": group.created,
        "_links": {"creator": {"href": f"{imodel}/users/{group.creator_id}"}},
    }


def _create(call: Call, content: JsonObject) -> ChangesetGroupRecord:
    require(call, IMODELS.id_of(call), "imodels_write")
    return ChangesetGroupRecord(
        id=call.world.new_id(),
        description=cast("str", content["description"]),
        creator_id=call.user.id,
        created=call.clock.stamp(),
    )


def _closed(call: Call, group: ChangesetGroupRecord) -> ChangesetGroupRecord:
    imodel_id = IMODELS.id_of(call)
    require(call, imodel_id, "imodels_write")
    before = call.world.belongings.of(ChangesetGroupRecord, imodel_id)[group.id].state
    if before not in {"inProgress", group.state}:
        message = f"Changeset Group that is '{before}' cannot be changed."
        details = [errors.Detail("InvalidChange", message, "state")]
        text = "Cannot update Changeset Group."
        raise errors.OperationError(api.IMODELS.invalid(text, details))
    return group


GROUPS = belongings(
    ChangesetGroupRecord,
    IMODELS,
    api=api.IMODELS,
    name="ChangesetGroup",
    key="changesetGroup",
    keys="changesetGroups",
    schema=_GROUP,
    show=_show,
    base=imodel_url,
    list_failure="Cannot get Changeset Groups.",
    paging=Paging(after=after_id),
    id_name="groupId",
)

_PATH = "/imodels/{id}/changesetgroups"
ROUTES = (
    GROUPS.list(
        f"GET {_PATH}",
        "Get iModel Changeset Groups",
        belonging_to(ChangesetGroupRecord, IMODELS),
    ),
    GROUPS.get(f"GET {_PATH}/{{groupId}}", "Get iModel Changeset Group"),
    GROUPS.create(
        f"POST {_PATH}", "Create iModel Changeset Group", _create, body=_CREATE, forbids=True
    ),
    GROUPS.update(
        f"PATCH {_PATH}/{{groupId}}",
        "Update iModel Changeset Group",
        body=_UPDATE,
        stamp=_closed,
        forbids=True,
    ),
)
