"""A session in a thread of its own, for programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Generic, TypeAlias, TypeVar

import attrs

from itwin_async._http.credentials import TokenSource
from itwin_async.auth._environment import complete_network, find_platform
from itwin_async.session import Session
from itwin_async.settings import Settings

T = TypeVar("T")

_ROOM = 4  # results that wait for the caller

Put: TypeAlias = Callable[[T], Awaitable[None]]


Work: TypeAlias = Callable[[Session, Put[T]], Coroutine[object, object, None]]
"""What is done with the session; it hands over each result by the second argument."""


@attrs.frozen(eq=False)
class _Running:
    loop: asyncio.AbstractEventLoop
    session: Session
    leave: asyncio.Event
    thread: threading.Thread


def session_of(token: TokenSource | None, settings: Settings) -> Session:
    """
    Make a session from a token and settings, each by default that of the environment.

    Raises:
        ConfigurationError: there are no credentials, or a setting makes no sense.

    """
    if token is None:
        return Session.from_env(**settings)
    return Session(token, **complete_network(settings, find_platform()))


class SessionThread(Generic[T]):
    """
    Runs coroutines with one session in a thread, while somebody iterates over what they give.

    The first iteration opens the session, and the last one that ends closes it, so that all of them
    share its pool and its quota. The caller's thread may have an event loop of its own.

    Args:
        make: makes the session; called in the thread.

    """

    def __init__(self, make: Callable[[], Session]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._users = 0
        self._running: _Running | None = None

    def iterate(self, work: Work[T]) -> Iterator[T]:
        """Yield what a coroutine hands over; ending the iteration cancels it and waits for it."""
        with self._used() as running:
            results: queue.SimpleQueue[T | asyncio.Task[None]] = queue.SimpleQueue()
            room = asyncio.Semaphore(_ROOM)
            begun: list[asyncio.Task[None]] = []

            async def put(result: T) -> None:
                await room.acquire()
                results.put(result)

            def begin() -> None:
                begun.append(running.loop.create_task(work(running.session, put)))
                begun[0].add_done_callback(results.put)

            def end() -> None:
                begun[0].cancel()

            running.loop.call_soon_threadsafe(begin)
            ended: asyncio.Task[None] | None = None
            try:
                while ended is None:
                    result = results.get()
                    if isinstance(result, asyncio.Task):
                        ended = result
                    else:
                        yield result
                        running.loop.call_soon_threadsafe(room.release)
            finally:
                if ended is None:
                    running.loop.call_soon_threadsafe(end)
                while ended is None:
                    result = results.get()
                    ended = result if isinstance(result, asyncio.Task) else None
            ended.result()

    @contextmanager
    def _used(self) -> Iterator[_Running]:
        with self._lock:
            running = self._running or self._start()
            self._running = running
            self._users += 1
        try:
            yield running
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._running = None
                    running.loop.call_soon_threadsafe(running.leave.set)
                    running.thread.join()

    def _start(self) -> _Running:
        opened: queue.SimpleQueue[_Running | BaseException] = queue.SimpleQueue()

        async def serve() -> None:
            leave = asyncio.Event()
            async with self._make() as session:
                loop = asyncio.get_running_loop()
                opened.put(_Running(loop, session, leave, threading.current_thread()))
                await leave.wait()

        def run() -> None:
            try:
                asyncio.run(serve())
            except BaseException as problem:  # noqa: BLE001 - it is raised where it is waited for
                opened.put(problem)

        threading.Thread(target=run, name="itwin-session", daemon=True).start()
        found = opened.get()
        if isinstance(found, BaseException):
            raise found
        return found
