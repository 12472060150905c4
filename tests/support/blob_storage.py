"""A storage host with signed addresses and faults, and a platform whose entities lead there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import attrs
from aiohttp import web

IMODEL = "0f6a2f0b-6d1a-4f7e-9a53-1e0d7c5b4a39"
ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
TOKEN = "the-token-of-the-platform"


@attrs.define
class Fault:
    """
    What goes wrong with the next answer about a blob.

    Attributes:
        status: answer with this one.
        code: the error's code.
        stop_at: position in the blob behind which the connection is dropped.
        revoke: no signature that was given out is good any longer afterwards.
        whole: ignore that a range was asked for.
        digest: state this one.
        change: the blob becomes another before it is answered.
        unsized: tell no length.
        headers: further headers.

    """

    status: int = 0
    code: str = ""
    stop_at: int | None = None
    revoke: bool = False
    whole: bool = False
    digest: str | None = None
    change: bytes | None = None
    unsized: bool = False
    headers: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Asked:
    method: str
    path: str
    query: str
    headers: Any
    size: int

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class BlobStorage:
    """Blobs by path; signatures are good until they are revoked."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.blocks: dict[str, dict[str, bytes]] = {}
        self.asked: list[Asked] = []
        self.sent: dict[str, int] = {}
        self.faults: dict[str, deque[Fault]] = {}
        self.url = ""
        self.pace = 0.0
        self.readable = True
        self._signatures: set[str] = set()
        self._numbers = itertools.count(1)

    def put(self, path: str, data: bytes, content_type: str = "application/octet-stream") -> None:
        self.blobs[path] = data
        self.digests[path] = base64.b64encode(hashlib.md5(data).digest()).decode()
        self.types[path] = content_type

    def fail(self, path: str, *faults: Fault) -> None:
        self.faults.setdefault(path, deque()).extend(faults)

    def sign(self, path: str) -> str:
        signature = f"s3cr3t{next(self._numbers):06d}%2Bsignature%3D"
        self._signatures.add(signature)
        return f"{self.url}{path}?sv=2020-10-02&sp=r&sig={signature}"

    def revoke(self) -> None:
        self._signatures.clear()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.path
        self.asked.append(
            Asked(
                request.method,
                path,
                request.rel_url.raw_query_string,
                request.headers.copy(),
                len(body),
            )
        )
        queue = self.faults.get(path)
        fault = queue.popleft() if queue else Fault()
        return self.refusal(request, fault) or await self.accept(request, fault, body)

    def refusal(self, request: web.Request, fault: Fault) -> web.Response | None:
        signature = re.search("sig=([^&]*)", request.rel_url.raw_query_string)
        if signature is None or signature[1] not in self._signatures:
            return self.refuse(403, "AuthenticationFailed")
        if fault.status:
            return self.refuse(fault.status, fault.code)
        return None

    async def accept(self, request: web.Request, fault: Fault, body: bytes) -> web.StreamResponse:
        path = request.path
        if fault.change is not None:
            self.put(path, fault.change)
        if request.method == "PUT":
            return self.store(request, path, body)
        if not self.readable:
            return self.refuse(403, "AuthorizationPermissionMismatch")
        if request.query.get("comp") == "blocklist":
            names = "".join(f"<Block><Name>{n}</Name></Block>" for n in self.blocks.get(path, {}))
            return web.Response(text=f"<BlockList>{names}</BlockList>", content_type="text/xml")
        if path not in self.blobs:
            return self.refuse(404, "BlobNotFound")
        return await self.read(request, path, fault)

    @staticmethod
    def refuse(status: int, code: str) -> web.Response:
        text = f"<Error><Code>{code}</Code><Message>sig=s3cr3t quoted</Message></Error>"
        return web.Response(status=status, text=text, content_type="application/xml")

    def store(self, request: web.Request, path: str, body: bytes) -> web.Response:
        stated = request.headers.get("Content-MD5")
        if stated != base64.b64encode(hashlib.md5(body).digest()).decode():
            return self.refuse(400, "Md5Mismatch")
        if request.query.get("comp") == "block":
            self.blocks.setdefault(path, {})[request.query["blockid"]] = body
        elif request.query.get("comp") == "blocklist":
            blocks = self.blocks.pop(path)
            ids = re.findall("<Latest>([^<]+)</Latest>", body.decode())
            self.put(path, b"".join(blocks[name] for name in ids))
            assert request.headers["x-ms-blob-content-md5"] == self.digests[path]
        else:
            assert request.headers["x-ms-blob-type"] == "BlockBlob"
            self.put(path, body)
        return web.Response(status=201)

    async def read(self, request: web.Request, path: str, fault: Fault) -> web.StreamResponse:
        data, etag = self.blobs[path], f'"{self.digests[path].rstrip("=")}"'
        wanted, position, status = request.headers.get("If-Match"), 0, 200
        if wanted is not None and wanted != etag:
            return self.refuse(412, "ConditionNotMet")
        headers = {"ETag": etag, "Content-Type": self.types[path], **fault.headers}
        given = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        digest = self.digests[path] if fault.digest is None else fault.digest
        if given and not fault.whole:
            position, status = int(given[1]), 206
            if position >= len(data):
                return self.refuse(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {position}-{len(data) - 1}/{len(data)}"
            headers["x-ms-blob-content-md5"] = digest
        elif digest:
            headers["Content-MD5"] = digest
        return await self.write(request, data[position:], position, fault, status, headers)

    async def write(
        self,
        request: web.Request,
        rest: bytes,
        position: int,
        fault: Fault,
        status: int,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers=headers)
        if not fault.unsized:
            answer.content_length = len(rest)
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        end = len(rest) if fault.stop_at is None else fault.stop_at - position
        for start in range(0, end, 65536):
            piece = rest[start : min(start + 65536, end)]
            await answer.write(piece)
            self.sent[request.path] = self.sent.get(request.path, 0) + len(piece)
            if self.pace:
                await asyncio.sleep(self.pace)
        if fault.stop_at is not None:
            if fault.revoke:
                self.revoke()
            assert request.transport is not None
            await asyncio.sleep(0.01)
            request.transport.close()
        return answer


class FilePlatform:
    """Changesets, a baseline file, an export and pictures, as the platform tells of them."""

    def __init__(self, storage: BlobStorage) -> None:
        self.storage = storage
        self.changesets: dict[str, dict[str, Any]] = {}
        self.baseline: dict[str, Any] | None = None
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.page_size = 100
        self.lose: set[str] = set()
        self.upload_again = True
        self.url = ""

    def add(self, index: int, data: bytes, **members: Any) -> str:
        """Add a changeset, and return the path of its blob."""
        changeset_id = f"{index:040x}"
        self.changesets[changeset_id] = {
            "id": changeset_id,
            "index": index,
            "state": "fileUploaded",
            "fileSize": len(data),
            **members,
        }
        path = f"/container/{changeset_id}"
        self.storage.put(path, data)
        return path

    def told(self, changeset: dict[str, Any], *, fresh: bool = False) -> dict[str, Any]:
        path = f"/container/{changeset['id']}"
        links: dict[str, Any] = {
            "self": {"href": f"{self.url}/imodels/{IMODEL}/changesets/{changeset['index']}"},
            "download": None,
        }
        if changeset["state"] == "fileUploaded":
            links["download"] = {"href": self.storage.sign(path), "storageType": "azure"}
        elif fresh or self.upload_again:
            links["upload"] = {"href": self.storage.sign(path), "storageType": "azure"}
        return {**changeset, "_links": links}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        route = f"{request.method} {request.path}"
        self.asked.append(route)
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        body: dict[str, Any] = await request.json() if request.can_read_body else {}
        answer = await self.respond(request, route, body)
        if request.method in self.lose:
            self.lose.discard(request.method)
            assert request.transport is not None
            request.transport.close()
        return answer

    async def respond(
        self, request: web.Request, route: str, body: dict[str, Any]
    ) -> web.StreamResponse:
        base = f"/imodels/{IMODEL}/changesets"
        if route in self.answers:
            return self.canned(self.answers[route])
        if route == f"GET {base}":
            return self.list(request)
        if route == f"POST {base}":
            return self.announce(body)
        if request.path.startswith(f"{base}/"):
            return self.one(request, request.path.rpartition("/")[2])
        if request.path == f"/imodels/{IMODEL}/baselinefile" and self.baseline:
            return self.baseline_file(request.method)
        return self.error(404, "NotFound")

    @staticmethod
    def canned(found: Any) -> web.Response:
        if isinstance(found, bytes):
            return web.Response(body=found, content_type="image/png")
        return web.json_response(found() if callable(found) else found)

    def announce(self, body: dict[str, Any]) -> web.Response:
        if body["id"] in self.changesets:
            return self.error(409, "ChangesetExists")
        index = len(self.changesets) + 1
        added = {"id": body["id"], "index": index, "state": "waitingForFile"}
        self.changesets[body["id"]] = {**added, "fileSize": body["fileSize"]}
        told = self.told(self.changesets[body["id"]], fresh=True)
        return web.json_response({"changeset": told}, status=201)

    def baseline_file(self, method: str) -> web.Response:
        assert self.baseline is not None
        if method == "POST":
            if "/container/baseline" not in self.storage.blobs:
                return self.error(404, "FileNotFound")
            self.baseline["state"] = "initializationScheduled"
        return web.json_response({"baselineFile": self.baseline})

    def list(self, request: web.Request) -> web.Response:
        rows = [
            row
            for row in self.changesets.values()
            if row["index"] > int(request.query.get("afterIndex", 0))
            and row["index"] <= int(request.query.get("lastIndex", 10**9))
        ]
        start = int(request.query.get("$continuationToken") or 0)
        following = start + self.page_size
        links: dict[str, Any] = {"self": {"href": str(request.url)}}
        if following < len(rows):
            query = {**request.query, "$continuationToken": str(following)}
            links["next"] = {"href": str(request.url.with_query(query))}
        page = [self.told(row) for row in rows[start:following]]
        return web.json_response({"changesets": page, "_links": links})

    def one(self, request: web.Request, key: str) -> web.Response:
        found = self.changesets.get(key)
        if found is None:
            return self.error(404, "ChangesetNotFound")
        if request.method == "PATCH":
            if len(self.storage.blobs.get(f"/container/{key}", b"")) != found["fileSize"]:
                return self.error(404, "FileNotFound")
            found["state"] = "fileUploaded"
        return web.json_response({"changeset": self.told(found)})

    @staticmethod
    def error(status: int, code: str) -> web.Response:
        return web.json_response({"error": {"code": code, "message": "no"}}, status=status)


class Servers:
    """Both, on two ports of this machine."""

    def __init__(self) -> None:
        self.storage = BlobStorage()
        self.platform = FilePlatform(self.storage)
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        for part in (self.storage, self.platform):
            app = web.Application(client_max_size=2**30)
            app.router.add_route("*", "/{path:.*}", part.answer)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            self._runners.append(runner)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            part.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()


@contextmanager
def servers_in_a_thread() -> Iterator[Servers]:
    """Run both beside the test, for processes of their own."""
    loop, ready, servers = asyncio.new_event_loop(), threading.Event(), Servers()

    async def serve() -> None:
        async with servers:
            ready.set()
            await asyncio.Event().wait()

    task = loop.create_task(serve())

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(30)
    try:
        yield servers
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)
        loop.close()
