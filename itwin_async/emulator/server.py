"""
The emulator as a server: in the caller's loop, or in a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self

from aiohttp import web

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.controls import EmulatorControls
from itwin_async.emulator.engine import Engine
from itwin_async.emulator.gate import Gate
from itwin_async.emulator.paging import LinkStyle
from itwin_async.emulator.state import World

if TYPE_CHECKING:
    from types import TracebackType

    from itwin_async.emulator.limits import RateLimit

_LONGEST_LINE = 1 << 16


class _Configured(EmulatorControls):
    def __init__(
        self,
        *,
        seed: int = 0,
        itwins: int = 12,
        imodels: int = 25,
        favorites: float | bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        rate_limit: RateLimit | None = None,
        latency: float = 0.0,
        strict: bool = False,
        clock: EmulatorClock | None = None,
        links_origin: str | None = None,
        next_on_last_page: bool = False,
        null_links: bool | None = None,
        escape_ampersand: bool = False,
        hostile_tokens: bool = False,
        compress: bool = False,
        any_token: bool = True,
        keep_requests: int = 50_000,
    ) -> None:
        style = LinkStyle(
            origin=links_origin,
            next_on_last_page=next_on_last_page,
            null_links=null_links,
            escape_ampersand=escape_ampersand,
            hostile_tokens=hostile_tokens,
        )
        self._engine = Engine(
            World(seed, itwins, imodels, favorites=favorites),
            clock or EmulatorClock(),
            rate_limit=rate_limit,
            style=style,
            strict=strict,
            keep=keep_requests,
            any_token=any_token,
        )
        self._gate = Gate(self, self._engine, latency=latency, compress=compress)
        self._host = host
        self._port = port
        self._bound = 0
        self._runner: web.ServerRunner | None = None

    @property
    def base_url(self) -> str:
        """
        Where it listens, without a slash at the end.

        Raises:
            RuntimeError: it does not run.

        """
        if not self._bound:
            raise RuntimeError("the emulator does not run: enter it with `with` or `async with`")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound}"

    async def _open(self) -> None:
        server = web.Server(
            self._gate.handle,
            access_log=None,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._bound = runner.addresses[0][1]

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner, self._bound = None, 0


class Emulator(_Configured):
    r"""
    A local iTwin Platform that runs in the caller's event loop.

    Args:
        seed: equal seeds give equal worlds on every machine.
        itwins: how many iTwins to generate.
        imodels: how many iModels to generate in each.
        favorites: which of them are the demo user's favorites: all (True), none (False), a share
            (a float between 0 and 1), or the first so many iTwins and iModels of each iTwin.
        host: the address to listen on.
        port: the port; 0 picks one.
        rate_limit: how many calls are allowed.
        latency: seconds that every answer takes.
        strict: whether `violations` collects what the platform would have refused.
        clock: the emulator's time.
        links_origin: scheme and host of all links; those that the request named when absent.
        next_on_last_page: whether lists send a `next` although nothing follows.
        null_links: whether missing links are sent as null; each API's own habit when absent.
        escape_ampersand: whether bodies carry `\u0026` in place of `&`.
        hostile_tokens: whether continuation tokens break when not sent back as they are.
        compress: whether bodies are compressed for clients that accept gzip.
        any_token: whether a token that nobody made is good, for a user of its own.
        keep_requests: how many requests are remembered at least.

    """

    async def __aenter__(self) -> Self:
        """
        Start to listen.
        """
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """
        Stop, and drop what is open.
        """
        await self._close()


class EmulatorThread(_Configured):
    """
    A local iTwin Platform in a thread with an event loop of its own.

    It serves tests without a loop, tests with any loop, and other processes alike. All its methods
    may be called from any thread. It takes what `Emulator` takes.
    """

    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _ending: asyncio.Event

    def start(self) -> Self:
        """
        Start the thread and wait until it listens.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator runs already")
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
        """
        Stop the thread and wait for its end.
        """
        if self._thread is None or self._loop is None:
            return
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        """
        Start.
        """
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """
        Stop.
        """
        self.stop()

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
