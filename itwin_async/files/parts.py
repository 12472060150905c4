"""A file that comes in pieces: in memory while it is small, else in a part file beside its name."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import attrs

from itwin_async._http.bodies import BodyError
from itwin_async.errors import ApiError, FileTransferError
from itwin_async.files.disk import Disk

T = TypeVar("T")

BLOCK = 2**20
"""Bytes that are written at once; what is smaller is never a part file."""
_SMALL = 2**16
_SLOW = 0.002  # seconds
_SLOW_IN_A_ROW = 3
_PARTIAL = 206
_CHANGED = frozenset({412, 416})  # the blob is another, or shorter
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_STRONG = re.compile(r'"[\x21\x23-\x7e]*"')
_MD5_SIZE = hashlib.md5(usedforsecurity=False).digest_size


@attrs.define
class Disks:
    """
    Tells whether small writes take so long that other tasks would wait for them.

    One alone tells little: the machine may have been busy with something else.
    """

    _slow_in_a_row: int = 0

    @property
    def are_slow(self) -> bool:
        """Whether they should be left to threads."""
        return self._slow_in_a_row >= _SLOW_IN_A_ROW

    def note(self, seconds: float) -> None:
        """Take note of how long one took."""
        self._slow_in_a_row = self._slow_in_a_row + 1 if seconds > _SLOW else 0


class PartFile:
    """
    A file on its way here, over any number of answers and processes; takes bodies.

    Args:
        target: where it is to be.
        size: its size in bytes, or ``None`` if that is not known yet.
        tell: called when it got further.
        disks: what is known of the disk.

    """

    def __init__(
        self,
        target: Path,
        size: int | None,
        tell: Callable[[PartFile], None],
        disks: Disks,
    ) -> None:
        self.name = target.name
        self.size = size
        self.position = self.reached = self.taken = 0
        self.content_type = ""
        self.resumed = False
        self.problem: Exception | None = None
        self._announced = size
        self._tell = tell
        self._disks = disks
        self._disk = Disk(target)
        self._etag: str | None = None
        self._stated: bytes | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self._writing: asyncio.Future[None] | None = None

    async def prepare(self) -> bool:
        """Tell whether the whole file is there; if not, take up what an earlier process left."""
        kept, self.position, self._etag = await _in_thread(self._disk.find, self.size)
        self.reached = self.position
        self.resumed = self.position > 0
        return kept

    def headers(self) -> Mapping[str, str]:
        """Ask for what is missing, of the same blob."""
        if not self.position or self._etag is None:
            return {}
        return {"Range": f"bytes={self.position}-", "If-Match": self._etag}

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Take note of an answer: what follows is the rest, or the whole file once more."""
        etag = headers.get("ETag", "")
        if status == _PARTIAL:
            found = _RANGE.fullmatch(headers.get("Content-Range", ""))
            same = found is not None and int(found[1]) == self.position
            if not same or (etag and etag != self._etag):
                await self.start_anew()
                raise BodyError("the storage sent another range than was asked for")
            total = found[2] if found else None
        else:
            if self.position:
                await self.start_anew()
            self._etag = etag if _STRONG.fullmatch(etag) else None
            total = headers.get("Content-Length")
        if total is not None and total.isdecimal():
            if self._announced not in {None, int(total)}:
                size = self._announced
                self._refuse(f"{self.name} has {total} bytes in the storage; {size} announced")
            self.size = int(total)
        self._stated = _stated_md5(headers, whole=status != _PARTIAL) or self._stated
        self._disk.hashing = self._stated is not None
        self.content_type = headers.get("Content-Type", "")

    async def take(self, piece: bytes) -> None:
        """Take the next piece; writing goes on beside the network, one block at a time."""
        self._pieces.append(piece)
        self._held += len(piece)
        self.position += len(piece)
        self.taken += len(piece)
        self.reached = max(self.reached, self.position)
        if self._announced is not None and self.position > self._announced:
            self._refuse(f"{self.name} has more than the {self._announced} bytes announced")
        if self._held >= BLOCK:
            await self._written()
            self._hand_over()
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(None, self._disk.write, self._etag)
            self._tell(self)

    async def start_anew(self) -> None:
        """Drop what came."""
        await self._written()
        self._pieces, self._held, self.position = [], 0, 0
        self._etag = self._stated = None
        self.resumed = False
        await _in_thread(self._disk.restart)

    def is_stale(self, error: Exception) -> bool:
        """Tell whether an error may come from the beginning that is here already."""
        if isinstance(error, ApiError):
            return self.position > 0 and error.status in _CHANGED
        return self.resumed and isinstance(error, FileTransferError)

    async def finish(self) -> None:
        """
        Give the file its name, if it is whole.

        Raises:
            FileTransferError: it is not.

        """
        await self._written()
        if self.size is not None and self.position != self.size:
            raise FileTransferError(
                f"{self.name} ended after {self.position} of {self.size} bytes", name=self.name
            )
        self._hand_over()
        found = await self._complete()
        if self._stated is not None and found is not None and found != self._stated:
            raise FileTransferError(
                f"{self.name} has the MD5 {found.hex()}; the storage states {self._stated.hex()}",
                name=self.name,
            )

    def close(self) -> None:
        """Keep what came for another process, unless the file is finished."""
        self._disk.close(self._pieces, self._etag)

    async def _complete(self) -> bytes | None:
        # A small write is done sooner than it is handed to a thread, unless the disk is slow.
        if self.position > _SMALL or self._disks.are_slow:
            return await _in_thread(self._disk.complete, self._stated)
        started = time.perf_counter()
        found = self._disk.complete(self._stated)
        self._disks.note(time.perf_counter() - started)
        return found

    def _hand_over(self) -> None:
        self._disk.add(self._pieces)
        self._pieces, self._held = [], 0

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        try:
            if writing is not None:
                await writing
        except OSError as problem:
            self.problem = problem
        if self.problem is not None:
            raise BodyError("the file cannot be written", retryable=False)

    def _refuse(self, message: str) -> None:
        self.problem = FileTransferError(message, name=self.name)
        raise BodyError(message, retryable=False)


def _stated_md5(headers: Mapping[str, str], *, whole: bool) -> bytes | None:
    texts = [headers.get("x-ms-blob-content-md5", "")]
    hashes = headers.get("x-goog-hash", "").replace(" ", "").split(",")
    texts += [text.removeprefix("md5=") for text in hashes if text.startswith("md5=")]
    if whole:  # otherwise it is that of the range
        texts.append(headers.get("Content-MD5", ""))
    for text in texts:
        try:
            digest = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(digest) == _MD5_SIZE:
            return digest
    return None


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)
