"""The storage: a part of the protocol of Azure Blob Storage, with signed URLs only."""

from __future__ import annotations

import base64
import binascii
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from urllib.parse import unquote
from xml.sax.saxutils import escape

import attrs

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.requests import Query, Request, split_path
from itwin_async.emulator.responses import Response
from itwin_async.emulator.storage import errors, listing
from itwin_async.emulator.storage.blobs import (
    BINARY,
    BlobRecord,
    Block,
    BlockRange,
    find_blob,
    md5_of,
    put_blob,
)
from itwin_async.emulator.storage.conditions import check_conditions, http_date, wanted_range
from itwin_async.emulator.storage.errors import StorageError
from itwin_async.emulator.storage.signatures import LIST, PREFIX, READ, VERSION, WRITE, verify
from itwin_async.emulator.world.ids import guid_of
from itwin_async.emulator.world.state import World

_PATH = f"{PREFIX}/{{container}}/{{blob}}"
_LISTED = f"{PREFIX}/{{container}}"
OPERATIONS = (*(f"{method} {_PATH}" for method in ("GET", "HEAD", "PUT")), f"GET {_LISTED}")
_LONGEST_BLOCK_ID = 64


def operation(request: Request) -> str:
    """Return the name that a request is counted by."""
    is_blob = len(split_path(request.path)) > 2  # noqa: PLR2004 - prefix, container
    return f"{request.method} {_PATH if is_blob else _LISTED}"


def respond(request: Request, world: World, clock: EmulatorClock) -> Response:
    """Answer a request to the storage."""
    try:
        response = _Access.of(request, world, clock).respond()
    except StorageError as error:
        response = error.response
    if request.method == "HEAD" and response.status >= 400:  # noqa: PLR2004 - errors
        response = attrs.evolve(response, body=b"")
    number = f"{request}:{clock.now()}"
    return response.with_headers({"x-ms-version": VERSION, "x-ms-request-id": guid_of(number)})


@attrs.frozen
class _Access:
    """A request whose signed URL is valid."""

    request: Request
    query: Query
    container: str
    name: str
    permissions: str
    world: World
    clock: EmulatorClock

    @classmethod
    def of(cls, request: Request, world: World, clock: EmulatorClock) -> _Access:
        query, segments = Query(request.query), split_path(request.path)
        if "Authorization" in request.headers:
            raise StorageError(errors.BEARER_TOKEN)
        if len(segments) < 2 or not all(segments):  # noqa: PLR2004 - prefix, container
            raise StorageError(errors.RESOURCE_NOT_FOUND)
        container, *parts = (unquote(segment, errors="replace") for segment in segments[1:])
        name = "/".join(parts)
        try:
            permissions = verify(world.seed, container, name, query, clock.now())
        except ValueError as error:
            raise StorageError(errors.unauthenticated(str(error))) from None
        return cls(request, query, container, name, permissions, world, clock)

    def respond(self) -> Response:
        method, part = self.request.method, self.query.get("comp", "")
        if method not in {"GET", "HEAD", "PUT"}:
            message = "The resource doesn't support specified Http Verb."
            allowed = {"Allow": "GET, HEAD, PUT"}
            raise StorageError(
                errors.error(405, "UnsupportedHttpVerb", message, headers=allowed, violation=True)
            )
        needed = WRITE if method == "PUT" else READ if self.name else LIST
        if not set(needed) <= set(self.permissions):
            raise StorageError(errors.NOT_PERMITTED)
        if not self.name:
            return self._list()
        if method == "PUT":
            found = {"": self._put_blob, "block": self._put_block, "blocklist": self._commit}
        else:
            found = {"": self._read, "blocklist": self._list_blocks}
        if part not in found:
            raise StorageError(errors.invalid_query("comp"))
        return found[part]()

    def _list(self) -> Response:
        wanted = self.query.get("restype"), self.query.get("comp")
        if self.request.method != "GET" or wanted != ("container", "list"):
            raise StorageError(errors.RESOURCE_NOT_FOUND)
        return listing.respond(self.world, self.container, self.query)

    @property
    def _kept(self) -> BlobRecord:
        """The blob as it is in the world, or one that nothing was sent of."""
        rows = self.world.belongings.of(BlobRecord, self.container)
        return rows.get(self.name) or BlobRecord(id=self.name)

    def _header(self, name: str, default: str = "") -> str:
        return self.request.headers.get(name, default)

    def _read(self) -> Response:
        blob = find_blob(self.world, self.container, self.name)
        if blob is None:
            raise StorageError(errors.BLOB_NOT_FOUND)
        check_conditions(self.request.headers, blob, read=True)
        part = wanted_range(self.request.headers, blob)
        headers = {
            **_version(blob),
            "Content-Type": blob.content_type,
            "Accept-Ranges": "bytes",
            "x-ms-blob-type": "BlockBlob",
        }
        start, end = part or (0, blob.size)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        if blob.md5 is not None:
            headers["Content-MD5" if part is None else "x-ms-blob-content-md5"] = blob.md5
        status = 200 if part is None else 206
        if self.request.method == "HEAD":
            return Response(status, b"", {**headers, "Content-Length": str(end - start)})
        data = blob.read(start, end)
        if part is not None and self._header("x-ms-range-get-content-md5").lower() == "true":
            headers["Content-MD5"] = md5_of(data)
        return Response(status, data, headers)

    def _put_blob(self) -> Response:
        if self._header("x-ms-blob-type") != "BlockBlob":
            message = "An HTTP header that's mandatory for this request is not specified: "
            raise StorageError(
                errors.error(400, "MissingRequiredHeader", f"{message}x-ms-blob-type.")
            )
        digest = self._checked_md5()
        self._check_write()
        kind = self._header("x-ms-blob-content-type") or self._header("Content-Type", BINARY)
        data = self.request.body
        blob = put_blob(self.world, self.clock, self.container, self.name, data, content_type=kind)
        return self._written(blob, digest)

    def _put_block(self) -> Response:
        block_id, kept = self.query.get("blockid", ""), self._kept
        try:
            length = len(base64.b64decode(block_id, validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if not 0 < length <= _LONGEST_BLOCK_ID:
            raise StorageError(errors.invalid_query("blockid"))
        others = tuple(block for block in kept.pending if block.id != block_id)
        if any(len(block.id) != len(block_id) for block in others):
            raise StorageError(errors.INVALID_BLOCK)
        digest = self._checked_md5()
        block = Block(block_id, self.request.body)
        self.world.belongings.put(attrs.evolve(kept, pending=(*others, block)), self.container)
        return Response(201, b"", {"Content-MD5": digest})

    def _commit(self) -> Response:
        kept, self_md5 = self._kept, self._checked_md5()
        self._check_write()
        parts = [self._block(kept, kind, block_id) for kind, block_id in self._listed()]
        blob = put_blob(
            self.world,
            self.clock,
            self.container,
            self.name,
            b"".join(block.data for block in parts),
            content_type=self._header("x-ms-blob-content-type", BINARY),
            blocks=tuple(BlockRange(block.id, len(block.data)) for block in parts),
            md5=self._header("x-ms-blob-content-md5") or None,
        )
        return self._written(blob, self_md5)

    def _listed(self) -> Iterator[tuple[str, str]]:
        """Yield kind and id of the blocks that a block list names."""
        try:
            root = ET.fromstring(self.request.body)  # noqa: S314 - a test's own document
        except ET.ParseError:
            raise StorageError(errors.INVALID_XML) from None
        if root.tag != "BlockList":
            raise StorageError(errors.INVALID_XML)
        for item in root:
            yield item.tag, (item.text or "").strip()

    def _block(self, kept: BlobRecord, kind: str, block_id: str) -> Block:
        if kind in {"Latest", "Uncommitted"}:
            for block in kept.pending:
                if block.id == block_id:
                    return block
        if kind in {"Latest", "Committed"}:
            offset = 0
            for part in kept.blocks:
                if part.id == block_id:
                    return Block(block_id, kept.read(offset, offset + part.size))
                offset += part.size
        raise StorageError(errors.INVALID_BLOCK_LIST)

    def _list_blocks(self) -> Response:
        kept, kind = self._kept, self.query.get("blocklisttype", "committed").lower()
        if not kept.exists and not kept.pending:
            raise StorageError(errors.BLOB_NOT_FOUND)
        groups = {
            "Committed": [(part.id, part.size) for part in kept.blocks],
            "Uncommitted": [(block.id, len(block.data)) for block in kept.pending],
        }
        text = '<?xml version="1.0" encoding="utf-8"?><BlockList>'
        for group, rows in groups.items():
            if kind in {"all", group.lower()}:
                text += f"<{group}Blocks>" + "".join(
                    f"<Block><Name>{escape(block_id)}</Name><Size>{size}</Size></Block>"
                    for block_id, size in rows
                )
                text += f"</{group}Blocks>"
        headers = {"Content-Type": errors.XML_TYPE, "x-ms-blob-content-length": str(kept.size)}
        if kept.exists:
            headers |= _version(kept)
        return Response(200, f"{text}</BlockList>".encode(), headers)

    def _checked_md5(self) -> str:
        digest = md5_of(self.request.body)
        if self._header("Content-MD5", digest) != digest:
            raise StorageError(errors.MD5_MISMATCH)
        return digest

    def _check_write(self) -> None:
        kept = self._kept
        check_conditions(self.request.headers, kept if kept.exists else None, read=False)

    def _written(self, blob: BlobRecord, digest: str) -> Response:
        headers = {**_version(blob), "Content-MD5": digest}
        return Response(201, b"", {**headers, "x-ms-request-server-encrypted": "true"})


def _version(blob: BlobRecord) -> dict[str, str]:
    return {"ETag": f'"{blob.etag}"', "Last-Modified": http_date(blob.modified)}
