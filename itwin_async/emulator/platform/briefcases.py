"""Briefcases of iModels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import after_id, belongings
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.imodels import IMODELS, imodel_url
from itwin_async.emulator.platform.ordering import order_by, ordered
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.permissions import require
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.responses import Response
from itwin_async.emulator.world import locks
from itwin_async.emulator.world.collaboration import Application, BriefcaseRecord
from itwin_async.emulator.world.state import World

MAX_PER_USER = 100
MAX_PER_MINUTE = 100
_FIRST = 2  # 0 and 1 are numbers of iModels that are no briefcases
_MINUTE = 60

APPLICATION = s.define(
    "Application", s.objects(s.each(s.TEXT, "id name"), "id", "name", nullable=True)
)
_SUMMARY_MEMBERS = s.each(s.TEXT, "id displayName")
_BRIEFCASE = s.define(
    "Briefcase",
    s.objects(
        {
            **_SUMMARY_MEMBERS,
            "briefcaseId": {"type": "integer"},
            "ownerId": s.TEXT,
            "acquiredDateTime": s.MOMENT,
            "fileSize": {"type": "integer"},
            "deviceName": s.TEXT_OR_NULL,
            "application": APPLICATION,
            "_links": s.define("BriefcaseLinks", s.objects(s.each(s.LINK, "owner checkpoint"))),
        }
    ),
)
_ACQUIRE = s.define(
    "BriefcaseAcquire", s.objects({"deviceName": s.SHORT_TEXT_OR_NULL}, additionalProperties=True)
)


def application_json(application: Application | None) -> JsonObject | None:
    """Return an application as the iModels API writes it."""
    return None if application is None else {"id": application.id, "name": application.name}


def briefcases_of(world: World, imodel_id: str) -> list[BriefcaseRecord]:
    """Return the briefcases of an iModel that were not released."""
    records = world.belongings.of(BriefcaseRecord, imodel_id).values()
    return [record for record in records if not record.released]


def new_briefcase(
    world: World, imodel_id: str, owner_id: str, acquired: str, device_name: str | None = None
) -> BriefcaseRecord:
    """Return a briefcase with a number that the iModel did not give before."""
    known = world.belongings.of(BriefcaseRecord, imodel_id)
    number = max(map(int, known), default=_FIRST - 1) + 1
    return BriefcaseRecord(
        id=str(number), owner_id=owner_id, acquired=acquired, device_name=device_name
    )


def briefcase(call: Call, imodel_id: str, number: int) -> BriefcaseRecord:
    """Return the briefcase that a body names, or fail with 404."""
    found = call.world.belongings.of(BriefcaseRecord, imodel_id).get(str(number))
    if found is None or found.released:
        raise errors.OperationError(errors.not_found("Briefcase"))
    return found


def require_owner(call: Call, imodel_id: str, record: BriefcaseRecord, permission: str) -> None:
    """Fail with 403 unless a permission is enough for the owner, or the caller manages."""
    own = record.owner_id == call.user.id
    require(call, imodel_id, permission if own else "imodels_manage")


def _show(record: BriefcaseRecord, imodel: str) -> JsonObject:
    return {
        **_summarize(record),
        "briefcaseId": int(record.id),
        "ownerId": record.owner_id,
        "acquiredDateTime": record.acquired,
        "fileSize": record.file_size,
        "deviceName": record.device_name,
        "application": application_json(record.application),
        "_links": {
            "owner": {"href": f"{imodel}/users/{record.owner_id}"},
            "checkpoint": {"href": f"{imodel}/briefcases/checkpoint"},
        },
    }


def _summarize(record: BriefcaseRecord) -> JsonObject:
    return {"id": record.id, "displayName": record.id}


def _find(call: Call, briefcase_id: str) -> BriefcaseRecord | None:
    found = call.world.belongings.of(BriefcaseRecord, IMODELS.id_of(call)).get(briefcase_id)
    return None if found is None or found.released else found


def _list(call: Call) -> Sequence[BriefcaseRecord]:
    rows = briefcases_of(call.world, IMODELS.id_of(call))
    owner = call.text("ownerId")
    if owner is not None:
        owner = call.user.id if owner.lower() == "me" else owner.lower()
        rows = [row for row in rows if row.owner_id == owner]
    return ordered(call, rows, {"acquiredDateTime": lambda row: row.acquired})


def _acquire(call: Call, content: JsonObject) -> BriefcaseRecord:
    imodel_id = IMODELS.id_of(call)
    own = [
        record
        for record in call.world.belongings.of(BriefcaseRecord, imodel_id).values()
        if record.owner_id == call.user.id
    ]
    if sum(not record.released for record in own) >= MAX_PER_USER:
        message = "Maximum number of Briefcases per user limit reached."
        inner = "MaximumNumberOfBriefcasesPerUser"
        detail = errors.Detail("ResourceQuotaExceeded", message, inner_code=inner)
        raise errors.OperationError(api.IMODELS.invalid("Cannot create Briefcase.", [detail]))
    ages = sorted(call.clock.now() - _seconds(record.acquired) for record in own)
    if len(ages) >= MAX_PER_MINUTE and ages[MAX_PER_MINUTE - 1] < _MINUTE:
        raise errors.OperationError(_too_many(_MINUTE - ages[MAX_PER_MINUTE - 1]))
    device = cast("str | None", content.get("deviceName"))
    return new_briefcase(call.world, imodel_id, call.user.id, call.clock.stamp(), device)


def _too_many(wait: float) -> Response:
    message = "Maximum number of briefcases per user per minute reached."
    headers = {"retry-after": str(int(wait) + 1)}
    return errors.error(429, "RateLimitExceeded", message, headers=headers)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _release(call: Call, record: BriefcaseRecord) -> None:
    imodel_id = IMODELS.id_of(call)
    require_owner(call, imodel_id, record, "imodels_webview")
    locks.abandon(call.world, imodel_id, int(record.id))
    call.world.belongings.put(attrs.evolve(record, released=True), imodel_id)


BRIEFCASES = belongings(
    BriefcaseRecord,
    IMODELS,
    find=_find,
    api=api.IMODELS,
    name="Briefcase",
    key="briefcase",
    keys="briefcases",
    schema=_BRIEFCASE,
    show=_show,
    base=imodel_url,
    summary_schema=s.define("BriefcaseSummary", s.objects(_SUMMARY_MEMBERS)),
    summarize=_summarize,
    list_failure="Cannot get Briefcases.",
    paging=Paging(after=after_id),
    id_name="briefcaseId",
)

_PATH = "/imodels/{id}/briefcases"
ROUTES = (
    BRIEFCASES.list(
        f"GET {_PATH}",
        "Get iModel Briefcases",
        _list,
        parameters=(Parameter("ownerId", s.TEXT), order_by("acquiredDateTime")),
    ),
    BRIEFCASES.get(f"GET {_PATH}/{{briefcaseId}}", "Get iModel Briefcase"),
    BRIEFCASES.create(
        f"POST {_PATH}", "Acquire iModel Briefcase", _acquire, body=_ACQUIRE, body_required=False
    ),
    BRIEFCASES.act(
        f"DELETE {_PATH}/{{briefcaseId}}", "Release iModel Briefcase", _release, forbids=True
    ),
)
