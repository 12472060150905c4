"""The emulator in a process of its own, and the example backends in this one."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Protocol, TypeAlias, cast

import aiohttp
from aiohttp import web

from examples import aiohttp_app
from itwin_async import Session

ITWINS, IMODELS = 3, 450

Credentials: TypeAlias = Callable[["Asking"], "str | SignIn"]


class Asking(Protocol):
    """What the requests of both frameworks have in common."""

    @property
    def cookies(self) -> Mapping[str, str]: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


class Platform:
    """The emulator in a process of its own, by its control address."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self._http = http

    async def control(self, path: str, **body: object) -> dict[str, str]:
        async with self._http.post(f"{self.url}/_emulator/{path}", json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.status != HTTPStatus.NO_CONTENT else {}

    async def token(self, user: str) -> str:
        answer = await self.control("tokens", user=user, fresh=True)
        return answer["token"]


class SignIn:
    """A user's sign-in as the backend keeps it."""

    def __init__(self, platform: Platform, user: str, renewals: Counter[str]) -> None:
        self._platform, self._user, self._renewals = platform, user, renewals
        self._token: str | None = None
        self._lock = asyncio.Lock()

    async def get_token(self) -> str:
        async with self._lock:
            if self._token is None:
                self._renewals["backend"] += 1
                self._token = await self._platform.token(self._user)
            return self._token

    def invalidate(self, token: str) -> None:
        if token == self._token:
            self._token = None


@contextmanager
def emulator() -> Iterator[str]:
    """Run the platform in a process of its own."""
    command = [sys.executable, "-m", "itwin_async.emulator", f"--imodels={IMODELS}"]
    command.append(f"--itwins={2 * ITWINS}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.terminate()


@asynccontextmanager
async def serve_aiohttp(
    make_session: Callable[[], Session], credentials: Credentials
) -> AsyncIterator[str]:
    """Run the aiohttp example."""
    known = cast("aiohttp_app.Credentials", credentials)
    app = aiohttp_app.create_app(make_session, credentials=known)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_fastapi(
    make_session: Callable[[], Session], credentials: Credentials
) -> AsyncIterator[str]:
    """Run the FastAPI example."""
    import uvicorn  # noqa: PLC0415 - only where it is asked for

    from examples.fastapi_app import create_app  # noqa: PLC0415 - only where it is asked for

    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(make_session, credentials=credentials)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
