"""A platform that has every list of the catalog, made up, paged and nested as the real one's."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from itwin_async import catalog
from itwin_async.operations import ListOperation

TOP = "top"


def guid(*parts: object) -> str:
    """Make the same GUID of the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def rows_of(name: str, of: tuple[str, ...]) -> list[dict[str, Any]]:
    """Make the rows of a list: of a list function, and the ids that it is the list of."""
    maker = _ROWS.get(name)
    count = {"itwins.list_itwins": 3, "imodels.list_imodels": 2}.get(name, 5)
    if maker is not None:
        return [maker(of, number) for number in range(count)]
    return [
        {"id": guid(name, *of, number), "displayName": f"{name} {number}", "unknown": [number]}
        for number in range(count)
    ]


def _repository(of: tuple[str, ...], number: int) -> dict[str, Any]:
    capabilities = {"resources": {"uri": "https://x/"}} if number % 2 else None
    return {"id": f"r{number}-{'-'.join(of)[:8]}", "class": "X", "capabilities": capabilities}


def _resource(of: tuple[str, ...], number: int) -> dict[str, Any]:
    capabilities = {"graphics": {"uri": "https://x/"}} if number % 2 else {}
    return {"id": f"s{number}-{of[-1]}", "displayName": "a", "capabilities": capabilities}


_ROWS: dict[str, Any] = {
    "imodels.list_changesets": lambda of, number: {
        "id": hashlib.sha1(f"{of}{number}".encode()).hexdigest(),
        "index": number + 1,
        "pushDateTime": "2024-02-03T04:05:06Z",
    },
    "imodels.list_extended_data": lambda of, number: {
        "changesetId": hashlib.sha1(f"{of}{number}".encode()).hexdigest(),
        "changesetIndex": number + 1,
        "data": "e30=",
    },
    # What a briefcase has locked goes over several items and pages.
    "imodels.list_locks": lambda of, number: {
        "briefcaseId": 2 + number // 3,
        "lockedObjects": [{"lockLevel": "shared", "objectIds": [f"0x{number}", of[0]]}],
    },
    "imodels.list_released_locks": lambda of, number: {
        "lockLevel": "shared",
        "objectIds": [f"0x{number}", of[0]],
    },
    "itwins.list_repositories": _repository,
    "itwins.list_global_repositories": _repository,
    "itwins.list_resources": _resource,
    "itwins.list_global_resources": _resource,
    "itwins.list_graphics": lambda of, number: {"type": "3DTILES", "uri": f"{of}{number}"},
    "itwins.list_global_graphics": lambda of, number: {"type": "3DTILES", "uri": f"{of}{number}"},
    "saved_views.list_extensions": lambda of, number: {
        "extensionName": f"E{number}",
        "href": f"https://x/{of[0]}",
    },
}


@attrs.define
class ListPlatform:
    """
    A server in a thread.

    Attributes:
        latency: seconds before each answer.
        every: each so many-th answer is a 503.
        refused: path of lists that are answered with 403.
        seen: paths that were asked for, with their ids.

    """

    token = "a-token"

    latency: float = 0.0
    every: int | None = None
    refused: str = ""
    base_url: str = ""
    seen: list[tuple[str, tuple[str, ...]]] = attrs.Factory(list)
    count: Iterator[int] = attrs.Factory(lambda: itertools.count(1))

    def answer(self, target: str) -> tuple[int, dict[str, Any]]:
        """Answer a GET."""
        time.sleep(self.latency)
        if self.every and next(self.count) % self.every == 0:
            return 503, {}
        found = urlsplit(target)
        query = dict(parse_qsl(found.query, keep_blank_values=True))
        operation, ids = _match(found.path)
        if self.refused and re.fullmatch(self.refused, found.path):
            return 403, {}
        of = ids or tuple(query[name] for name in ("iTwinId",) if name in query)
        rows = rows_of(operation.name, of)
        token = query.get("$continuationToken", "")
        if operation.paging == "none" or not (token or "$skip" in query):
            self.seen.append((operation.name, of))
        start = int(query.get("$skip") or token or 0)
        end = start + int(query.get("$top", 2))
        if operation.paging == "none":
            end = len(rows)
        following = query | (
            {"$continuationToken": f"{end}"}
            if "$continuationToken" in query
            else {"$skip": f"{end}"}
        )
        text = "&".join(f"{name}={value}" for name, value in following.items())
        href = f"{self.base_url}{found.path}?{text}"
        links = {"next": {"href": href} if end < len(rows) else None}
        return 200, {operation.key: rows[start:end], "_links": links}


@contextmanager
def list_platform(**options: Any) -> Iterator[ListPlatform]:
    """Run a platform of lists."""
    platform = ListPlatform(**options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, answer = platform.answer(self.path)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that are killed."""

    server = Server(("127.0.0.1", 0), Handler)
    platform.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _match(path: str) -> tuple[ListOperation[Any], tuple[str, ...]]:
    # A path with fewer ids is the more special one: favorites are no iModel's id.
    for operation in sorted(OPERATIONS, key=lambda each: len(each.placeholders)):
        pattern = re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(operation.path))
        if found := re.fullmatch(pattern, path):
            return operation, found.groups()
    raise AssertionError(path)


OPERATIONS = [
    entry.operation for entry in catalog.operations() if isinstance(entry.operation, ListOperation)
]
