"""A server that does exactly what a test says, byte for byte, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs


@attrs.frozen
class Seen:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]

    def query(self, name: str) -> str | None:
        pairs = (part.partition("=") for part in self.target.partition("?")[2].split("&"))
        return next((value for key, _, value in pairs if key == name), None)


@attrs.frozen
class Reply:
    body: bytes = b""
    status: int = 200


Respond = Callable[[Seen], Reply | Awaitable[Reply]]


def thing_page(ids: Iterable[int], *, links: Any = None, **more: Any) -> Reply:
    body: dict[str, Any] = {"things": [{"id": f"{number}"} for number in ids], **more}
    if links is not None:
        body["_links"] = links
    return Reply(json.dumps(body).encode())


def next_link(href: str | None) -> dict[str, Any]:
    return {"self": None, "prev": None, "next": None if href is None else {"href": href}}


def refusal(status: int) -> Reply:
    error = {"error": {"code": "Planned", "message": "as planned"}}
    return Reply(json.dumps(error).encode(), status)


class Server:
    """An HTTP server on a free port of loopback; every reply comes from one function."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[Seen] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[object]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def targets(self) -> list[str]:
        return [seen.target for seen in self.requests]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name("server")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.decode("utf-8").strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        await reader.readexactly(int(headers.get("content-length", "0")))
        seen = Seen(method, target, headers)
        self.requests.append(seen)
        reply = self.respond(seen)
        if not isinstance(reply, Reply):
            reply = await reply
        writer.write(
            b"HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (reply.status, len(reply.body))
            + reply.body
        )
        await writer.drain()


def strays() -> list[asyncio.Task[Any]]:
    """List the tasks that neither the test nor the server runs."""
    mine = asyncio.current_task()
    return [t for t in asyncio.all_tasks() if t is not mine and t.get_name() != "server"]
