"""Stand-ins that tests share: a clock, a server that speaks bytes, a server with canned answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

import attrs
from aiohttp import web

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


async def settle(rounds: int = 20) -> None:
    """Let every task that can run do so, without any I/O of note."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(seconds):
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
    def line(self) -> bytes:
        return self.head.split(b"\r\n", 1)[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    def header(self, name: str) -> str | None:
        values = self.headers(name)
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines if line]
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

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

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[Exchange] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
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
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
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


@attrs.define
class Seen:
    """A request as the canned server saw it."""

    method: str
    target: str
    headers: Any
    body: bytes

    @property
    def token(self) -> str:
        return str(self.headers.get("Authorization", "")).removeprefix("Bearer ")


Answer = web.Response | int | dict[str, Any]


class CannedServer:
    """
    An HTTP server that gives its answers in order, the last one for ever, and notes requests.

    An answer is a status, a JSON object, or a ``web.Response``; ``respond`` may compute them.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.seen: list[Seen] = []
        self.answers: list[Answer] = [{}]
        self.respond: Callable[[Seen], Awaitable[Answer | None]] | None = None
        self.active = self.most_active = 0
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._work: set[asyncio.Task[Answer | None]] = set()

    def script(self, *answers: Answer) -> None:
        self.answers = list(answers)

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        for work in list(self._work):
            work.cancel()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.raw_path, request.headers, await request.read())
        self.seen.append(seen)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            answer = await self._answer(seen) if self.respond else None
        except asyncio.CancelledError:
            answer = 500
        finally:
            self.active -= 1
        if answer is None:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return as_response(answer)

    async def _answer(self, seen: Seen) -> Answer | None:
        assert self.respond is not None
        work = asyncio.ensure_future(self.respond(seen))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        return await work


def as_response(answer: Answer) -> web.Response:
    if isinstance(answer, int):
        return web.Response(status=answer)
    if isinstance(answer, dict):
        return web.Response(body=json.dumps(answer).encode(), content_type="application/json")
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def refusal(status: int, code: str = "Code", **headers: str) -> web.Response:
    """Make an error answer in the platform's envelope; ``retry_after`` stands for its header."""
    body = json.dumps({"error": {"code": code, "message": f"Says {code}."}}).encode()
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return web.Response(
        status=status, body=body, headers={"Content-Type": "application/json", **named}
    )
