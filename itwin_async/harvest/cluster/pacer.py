"""A pacer that asks the scheduler of a cluster."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import TypeVar, cast

from tornado.ioloop import IOLoop
from tornado.platform.asyncio import BaseAsyncIOLoop

from itwin_async.errors import ConfigurationError
from itwin_async.harvest.cluster.plugin import PREFIX

T = TypeVar("T")

_MOST = 10_000  # accepted calls that are not told yet


class Line:
    """
    A line to the scheduler, from any event loop.

    Args:
        rpc: the caller of the scheduler's handlers, of a client or a worker.
        loop: the event loop that it belongs to.

    """

    def __init__(self, rpc: object, loop: IOLoop | None) -> None:
        self._rpc = rpc
        self._loop = cast("BaseAsyncIOLoop", loop).asyncio_loop

    def send(self, handler: str, **given: object) -> Future[object]:
        """Call a handler."""
        call: Callable[..., Coroutine[object, object, object]]
        call = getattr(self._rpc, f"{PREFIX}{handler}")
        return asyncio.run_coroutine_threadsafe(_made(call, given), self._loop)

    async def ask(self, handler: str, **given: object) -> object:
        """
        Call a handler and wait for its answer.

        Raises:
            OSError: the scheduler cannot be reached.

        """
        return await asyncio.wrap_future(self.send(handler, **given))


async def _made(call: Callable[..., Awaitable[T]], given: dict[str, object]) -> T:
    return await call(**given)


class ClusterPacer:
    """
    Paces the calls of a session as the scheduler says.

    Args:
        line: the way to the scheduler.
        run: the harvest.
        caller: who asks; callers take turns.
        learning: whether the scheduler has to learn a rate.

    """

    def __init__(self, line: Line, run: str, caller: str, *, learning: bool) -> None:
        self._line = line
        self._run = run
        self._caller = caller
        self._learning = learning
        self._accepted: deque[float] = deque(maxlen=_MOST)
        self._holds: set[Future[object]] = set()

    async def enter(self, wait_limit: float) -> bool:
        """
        Wait until the next call may go; ``False`` if that is further off than ``wait_limit``.

        Raises:
            ConfigurationError: the harvest has ended.
            OSError: the scheduler cannot be reached.

        """
        while self._holds:  # this call comes behind the 429
            await asyncio.wrap_future(self._holds.pop())
        now = time.monotonic()
        accepted = [now - moment for moment in self._accepted]
        self._accepted.clear()
        granted = await self._line.ask(
            "enter",
            run=self._run,
            wait_limit=wait_limit,
            caller=self._caller,
            accepted=accepted,
        )
        if granted is None:
            raise ConfigurationError("the harvest was ended by its client, or the client is gone")
        return bool(granted)

    def hold(self, seconds: float, age: float) -> None:
        """Let no call of any worker go for some seconds."""
        self._holds.add(self._line.send("hold", run=self._run, seconds=seconds, age=age))

    def accept(self, age: float) -> None:
        """Note that a call met no 429; the scheduler learns of it with the next call."""
        if self._learning:
            self._accepted.append(time.monotonic() - age)
