"""Listening on a port: in the caller's loop, or in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from aiohttp import web
from aiohttp.web_request import BaseRequest

from itwin_async.emulator.certificate import Certificate

_LONGEST_LINE = 1 << 16
IDENTITY = "/_emulator/identity"


class Hosted:
    """A server of requests on a port."""

    _host: str = "127.0.0.1"
    _port: int = 0
    _bound: int = 0
    _before: int = 0
    _runner: web.ServerRunner | None = None
    _certificate: Certificate | None = None

    @property
    def base_url(self) -> str:
        """The URL that it listens on, without a slash at the end; RuntimeError if not running."""
        if not self._bound:
            raise RuntimeError("the emulator is not running: enter it with `with` or `async with`")
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://{host}:{self._bound}"

    @property
    def certificate(self) -> Certificate:
        """The certificate that clients have to trust; RuntimeError without TLS."""
        if self._certificate is None:
            raise RuntimeError("the emulator does not speak TLS: make it with tls=True")
        return self._certificate

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        raise NotImplementedError

    def _check_ended(self) -> None:
        """Raise what went wrong while it ran."""

    async def _open(self) -> None:
        if self._runner is not None:
            raise RuntimeError("the emulator is already running")
        server = web.Server(
            self._handle,
            access_log=None,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await runner.setup()
        try:
            context = None if self._certificate is None else self._certificate.server_context
            # Who has its address finds it there again after an outage.
            port = self._port or self._before
            await web.TCPSite(runner, self._host, port, ssl_context=context).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._bound = self._before = runner.addresses[0][1]

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner, self._bound = None, 0


class HostedInLoop(Hosted):
    """Listens while an `async with` block runs."""

    async def __aenter__(self) -> Self:
        """Start."""
        await self._open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        """Stop, and close all connections."""
        await self._close()
        if kind is None:
            self._check_ended()


class HostedInThread(Hosted):
    """Listens in a thread with an event loop of its own while a `with` block runs."""

    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _ending: asyncio.Event

    def start(self) -> Self:
        """Start the thread, and wait until it listens."""
        if self._thread is not None:
            raise RuntimeError("the emulator is already running")
        ready = threading.Event()
        failure: list[BaseException] = []
        self._thread = threading.Thread(
            target=self._run, args=(ready, failure), name="itwin-emulator", daemon=True
        )
        self._thread.start()
        ready.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """Stop the thread, and wait for its end."""
        self._stop()
        self._check_ended()

    def _stop(self) -> None:
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop."""
        self._stop()
        if kind is None:
            self._check_ended()

    def _run(self, ready: threading.Event, failure: list[BaseException]) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._ending = asyncio.Event()
            try:
                await self._open()
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                failure.append(error)
                return
            finally:
                ready.set()
            await self._ending.wait()
            await self._close()

        asyncio.run(serve())
