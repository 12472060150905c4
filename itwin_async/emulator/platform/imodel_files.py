"""The files of an iModel in the storage; those that nobody uploaded are made when read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import attrs

from itwin_async.emulator.storage.blobs import (
    BlobRecord,
    find_blob,
    lists_blobs,
    made_blob,
    makes_blobs,
    md5_of,
)
from itwin_async.emulator.world.creations import BASELINE, baseline_of
from itwin_async.emulator.world.records import IModelRecord
from itwin_async.emulator.world.state import World

_BASELINE_SIZE = 32_768
_GROWTH = 512
_BLOCK = 16_384
_BLOCK_NAME = re.compile(r"[0-9a-f]{8}\.bcv")


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
    if "/" in name:
        return _made_block(world, container, name)
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


@lists_blobs
def _directories(world: World, container: str, prefix: str) -> Iterator[BlobRecord]:
    """List the blocks of checkpoints: of that which the prefix names, or of the named versions."""
    if world.imodel(container) is None:
        return
    versions = world.history(container).versions()
    names = {checkpoint_file(version.changeset_id or "") for version in versions}
    directories = {name.partition(".")[0] for name in (*names, checkpoint_file(""))}
    for directory in {prefix.partition("/")[0]} if "/" in prefix else directories:
        yield from _blocks(world, container, directory)


def _blocks(world: World, container: str, directory: str) -> Iterator[BlobRecord]:
    """Cut the file of a checkpoint into the blocks of its directory."""
    file = find_blob(world, container, f"{directory}.bim")
    for number in range(-(-file.size // _BLOCK) if file else 0):
        yield _block(file, directory, number)  # type: ignore[arg-type]


def _made_block(world: World, container: str, name: str) -> BlobRecord | None:
    directory, _, block = name.partition("/")
    file = find_blob(world, container, f"{directory}.bim")
    number = int(block[:8], 16) if _BLOCK_NAME.fullmatch(block) else -1
    if file is None or not 0 <= number * _BLOCK < file.size:
        return None
    return _block(file, directory, number)


def _block(file: BlobRecord, directory: str, number: int) -> BlobRecord:
    data = file.read(number * _BLOCK, (number + 1) * _BLOCK)
    return attrs.evolve(
        file,
        id=f"{directory}/{number:08x}.bcv",
        size=len(data),
        data=data,
        md5=md5_of(data),
        etag=f"{file.etag}{number:08X}",
    )


def _made_baseline(world: World, imodel: IModelRecord) -> BlobRecord | None:
    file = baseline_of(world, imodel.id)
    if file is not None and file.state == "waitingForFile":
        return None
    moment = datetime.fromisoformat(imodel.created).timestamp()
    return made_blob(BASELINE, baseline_size(world, imodel), f"baseline:{imodel.id}", moment)
