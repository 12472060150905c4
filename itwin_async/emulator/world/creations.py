"""How iModels come to be: what takes time, and how it ends."""

from __future__ import annotations

import attrs

from itwin_async.emulator.world.belongings import belonging
from itwin_async.emulator.world.state import World

BASELINE = "baseline.bim"


@attrs.frozen
class CopyOrigin:
    """What a clone or fork was made from."""

    imodel_id: str
    changeset_id: str
    relationship_id: str | None = None


@belonging
@attrs.frozen(kw_only=True)
class CreationRecord:
    """
    The creation of an iModel, which is its parent.

    Args:
        state: as long as it is `scheduled`, `ready` says when it becomes `successful`.
        ready: seconds since the epoch.
        cloned_from: the source of a clone.
        forked_from: the source of a fork.

    """

    id: str = "create"
    state: str
    ready: float = 0.0
    cloned_from: CopyOrigin | None = None
    forked_from: CopyOrigin | None = None


@belonging
@attrs.frozen(kw_only=True)
class BaselineFileRecord:
    """The baseline file of an iModel, which is its parent; it becomes ready with the iModel."""

    id: str
    file_size: int
    state: str
    creator_id: str


@belonging
@attrs.frozen(kw_only=True)
class CheckpointRecord:
    """
    The checkpoint of a changeset.

    Args:
        id: the index of the changeset; 0 for the baseline.
        state: as long as it is `scheduled`, `ready` says when it becomes `successful`.
        ready: seconds since the epoch.

    """

    id: str
    state: str = "scheduled"
    ready: float = 0.0

    def state_at(self, now: float) -> str:
        """Return its state at a moment."""
        return "successful" if self.state == "scheduled" and now >= self.ready else self.state


@belonging
@attrs.frozen(kw_only=True)
class PendingRecord:
    """An iModel whose creation is scheduled."""

    id: str
    imodel_id: str


def creation_of(world: World, imodel_id: str) -> CreationRecord | None:
    """Return the creation of an iModel that took time."""
    return world.belongings.of(CreationRecord, imodel_id).get("create")


def baseline_of(world: World, imodel_id: str) -> BaselineFileRecord | None:
    """Return the baseline file of an iModel that was created from one."""
    return next(iter(world.belongings.of(BaselineFileRecord, imodel_id).values()), None)


def schedule(world: World, imodel_id: str, creation: CreationRecord) -> None:
    """Put the creation of an iModel into the world, to end when it is ready."""
    world.belongings.put(creation, imodel_id)
    if creation.state == "scheduled":
        world.belongings.put(PendingRecord(id=_pending(imodel_id), imodel_id=imodel_id))


def end(world: World, imodel_id: str, state: str) -> None:
    """End the creation of an iModel in a state; that of its baseline file goes with it."""
    creation = creation_of(world, imodel_id) or CreationRecord(state=state)
    ended = state if state != "fileIsBriefcase" else "failed"
    world.belongings.put(attrs.evolve(creation, state=ended), imodel_id)
    world.belongings.drop(PendingRecord, _pending(imodel_id))
    imodel, baseline = world.imodel(imodel_id), baseline_of(world, imodel_id)
    if imodel is not None:
        done = "initialized" if state == "successful" else "notInitialized"
        world.put_imodel(attrs.evolve(imodel, state=done))
    if baseline is not None:
        states = {"successful": "initialized", "fileIsBriefcase": "fileIsBriefcase"}
        found = states.get(state, "initializationFailed")
        world.belongings.put(attrs.evolve(baseline, state=found), imodel_id)


def settle(world: World, now: float) -> None:
    """End the creations that are ready."""
    for pending in list(world.belongings.of(PendingRecord).values()):
        creation = creation_of(world, pending.imodel_id)
        if creation is None:  # the iModel was deleted
            world.belongings.drop(PendingRecord, pending.id)
        elif now >= creation.ready:
            end(world, pending.imodel_id, "successful")


def _pending(imodel_id: str) -> str:
    return f"pending:{imodel_id}"  # not the id itself: what belongs to that stays
