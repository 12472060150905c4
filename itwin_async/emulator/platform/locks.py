"""Locks of iModels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.belongings import after_id
from itwin_async.emulator.platform.briefcases import briefcase, require_owner
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.changesets import ID_OR_EMPTY, pushed_changeset
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.imodels import IMODELS
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.routes import Parameter, Route
from itwin_async.emulator.responses import Response, json_response
from itwin_async.emulator.world import locks
from itwin_async.emulator.world.collaboration import BriefcaseRecord, ElementRecord, Level
from itwin_async.emulator.world.locks import HeldLock

MAX_OBJECT_IDS = 1000
_CANNOT_UPDATE = "Cannot update Lock."
_LEVEL = s.define("LockLevel", s.texts("none", "shared", "exclusive"))
_HELD_LEVEL = s.texts("shared", "exclusive")
_OBJECT_ID: JsonObject = {"type": "string", "pattern": "^0[xX][0-9a-fA-F]{1,16}$"}
_NUMBER = s.between(1, 2**31 - 1)
_PART: JsonObject = {"lockLevel": _LEVEL, "objectIds": s.arrays(s.TEXT)}
_OBJECTS = s.define("LockedObjects", s.objects(_PART))
_LOCK = s.define(
    "Lock", s.objects({"briefcaseId": {"type": "integer"}, "lockedObjects": s.arrays(_OBJECTS)})
)
_HOLDER: JsonObject = {
    "briefcaseId": _NUMBER,
    "changesetId": ID_OR_EMPTY,
}
_WANTED = s.objects(
    {"lockLevel": _LEVEL, "objectIds": {**s.arrays(_OBJECT_ID), "minItems": 1}},
    "lockLevel",
    "objectIds",
)
_UPDATE = s.define(
    "LockUpdate",
    s.objects(
        {**_HOLDER, "lockedObjects": {**s.arrays(_WANTED), "minItems": 1}},
        "briefcaseId",
        "lockedObjects",
        additionalProperties=True,
    ),
)
_RELEASE = s.define("LocksRelease", s.objects(_HOLDER, "briefcaseId", additionalProperties=True))
_CHUNK = s.define("LocksChunk", s.objects({"isLastChunk": s.FLAG}, "isLastChunk"))


@attrs.frozen
class _Released:
    """A lock that was released with a changeset."""

    level: Level
    element: str

    @property
    def id(self) -> str:
        return f"{self.level}/{self.element}"


@attrs.frozen
class _Holder:
    """
    The briefcase of a body and the changeset that it is at.

    Args:
        number: the number of the briefcase.
        index: the index of its changeset; 0 for the baseline, or when no changeset is named.

    """

    number: int
    index: int

    @classmethod
    def of(cls, call: Call, imodel_id: str, content: JsonObject) -> _Holder:
        """Return the holder; fail with 404 or 403 if the caller may not lock for it."""
        number = cast("int", content["briefcaseId"])
        record: BriefcaseRecord = briefcase(call, imodel_id, number)
        require_owner(call, imodel_id, record, "imodels_write")
        changeset_id = cast("str | None", content.get("changesetId"))
        index = pushed_changeset(call, changeset_id).index if changeset_id else 0
        return cls(number, index)


def _part(level: Level, elements: Sequence[str]) -> JsonObject:
    return {"lockLevel": level, "objectIds": list[Json](elements)}


def _show(row: HeldLock, _: str) -> JsonObject:
    return {
        "briefcaseId": row.briefcase,
        "lockedObjects": [_part(row.level, [row.element])],
    }


def _joined(shown: list[Json], same: str, members: str) -> list[Json]:
    """Join neighbours with the same value of one member by putting another one together."""
    found: list[dict[str, Any]] = []
    for row in cast("list[dict[str, Any]]", shown):
        if found and found[-1][same] == row[same]:
            found[-1][members] = [*found[-1][members], *row[members]]
        else:
            found.append(row)
    return cast("list[Json]", found)


def _join_locks(shown: list[Json]) -> list[Json]:
    locked = cast("list[dict[str, Any]]", _joined(shown, "briefcaseId", "lockedObjects"))
    return [
        {**row, "lockedObjects": _joined(row["lockedObjects"], "lockLevel", "objectIds")}
        for row in locked
    ]


def _list(call: Call) -> Sequence[HeldLock]:
    number = call.values.get("briefcaseId")
    level = call.text("lockLevel")
    rows = locks.held(call.world, IMODELS.id_of(call), cast("int | None", number))
    return [row for row in rows if level in {None, row.level}]


def _after_lock(_: Call, rows: Sequence[HeldLock], last: str) -> int | None:
    row = HeldLock.of(last)
    return None if row is None else bisect_right(rows, row)


def _update(call: Call) -> Response:
    imodel_id = IMODELS.id_of(call)
    content = LOCKS.content(call, _UPDATE, _CANNOT_UPDATE)
    wanted = [
        (part["lockLevel"], [element.lower() for element in part["objectIds"]])
        for part in cast("list[Any]", content["lockedObjects"])
    ]
    if sum(len(elements) for _, elements in wanted) > MAX_OBJECT_IDS:
        detail = errors.invalid("lockedObjects", "lockedObjects")
        return api.IMODELS.invalid(_CANNOT_UPDATE, [detail])
    holder = _Holder.of(call, imodel_id, content)
    _check(call, imodel_id, holder, wanted)
    for level, elements in wanted:
        locks.lock(call.world, imodel_id, holder.number, level, elements, holder.index)
    parts: list[Json] = [_part(level, elements) for level, elements in wanted]
    lock: JsonObject = {"briefcaseId": holder.number, "lockedObjects": parts}
    return call.respond(200, {"lock": lock})


def _check(
    call: Call, imodel_id: str, holder: _Holder, wanted: Sequence[tuple[Level, Sequence[str]]]
) -> None:
    """Fail with 404 or 409 unless a briefcase may have all that it wants."""
    found: list[tuple[Level, ElementRecord]] = [
        (level, locks.element_of(call.world, imodel_id, element))
        for level, elements in wanted
        for element in elements
    ]
    if any(lv == "none" and holder.number not in row.briefcases for lv, row in found):
        message = "Requested Lock(s) is not available."
        raise errors.OperationError(errors.error(404, "LockNotFound", message))
    owned: list[Json] = [
        {"objectId": row.id, "lockLevel": row.level, "briefcaseIds": list[Json](others)}
        for level, row in found
        if (others := locks.conflicts(row, holder.number, level))
    ]
    if owned:
        message = "Lock(s) is owned by another Briefcase."
        raise _conflict("ConflictWithAnotherUser", message, {"conflictingLocks": owned})
    newer: list[Json] = [
        row.id
        for level, row in found
        if level != "none"
        and holder.number not in row.briefcases
        and locks.is_newer(row, holder.index)
    ]
    if newer:
        message = "One or more objects have been locked in a newer Changeset."
        raise _conflict("NewerChangesExist", message, {"objectIds": newer})


def _conflict(code: str, message: str, more: JsonObject) -> errors.OperationError:
    content: JsonObject = {"code": code, "message": message, **more}
    return errors.OperationError(json_response(409, {"error": content}))


def _release_chunk(call: Call) -> Response:
    imodel_id = IMODELS.id_of(call)
    content = LOCKS.content(call, _RELEASE, "Cannot release Locks.")
    holder = _Holder.of(call, imodel_id, content)
    rows = locks.held(call.world, imodel_id, holder.number)
    elements = [row.element for row in rows[:MAX_OBJECT_IDS]]
    locks.lock(call.world, imodel_id, holder.number, "none", elements, holder.index)
    return call.respond(200, {"isLastChunk": len(rows) <= MAX_OBJECT_IDS})


def _released(call: Call) -> Sequence[_Released]:
    after = call.number("afterChangesetIndex")
    return [_Released(*row) for row in locks.released(call.world, IMODELS.id_of(call), after)]


def _none(*_: object) -> None:
    """Do nothing: locks are changed all at once."""


def _collection(
    name: str,
    keys: str,
    schema: JsonObject,
    show: Callable[[Any, str], JsonObject],
    join: Callable[[list[Json]], list[Json]],
    paging: Paging,
) -> Collection[Any]:
    return Collection[Any](
        api=api.IMODELS,
        name=name,
        key=keys.removesuffix("s"),
        keys=keys,
        schema=schema,
        show=show,
        find=_none,
        put=_none,
        drop=_none,
        join=join,
        list_failure=f"Cannot get {name}s.",
        paging=paging,
        parent=IMODELS,
    )


LOCKS = _collection("Lock", "locks", _LOCK, _show, _join_locks, Paging(after=_after_lock))
RELEASED = _collection(
    "ReleasedLock",
    "releasedLocks",
    s.define("ReleasedLock", s.objects(_PART)),
    lambda row, _: _part(row.level, [row.element]),
    lambda shown: _joined(shown, "lockLevel", "objectIds"),
    Paging(after=after_id),
)

_PATH = "/imodels/{id}/locks"
ROUTES = (
    LOCKS.list(
        f"GET {_PATH}",
        "Get iModel Locks",
        _list,
        parameters=(Parameter("briefcaseId", _NUMBER), Parameter("lockLevel", _HELD_LEVEL)),
    ),
    Route(
        method="PATCH",
        path=_PATH,
        title="Update iModel Locks",
        api=api.IMODELS,
        handler=_update,
        body=_UPDATE,
        results=(s.define("LockResponse", s.objects({"lock": _LOCK}, "lock")),),
        conflicts=True,
        forbids=True,
    ),
    Route(
        method="POST",
        path=f"{_PATH}/release-chunk",
        title="Release iModel Locks Chunk",
        api=api.IMODELS,
        handler=_release_chunk,
        body=_RELEASE,
        results=(_CHUNK,),
        forbids=True,
    ),
    RELEASED.list(
        f"GET {_PATH}/released-locks",
        "Get iModel Released Locks",
        _released,
        parameters=(Parameter("afterChangesetIndex", s.between(0, 2**31 - 1), required=True),),
    ),
)
