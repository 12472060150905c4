"""Checkpoints: whole iModels as of a changeset."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.changesets import CHANGESETS, history_of
from itwin_async.emulator.platform.imodel_files import checkpoint_file, checkpoint_size
from itwin_async.emulator.platform.imodels import IMODELS, reading
from itwin_async.emulator.platform.named_versions import NAMED_VERSIONS
from itwin_async.emulator.platform.permissions import may, require
from itwin_async.emulator.platform.routes import Route
from itwin_async.emulator.platform.stored import (
    STORAGE_LINK,
    container_token,
    download_url,
    storage_link,
    storage_url,
)
from itwin_async.emulator.world.creations import CheckpointRecord

_SUCCESSFUL = "successful"
STATES = (_SUCCESSFUL, "scheduled", "failed", "notGenerated")
_ACCESS = s.define(
    "DirectoryAccessInfo",
    s.objects(
        {
            **s.each(s.TEXT, "baseUrl storage baseDirectory storageType"),
            "azure": s.objects({"sasToken": s.TEXT}),
        },
        nullable=True,
    ),
)
_CHECKPOINT = s.define(
    "Checkpoint",
    s.objects(
        {
            **s.each(s.TEXT, "changesetId dbName"),
            **s.each({"type": "integer"}, "changesetIndex size"),
            "state": s.texts(*STATES),
            "directoryAccessInfo": _ACCESS,
            "_links": s.define("CheckpointLinks", s.objects({"download": STORAGE_LINK})),
        }
    ),
)


@attrs.frozen
class _Checkpoint:
    """The checkpoint of a changeset, and its state at the moment."""

    index: int
    changeset_id: str
    state: str


def _at(call: Call, index: int, changeset_id: str) -> _Checkpoint:
    """Return a checkpoint: those of baseline and named versions exist unless a record says more."""
    kept = call.world.belongings.of(CheckpointRecord, IMODELS.id_of(call)).get(str(index))
    if kept is not None:
        state = kept.state_at(call.clock.now())
    else:
        made = history_of(call).version_on(index) is not None
        made = made or (index == 0 and IMODELS.one(call).state == "initialized")
        state = _SUCCESSFUL if made else "notGenerated"
    return _Checkpoint(index, changeset_id, state)


def _latest(call: Call) -> _Checkpoint:
    """Return the last checkpoint that is successful; CheckpointNotFound if there is none."""
    imodel, history = IMODELS.one(call), history_of(call)
    kept = call.world.belongings.of(CheckpointRecord, imodel.id)
    indexes = {*map(int, kept), *(version.changeset_index for version in history.versions()), 0}
    for index in sorted(indexes, reverse=True):
        changeset = history.at(index)
        found = _at(call, index, changeset.id if changeset else "")
        if found.state == _SUCCESSFUL and imodel.state == "initialized":
            return found
    raise errors.OperationError(errors.not_found("Checkpoint"))


def _of_changeset(call: Call) -> _Checkpoint:
    if call.params["changesetId"].strip("0") == "":
        IMODELS.one(call)
        return _at(call, 0, "")
    changeset = CHANGESETS.one(call)
    return _at(call, changeset.index, changeset.id)


def _of_named_version(call: Call) -> _Checkpoint:
    version = NAMED_VERSIONS.one(call)
    return _at(call, version.changeset_index, version.changeset_id or "")


def _rescheduled(call: Call) -> _Checkpoint:
    found, imodel_id = _of_named_version(call), IMODELS.id_of(call)
    require(call, imodel_id, "imodels_write")
    if found.state == "failed":
        ready = call.clock.now() + call.work_seconds
        call.world.belongings.put(CheckpointRecord(id=str(found.index), ready=ready), imodel_id)
        return attrs.evolve(found, state="scheduled")
    return found


def _show(call: Call, found: _Checkpoint) -> JsonObject:
    imodel = IMODELS.one(call)
    name = checkpoint_file(found.changeset_id)
    done = found.state == _SUCCESSFUL
    readable = done and may(call, imodel.id, "imodels_read")
    access: JsonObject = {
        "baseUrl": storage_url(call),
        "storage": imodel.id,
        "baseDirectory": name.partition(".")[0],
        "storageType": "azure",
        "azure": {"sasToken": container_token(call, imodel.id)},
    }
    link = storage_link(download_url(call, imodel.id, name)) if readable else None
    return {
        "changesetId": found.changeset_id,
        "changesetIndex": found.index,
        "size": checkpoint_size(call.world, imodel, found.index) if done else 0,
        "state": found.state,
        "dbName": name,
        "directoryAccessInfo": access if readable else None,
        "_links": {"download": link},
    }


def _route(operation: str, title: str, find: Callable[[Call], _Checkpoint], **facts: bool) -> Route:
    def show(call: Call) -> JsonObject:
        return _show(call, find(call))

    return reading(operation, title, "checkpoint", show, _CHECKPOINT, **facts)


_VERSION = "/imodels/{id}/namedversions/{namedVersionId}/checkpoint"
ROUTES = (
    _route("GET /imodels/{id}/briefcases/checkpoint", "Get Briefcase Checkpoint", _latest),
    _route(
        "GET /imodels/{id}/changesets/{changesetId}/checkpoint",
        "Get Changeset Checkpoint",
        _of_changeset,
    ),
    _route(f"GET {_VERSION}", "Get Named Version Checkpoint", _of_named_version),
    _route(f"PUT {_VERSION}", "Update Named Version Checkpoint", _rescheduled, forbids=True),
)
