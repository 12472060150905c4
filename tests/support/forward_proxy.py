"""A forward proxy on loopback that knows CONNECT, and leads every host to a server of the test."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Self

import attrs
import trustme
from doubles import Answer, CannedServer


@attrs.define
class ForwardProxy:
    """What it was asked for, and where it leads."""

    ports: Mapping[str, int]
    user: str = ""
    asked: list[str] = attrs.field(factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        credentials = f"{self.user}@" if self.user else ""
        return f"http://{credentials}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, where, _ = head.split(" ", 2)
            self.asked.append(f"{method} {where}")
            expected = f"Basic {base64.b64encode(self.user.encode()).decode()}"
            if self.user and expected not in head:
                writer.write(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
                return
            port = self.ports.get(where.partition(":")[0])
            if method != "CONNECT" or port is None:
                writer.write(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")
                return
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, to_writer))
                group.create_task(_pump(to_reader, writer))
        except (OSError, asyncio.IncompleteReadError, ExceptionGroup):
            pass
        finally:
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()


@asynccontextmanager
async def forwarding(ports: Mapping[str, int], user: str = "") -> AsyncIterator[ForwardProxy]:
    """Run a proxy; ``ports`` are those of the servers behind it, by host."""
    proxy = ForwardProxy(ports, user)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


class TlsServer(CannedServer):
    """A canned server that speaks TLS, with a certificate for some hosts."""

    def __init__(self, ca: trustme.CA, *hosts: str) -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(*hosts).configure_cert(self._context)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return self

    def always(self, answer: Answer) -> None:
        self.answers = [answer]
