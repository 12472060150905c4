"""Copies of histories and files, for clones and forks."""

from __future__ import annotations

import attrs

from itwin_async.emulator.platform.imodel_files import changeset_file
from itwin_async.emulator.storage.blobs import BlobRecord
from itwin_async.emulator.world.creations import BASELINE, baseline_of
from itwin_async.emulator.world.state import World


def copy_history(world: World, source_id: str, copy_id: str, last: int) -> None:
    """Copy the baseline file and the changesets of an iModel up to an index to another."""
    files = [BASELINE]
    for changeset in world.history(source_id).rows(last=last):
        world.belongings.put(attrs.evolve(changeset, group_id=None), copy_id)
        files.append(changeset_file(changeset.id))
    baseline = baseline_of(world, source_id)
    if baseline is not None:
        world.belongings.put(attrs.evolve(baseline, id=world.new_id()), copy_id)
    kept = world.belongings.of(BlobRecord, source_id)
    for name in files:
        if name in kept:
            world.belongings.put(kept[name], copy_id)
