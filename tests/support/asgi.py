"""One request to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
import json
from typing import Any


def asgi(app: Any, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send JSON, and give the status and the parsed answer."""
    return asyncio.run(_ask(app, method, path, body))


async def _ask(app: Any, method: str, path: str, body: object) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []
    text = b"" if body is None else json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": text, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    answer = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(answer)
