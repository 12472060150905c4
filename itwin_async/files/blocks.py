"""A local file becomes a blob: in one request while it is small, else in blocks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path

import attrs

from itwin_async.bulk import each
from itwin_async.errors import ApiError, FileTransferError
from itwin_async.events import FileProgress
from itwin_async.files import storage
from itwin_async.files.storage import Address, SignedFile
from itwin_async.session import Session, internals_of

BLOCK = 4 * 2**20
_MOST_BLOCKS = 50_000
_NAME = re.compile(rb"<Name>([^<]+)</Name>")
_UNREADABLE = frozenset({401, 403, 404})


@attrs.frozen
class Block:
    """
    A piece of a file.

    Attributes:
        id: made of its number and its digest, so that one that is there need not be sent again.
        digest: MD5.

    """

    id: str
    data: bytes = attrs.field(repr=False)
    digest: str


class Upload:
    """
    A file on its way to a blob.

    Args:
        session: the session.
        path: the file.
        signed: the blob.
        concurrency: how many blocks are under way at once.

    """

    def __init__(
        self, session: Session, path: Path, signed: SignedFile, *, concurrency: int
    ) -> None:
        self._session = session
        self._client = internals_of(session).client
        self._path = path
        self._size = path.stat().st_size
        self._signed = signed
        self._concurrency = concurrency
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._done = 0

    async def is_there(self) -> bool:
        """Tell whether the blob has the file's size and digest; one that cannot be read has not."""
        try:
            answer = await self._signed.once(self._look)
        except ApiError as error:
            if error.status in _UNREADABLE:
                return False
            raise
        stated = answer.get("Content-MD5") or answer.get("x-ms-blob-content-md5")
        if answer.get("Content-Length") != str(self._size) or not stated:
            return False
        return stated == await asyncio.to_thread(_digest_of, self._path)

    async def run(self) -> None:
        """
        Send the file.

        Raises:
            FileTransferError: it changed meanwhile.
            ApiError: the storage refused it.
            TransportError: no usable answer came.

        """
        self._done, self._md5 = 0, hashlib.md5(usedforsecurity=False)
        if self._size <= BLOCK:
            data = await asyncio.to_thread(self._path.read_bytes)
            self._check(len(data))
            await self._put(data, {"x-ms-blob-type": "BlockBlob"}, _md5_of(data))
            self._tell(len(data))
        else:
            await self._run_blocks()
        self._tell(0, finished=True)

    async def _run_blocks(self) -> None:
        there = await self._blocks_that_are_there()
        ids: list[str] = []

        async def put(_: Session, block: Block) -> None:
            if block.id not in there:
                await self._put(block.data, {}, block.digest, comp="block", blockid=block.id)
            self._tell(len(block.data))

        async with aclosing(self._blocks(ids)) as blocks:
            await each(put, self._session, blocks, concurrency=self._concurrency, fail_fast=True)
        rows = "".join(f"<Latest>{name}</Latest>" for name in ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{rows}</BlockList>'.encode()
        headers = {"x-ms-blob-content-md5": _base64(self._md5.digest())}
        await self._put(body, headers, _md5_of(body), comp="blocklist")

    async def _blocks(self, ids: list[str]) -> AsyncGenerator[Block, None]:
        length = max(BLOCK, -(-self._size // _MOST_BLOCKS))
        read = 0
        file = await asyncio.to_thread(self._path.open, "rb")
        try:
            while data := await asyncio.to_thread(file.read, length):
                read += len(data)
                block = await asyncio.to_thread(self._block, len(ids), data)
                ids.append(block.id)
                yield block
        finally:
            file.close()
        self._check(read)

    def _block(self, number: int, data: bytes) -> Block:
        self._md5.update(data)
        digest = hashlib.md5(data, usedforsecurity=False)
        name = base64.b64encode(f"{number:06d}-{digest.hexdigest()}".encode()).decode()
        return Block(name, data, _base64(digest.digest()))

    async def _blocks_that_are_there(self) -> set[str]:
        """Ask which blocks an earlier call left; an address that allows no reading tells none."""

        async def ask(address: Address) -> bytes:
            request = address.request(
                self._client, "GET", query={"comp": "blocklist", "blocklisttype": "uncommitted"}
            )
            return (await storage.send(self._session, request)).body

        try:
            body = await self._signed.once(ask)
        except ApiError as error:
            if error.status in _UNREADABLE:
                return set()
            raise
        return {name.decode("ascii", "replace") for name in _NAME.findall(body)}

    async def _put(
        self, data: bytes, headers: Mapping[str, str], digest: str, **query: str
    ) -> None:
        sent = {"Content-Type": "application/octet-stream", "Content-MD5": digest, **headers}

        async def put(address: Address) -> None:
            request = address.request(self._client, "PUT", headers=sent, body=data, query=query)
            await storage.send(self._session, request)

        await self._signed.use(put, lambda: self._done)

    async def _look(self, address: Address) -> Mapping[str, str]:
        answer = await storage.send(self._session, address.request(self._client, "HEAD"))
        return answer.headers

    def _check(self, read: int) -> None:
        if read != self._size:
            name = self._path.name
            raise FileTransferError(
                f"{name} had {self._size} bytes, and {read} when it was read", name=name
            )

    def _tell(self, further: int, *, finished: bool = False) -> None:
        self._done += further
        self._client.tell(
            FileProgress(self._path.name, self._done, self._size, upload=True, finished=finished)
        )


def _md5_of(data: bytes) -> str:
    return _base64(hashlib.md5(data, usedforsecurity=False).digest())


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return _base64(hashlib.file_digest(file, _new_md5).digest())


def _new_md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
