"""Stand-ins that tests share: a clock, a server that speaks bytes, a server with canned answers."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import attrs
import pytest
from aiohttp import web
from multidict import CIMultiDict

from itwin_async import ArgumentError

Handler = Callable[["Exchange"], Awaitable[None]]


class FakeClock:
    """
    Time that passes only when somebody sleeps or the test says so.

    Args:
        auto: whether sleeping itself lets the time pass; otherwise sleepers wait for ``advance``.

    """

    def __init__(self, *, auto: bool = True, start: float = 1000.0) -> None:
        self.now = start
        self.auto = auto
        self.sleeps: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if self.auto:
            self.now += seconds
            await asyncio.sleep(0)
            return
        turn = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, turn))
        await turn

    async def advance(self, seconds: float) -> None:
        """Let time pass, and let whoever is due run."""
        end = self.now + seconds
        while due := sorted(
            (moment, index)
            for index, (moment, turn) in enumerate(self._sleepers)
            if moment <= end and not turn.done()
        ):
            self.now = max(self.now, due[0][0])
            _, turn = self._sleepers.pop(due[0][1])
            turn.set_result(None)
            await settle()
        self.now = end
        await settle()


@contextmanager
def refused(argument: str) -> Iterator[None]:
    """Expect an argument to be refused."""
    with pytest.raises(ArgumentError) as caught:
        yield
    assert caught.value.argument == argument


def skip_time(seconds: float) -> None:
    """Let so much time pass for the running loop: what is due by then is due at once."""
    loop = asyncio.get_running_loop()
    plain = loop.time
    loop.time = lambda: plain() + seconds  # type: ignore[method-assign]


async def settle(rounds: int = 20) -> None:
    """Let every task that can run do so, without any I/O of note."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that other tasks or processes bring about."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(0.001)


@attrs.define
class Exchange:
    """One request as it came over the wire, and the way to answer it."""

    head: bytes
    body: bytes
    writer: asyncio.StreamWriter
    number: int

    @property
    def method(self) -> str:
        return self._line[0]

    @property
    def target(self) -> str:
        return self._line[1]

    @property
    def _line(self) -> list[str]:
        return self.head.split(b"\r\n", 1)[0].decode("utf-8", "surrogateescape").split(" ")

    def header(self, name: str) -> str | None:
        values = self.headers(name)
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        return self.all_headers.getall(name, [])

    @property
    def all_headers(self) -> CIMultiDict[str]:
        lines = self.head.decode("utf-8", "surrogateescape").split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines if line]
        return CIMultiDict((key, value.strip()) for key, _, value in pairs)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(
        self, body: bytes = b"{}", status: int = 200, headers: Iterable[str] = (), **extra: object
    ) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {extra.get('length', len(body))}"]
        await self.send("\r\n".join([*lines, *headers, "", ""]).encode() + body)

    def close(self) -> None:
        self.writer.close()


class RawServer:
    """A server that hands out requests byte by byte, and answers what the test's handler writes."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1") -> None:
        self.handler = handler
        self.host = host
        self.requests: list[Exchange] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._server = await asyncio.start_server(self._serve, self.host, 0, family=family)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(_SERVER)
        self._tasks.add(task)
        self.connections += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                exchange = Exchange(head, b"", writer, len(self.requests) + 1)
                length = int(exchange.header("Content-Length") or 0)
                exchange.body = await reader.readexactly(length)
                self.requests.append(exchange)
                await self.handler(exchange)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)


_SERVER = "server"


def strays() -> list[asyncio.Task[Any]]:
    """List the tasks that neither the test nor a server runs."""
    mine = asyncio.current_task()
    return [t for t in asyncio.all_tasks() if t is not mine and t.get_name() != _SERVER]


@attrs.frozen
class Seen:
    """A request as the canned server saw it."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def query(self, name: str) -> str | None:
        """Give a parameter as it was written."""
        pairs = (part.partition("=") for part in self.target.partition("?")[2].split("&"))
        return next((value for key, _, value in pairs if key == name), None)


@attrs.frozen
class Reply:
    body: bytes = b""
    status: int = 200


Answer = Reply | web.Response | int | dict[str, Any]
Respond = Callable[[Seen], Awaitable[Answer | None] | Answer | None]


class CannedServer(RawServer):
    """
    An HTTP server that gives its answers in order, the last one for ever, and notes requests.

    An answer is a status, a JSON object, a ``Reply`` or a ``web.Response``; ``respond`` may compute
    them, and says ``None`` where the next in order will do.
    """

    def __init__(self, respond: Respond | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(self._handle, host)
        self.seen: list[Seen] = []
        self.answers: list[Answer] = [{}]
        self.respond = respond
        self.active = self.most_active = 0

    def script(self, *answers: Answer) -> None:
        self.answers = list(answers)

    @property
    def targets(self) -> list[str]:
        return [seen.target for seen in self.seen]

    async def _handle(self, exchange: Exchange) -> None:
        seen = Seen(exchange.method, exchange.target, exchange.all_headers, exchange.body)
        self.seen.append(seen)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            answer = self.respond(seen) if self.respond else None
            if inspect.isawaitable(answer):
                answer = await answer
        finally:
            self.active -= 1
        if answer is None:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status, body, headers = _parts(answer)
        await exchange.reply(body, status, headers)


def _parts(answer: Answer) -> tuple[int, bytes, list[str]]:
    if isinstance(answer, int):
        return answer, b"", []
    if isinstance(answer, dict):
        return 200, json.dumps(answer).encode(), ["Content-Type: application/json"]
    if isinstance(answer, Reply):
        return answer.status, answer.body, ["Content-Type: application/json"]
    assert answer.body is None or isinstance(answer.body, bytes)
    headers = [f"{name}: {value}" for name, value in answer.headers.items()]
    return answer.status, answer.body or b"", headers


def refusal(status: int, code: str = "Code", **headers: str) -> web.Response:
    """Make an error answer in the platform's envelope; ``retry_after`` stands for its header."""
    body = json.dumps({"error": {"code": code, "message": f"Says {code}."}}).encode()
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return web.Response(
        status=status, body=body, headers={"Content-Type": "application/json", **named}
    )
