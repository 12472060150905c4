"""What applications attach to changesets."""

from __future__ import annotations

import base64
import binascii

import msgspec

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import after_id, belongings
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.changesets import CHANGESETS
from itwin_async.emulator.platform.imodels import IMODELS
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.world.collaboration import ExtendedDataRecord

MAX_DATA = 204_800
_CANNOT_CREATE = "Cannot create Changeset Extended Data."
_NAME = "ChangesetExtendedData"
_DATA = s.define(
    _NAME, s.objects({**s.each(s.TEXT, "changesetId data"), "changesetIndex": {"type": "integer"}})
)
_CREATE = s.define(
    f"{_NAME}Create",
    s.objects(
        {"data": {"type": "string", "minLength": 1, "maxLength": MAX_DATA}},
        "data",
        additionalProperties=True,
    ),
)


def _show(record: ExtendedDataRecord, _: str) -> JsonObject:
    return {"changesetId": record.id, "changesetIndex": record.index, "data": record.data}


def _find(call: Call, _: str) -> ExtendedDataRecord | None:
    changeset = CHANGESETS.one(call)
    return call.world.belongings.of(ExtendedDataRecord, IMODELS.id_of(call)).get(changeset.id)


def _list(call: Call) -> list[ExtendedDataRecord]:
    rows = call.world.belongings.of(ExtendedDataRecord, IMODELS.id_of(call)).values()
    return sorted(rows, key=lambda row: row.index)


def _create(call: Call, content: JsonObject) -> ExtendedDataRecord:
    changeset, data = CHANGESETS.one(call), str(content["data"])
    if changeset.creator_id != call.user.id:
        raise errors.OperationError(errors.INSUFFICIENT_PERMISSIONS)
    if _find(call, changeset.id) is not None:
        message = f"{_NAME} already exists."
        raise errors.OperationError(errors.error(409, f"{_NAME}Exists", message))
    if not _is_json_object(data):
        detail = errors.invalid("data", data[:255])
        raise errors.OperationError(api.IMODELS.invalid(_CANNOT_CREATE, [detail]))
    return ExtendedDataRecord(id=changeset.id, index=changeset.index, data=data)


def _is_json_object(data: str) -> bool:
    try:
        content = msgspec.json.decode(base64.b64decode(data, validate=True))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return False
    return isinstance(content, dict)


EXTENDED_DATA = belongings(
    ExtendedDataRecord,
    IMODELS,
    find=_find,
    api=api.IMODELS,
    name=_NAME,
    key="extendedData",
    keys="extendedData",
    schema=_DATA,
    show=_show,
    list_failure="Cannot get Changesets Extended Data.",
    paging=Paging(after=after_id),
    id_name="changesetId",
)

_PATH = "/imodels/{id}/changesets"
ROUTES = (
    EXTENDED_DATA.list(f"GET {_PATH}/extendeddata", "Get Changesets Extended Data", _list),
    EXTENDED_DATA.get(f"GET {_PATH}/{{changesetId}}/extendeddata", "Get Changeset Extended Data"),
    EXTENDED_DATA.create(
        f"POST {_PATH}/{{changesetId}}/extendeddata",
        "Create Changeset Extended Data",
        _create,
        body=_CREATE,
        conflicts=True,
        forbids=True,
    ),
)
