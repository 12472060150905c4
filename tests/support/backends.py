"""The example backends, really listening, and browsers that ask them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs
from aiohttp import web

from itwin_async import RetryPolicy, Session, Timeout, TokenProvider
from itwin_async.emulator import EmulatorThread

FRAMEWORKS = ("fastapi", "aiohttp")
LIST = "GET /imodels/favorites"
SMALL = 4096  # bytes of a socket's buffers, so that a browser that does not read is felt soon


@attrs.define(eq=False)
class Backend:
    """A backend that listens."""

    url: str
    session: Session
    connector: aiohttp.TCPConnector
    browser: aiohttp.ClientSession

    @property
    def busy(self) -> int:
        """Connections to the platform that are in use."""
        return len(self.connector._acquired)

    def get(self, path: str, token: str, **params: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return self.browser.get(f"{self.url}{path}", headers=headers, params=params)

    async def lines(self, path: str, token: str, **params: str) -> list[dict[str, Any]]:
        async with self.get(path, token, **params) as response:
            assert response.status == 200
            assert response.content_type == "application/x-ndjson"
            return [json.loads(line) async for line in response.content]


def path_of(emulator: EmulatorThread) -> str:
    """Where a backend lists the favorite iModels of the emulator's first iTwin."""
    return f"/itwins/{next(iter(emulator.state.itwins))}/favorites"


def connections(emulator: EmulatorThread) -> int:
    """Count the connections that the emulator has open."""
    assert emulator._runner is not None
    assert emulator._runner.server is not None
    known = emulator._runner.server.connections  # with those whose handler still sleeps
    return sum(connection.transport is not None for connection in known)


@asynccontextmanager
async def running(
    framework: str,
    base_url: str,
    *,
    retry: RetryPolicy | None = None,
    limits: Timeout | None = None,
    credentials: Callable[[Any], str | TokenProvider] | None = None,
    grace: float = 0.2,
) -> AsyncIterator[Backend]:
    """Run an example backend on a free port."""
    connector = aiohttp.TCPConnector()
    sessions: list[Session] = []

    async def nobody() -> str:
        raise AssertionError("a request was made without a user")

    def make_session() -> Session:
        settings = {"retry": retry, "timeout": limits, "connector": connector}
        sessions.append(Session(nobody, base_url=base_url, **settings))  # type: ignore[arg-type]
        return sessions[0]

    options = {} if credentials is None else {"credentials": credentials}
    serve = serve_fastapi if framework == "fastapi" else serve_aiohttp
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with (
            serve(listener, make_session, options, grace),
            aiohttp.ClientSession() as browser,
        ):
            yield Backend(url, sessions[0], connector, browser)
    assert sessions[0].closed
    assert connector.closed


@asynccontextmanager
async def serve_fastapi(
    listener: socket.socket,
    make_session: Callable[[], Session],
    options: dict[str, Any],
    grace: float,
) -> AsyncIterator[None]:
    import uvicorn

    from examples.fastapi_app import create_app

    app = create_app(make_session, **options)
    limits: dict[str, Any] = {"timeout_graceful_shutdown": grace}  # whole seconds, it is said
    config = uvicorn.Config(app, log_config=None, ws="none", **limits)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.001)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def serve_aiohttp(
    listener: socket.socket,
    make_session: Callable[[], Session],
    options: dict[str, Any],
    grace: float,
) -> AsyncIterator[None]:
    from examples.aiohttp_app import create_app

    app = create_app(make_session, **options)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=grace)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    try:
        yield
    finally:
        await runner.cleanup()
