"""Blobs: what the storage keeps, in the world, by container and name."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

import attrs

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.world.belongings import belonging
from itwin_async.emulator.world.ids import guid_of
from itwin_async.emulator.world.state import World

BINARY = "application/octet-stream"
# Not a power of two: a part that was put at a wrong place does not fit by chance.
_PERIOD = 65_521


@attrs.frozen
class Block:
    """A part of a blob, with the id that its sender chose; base64."""

    id: str
    data: bytes


@attrs.frozen
class BlockRange:
    """Where a block is in its blob."""

    id: str
    size: int


@belonging
@attrs.frozen(kw_only=True)
class BlobRecord:
    """
    A file in the storage; its parent is its container: the id of the entity that it is of.

    Args:
        id: its name.
        size: its size in bytes.
        data: its content; None when it is made from ``made_from``.
        made_from: what its content is made from, so that large files take no room.
        content_type: its media type.
        md5: base64 of the MD5 of its content, if the storage states it.
        etag: the version of its content; empty as long as only blocks of it were sent.
        modified: when it was written, in seconds since the epoch.
        blocks: the blocks that it was committed from.
        pending: the blocks that were sent and not committed yet.

    """

    id: str
    size: int = 0
    data: bytes | None = None
    made_from: str | None = None
    content_type: str = BINARY
    md5: str | None = None
    etag: str = ""
    modified: float = 0.0
    blocks: tuple[BlockRange, ...] = ()
    pending: tuple[Block, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether it can be read."""
        return self.etag != ""

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """Return the bytes from one offset to another, by default all."""
        end = self.size if end is None else min(end, self.size)
        if self.data is not None:
            return self.data[start:end]
        return _made(self.made_from or self.id, self.size, start, end)


Maker: TypeAlias = Callable[[World, str, str], "BlobRecord | None"]
_MAKERS: list[Maker] = []
Lister: TypeAlias = Callable[[World, str, str], Iterable[BlobRecord]]
_LISTERS: list[Lister] = []


def makes_blobs(maker: Maker) -> Maker:
    """Let a function make the blobs of a container and name that nobody wrote."""
    _MAKERS.append(maker)
    return maker


def lists_blobs(lister: Lister) -> Lister:
    """Let a function list the blobs of a container and prefix that nobody wrote."""
    _LISTERS.append(lister)
    return lister


def list_blobs(world: World, container: str, prefix: str) -> list[BlobRecord]:
    """List the blobs whose names begin so, by name."""
    kept = [blob for blob in world.belongings.of(BlobRecord, container).values() if blob.exists]
    made = [blob for lister in _LISTERS for blob in lister(world, container, prefix)]
    found = {blob.id: blob for blob in (*made, *kept) if blob.id.startswith(prefix)}
    return [found[name] for name in sorted(found)]


def find_blob(world: World, container: str, name: str) -> BlobRecord | None:
    """Return a blob that can be read."""
    kept = world.belongings.of(BlobRecord, container).get(name)
    if kept is not None and kept.exists:
        return kept
    return next(filter(None, (maker(world, container, name) for maker in _MAKERS)), None)


def put_blob(
    world: World,
    clock: EmulatorClock,
    container: str,
    name: str,
    data: bytes,
    *,
    content_type: str = BINARY,
    blocks: tuple[BlockRange, ...] = (),
    md5: str | None = None,
) -> BlobRecord:
    """Write a blob; the MD5 that is stated is that of the data unless it was sent in blocks."""
    blob = BlobRecord(
        id=name,
        size=len(data),
        data=data,
        content_type=content_type,
        md5=md5 if blocks else md5_of(data),
        etag=f"0x{world.guids.number(0, 0, world.next_number()):016X}",
        modified=clock.now(),
        blocks=blocks,
    )
    world.belongings.put(blob, container)
    return blob


def made_blob(name: str, size: int, made_from: str, modified: float) -> BlobRecord:
    """Return a blob whose content is made from a text when it is read."""
    return BlobRecord(
        id=name,
        size=size,
        made_from=made_from,
        md5=_made_md5(made_from, size),
        etag=f"0x{guid_of(f'{made_from}:{size}')[:8].upper()}",
        modified=modified,
    )


def drop_blob(world: World, container: str, name: str) -> None:
    """Remove a blob, if it is there."""
    world.belongings.drop(BlobRecord, name, container)


def md5_of(data: bytes) -> str:
    """Return the MD5 of bytes as headers have it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@lru_cache(maxsize=1024)
def _made_md5(made_from: str, size: int) -> str:
    return md5_of(_made(made_from, size, 0, size))


def _made(made_from: str, size: int, start: int, end: int) -> bytes:
    tile = _tile(made_from, min(size, _PERIOD))
    if not tile or end <= start:
        return b""
    first = start % len(tile)
    length = end - start
    return (tile * ((first + length - 1) // len(tile) + 1))[first : first + length]


@lru_cache(maxsize=64)
def _tile(made_from: str, size: int) -> bytes:
    return hashlib.shake_128(made_from.encode()).digest(size)
