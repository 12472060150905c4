"""Who may see and change what the Saved Views API keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from itwin_async.emulator.json_types import Json
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.world.saved_views import (
    SavedViewGroupRecord,
    SavedViewManagerRecord,
    SavedViewRecord,
)

S = TypeVar("S", SavedViewRecord, SavedViewGroupRecord)


def container(call: Call, *ids: Json) -> tuple[str | None, ...]:
    """Return the ids of an iTwin and iModel in lower case, or fail with 403."""
    found = tuple(text.lower() if isinstance(text, str) and text else None for text in ids)
    if not may_use(call, *found):
        raise errors.OperationError(errors.INSUFFICIENT_PERMISSIONS)
    return found


def may_use(call: Call, itwin_id: str | None, imodel_id: str | None) -> bool:
    """Whether the caller may use an iTwin and an iModel, which is in it."""
    if itwin_id is not None and itwin_id not in call.world.itwins:
        return False
    if imodel_id is not None:
        located = call.world.locate(imodel_id)
        if located is None or itwin_id not in {None, located[0]}:
            return False
    return call.may_see(itwin_id, imodel_id)


def find(call: Call, kind: type[S], record_id: str) -> S | None:
    """Return a saved view or group that the caller sees."""
    found = call.world.belongings.find(kind, record_id)
    return found[1] if found and _sees(call, found[1]) else None


def seen(call: Call, kind: type[S], itwin_id: str | None, imodel_id: str | None) -> list[S]:
    """Return the saved views or groups of an iTwin, an iModel or all that the caller sees."""
    belongings = call.world.belongings
    records: Iterable[S] = (
        belongings.of(kind, itwin_id).values()
        if itwin_id is not None
        else (record for _, record in belongings.all(kind))
    )
    return [
        record
        for record in records
        if imodel_id in {None, record.imodel_id} and _sees(call, record)
    ]


def check_change(call: Call, record: SavedViewRecord | SavedViewGroupRecord) -> None:
    """Fail with 403 if the caller may not change what somebody else shares."""
    if not _own(call, record):
        raise errors.OperationError(errors.INSUFFICIENT_PERMISSIONS)


def _sees(call: Call, record: SavedViewRecord | SavedViewGroupRecord) -> bool:
    if not may_use(call, record.itwin_id, record.imodel_id):
        return False
    return record.shared or _own(call, record)


def _own(call: Call, record: SavedViewRecord | SavedViewGroupRecord) -> bool:
    managers = call.world.belongings.of(SavedViewManagerRecord, record.itwin_id)
    return call.user.id == record.creator_id or call.user.id in managers
