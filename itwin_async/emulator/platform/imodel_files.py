"""The files of an iModel in the storage; those that nobody uploaded are made when read."""

from __future__ import annotations

from datetime import datetime

import attrs

from itwin_async.emulator.storage.blobs import BlobRecord, find_blob, made_blob, makes_blobs
from itwin_async.emulator.world.creations import BASELINE, baseline_of
from itwin_async.emulator.world.records import IModelRecord
from itwin_async.emulator.world.state import World

_BASELINE_SIZE = 32_768
_GROWTH = 512


def changeset_file(changeset_id: str) -> str:
    """Return the name of a changeset's file."""
    return f"{changeset_id}.cs"


def checkpoint_file(changeset_id: str) -> str:
    """Return the name of a checkpoint's file; that of the baseline has no changeset."""
    return f"{changeset_id or 'BASELINE'}.bim"


def baseline_size(world: World, imodel: IModelRecord) -> int:
    """Return the size of an iModel's baseline file, in bytes."""
    record = baseline_of(world, imodel.id)
    return record.file_size if record else _BASELINE_SIZE + int(imodel.id[:3], 16)


def checkpoint_size(world: World, imodel: IModelRecord, index: int) -> int:
    """Return the size of a checkpoint's file, in bytes."""
    return baseline_size(world, imodel) + index * _GROWTH


@makes_blobs
def _made(world: World, container: str, name: str) -> BlobRecord | None:
    imodel = world.imodel(container)
    if imodel is None:
        return None
    if name == BASELINE:
        return _made_baseline(world, imodel)
    changeset_id, _, kind = name.partition(".")
    if name == checkpoint_file(""):
        kept = find_blob(world, container, BASELINE)
        return None if kept is None else attrs.evolve(kept, id=name)
    changeset = world.history(container).find(changeset_id)
    if changeset is None or changeset.waits or kind not in {"cs", "bim"}:
        return None
    size, source = changeset.file_size, name  # equal in clones
    if kind == "bim":
        size, source = checkpoint_size(world, imodel, changeset.index), f"{container}/{name}"
    return made_blob(name, size, source, datetime.fromisoformat(changeset.pushed).timestamp())


def _made_baseline(world: World, imodel: IModelRecord) -> BlobRecord | None:
    file = baseline_of(world, imodel.id)
    if file is not None and file.state == "waitingForFile":
        return None
    moment = datetime.fromisoformat(imodel.created).timestamp()
    return made_blob(BASELINE, baseline_size(world, imodel), f"baseline:{imodel.id}", moment)
