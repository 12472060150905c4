"""A platform that speaks HTTP byte by byte, for the programs beside it."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.parse


class Server:
    """Speaks HTTP byte by byte; answer(method, target, headers, number) gives bytes or (bytes, close)."""

    def __init__(self, answer):
        self.answer, self.seen, self.writers = answer, [], []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ", 2)
                headers = {k.lower(): v for k, v in (h.split(": ", 1) for h in head[1:] if h)}
                await reader.readexactly(int(headers.get("content-length", 0)))
                self.seen.append((method, target, headers))
                out = self.answer(method, target, headers, len(self.seen))
                out = await out if asyncio.iscoroutine(out) else out
                data, close = out if isinstance(out, tuple) else (out, False)
                writer.write(data)
                await writer.drain()
                if close:
                    writer.close()
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass


def http(body=b"", status=200, *headers, length=True):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", *headers] + (
        [f"Content-Length: {len(body)}"] if length else []
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def page(ids, following=None, key="iModels"):
    links = {"next": {"href": following}} if following else {}
    return {key: [{"id": i, "displayName": i} for i in ids], "_links": links}


def query(target):
    return dict(urllib.parse.parse_qsl(target.partition("?")[2], keep_blank_values=True))


def wrong(text):
    print(text)
    sys.exit(1)
