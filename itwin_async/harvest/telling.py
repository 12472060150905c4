"""Tells the caller how far a harvest is."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress

from itwin_async._tasks import cancellations
from itwin_async.errors import ITwinError
from itwin_async.harvest.progress import OnProgress, Progress

_TICK = 1.0


class Teller:
    """
    Calls ``on_progress``, one call at a time.

    Args:
        on_progress: the caller's; it may be a coroutine function.
        progress: makes the counts of this moment.

    """

    def __init__(self, on_progress: OnProgress | None, progress: Callable[[], Progress]) -> None:
        self._on_progress = on_progress
        self._progress = progress
        self._awaited: Awaitable[object] | None = None
        self._news = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    def tell(self, progress: Progress | None = None) -> None:
        """Tell how far it is, unless an earlier call goes on or failed."""
        if self._on_progress is None or self._error is not None or self._awaited is not None:
            return
        try:
            result = self._on_progress(self._progress() if progress is None else progress)
            if inspect.isawaitable(result):
                self._awaited = result
                self._news.set()
        except Exception as problem:  # noqa: BLE001 - the caller's; the target is sound
            self._fail(problem)
        except asyncio.CancelledError:
            self._fail(_cancelled())

    async def run(self) -> None:
        """Tell each second: nothing is written while calls wait, and somebody may be watching."""
        while not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._news.wait()
            self._news.clear()
            await self._settle()
            if not self._ended:
                self.tell()

    def stop(self) -> None:
        """End ``run`` after the call that goes on."""
        self._ended = True
        self._news.set()

    async def finish(self, progress: Progress) -> None:
        """Tell the last counts."""
        await self._settle()
        self.tell(progress)
        await self._settle()

    def close(self) -> None:
        """Drop a call that nobody waits for any more."""
        if inspect.iscoroutine(self._awaited):
            self._awaited.close()
        self._awaited = None

    async def _settle(self) -> None:
        before = cancellations()
        try:
            if self._awaited is not None:
                await self._awaited
        except asyncio.CancelledError:
            if cancellations() > before:
                raise
            self._fail(_cancelled())
        except Exception as problem:  # noqa: BLE001 - as above
            self._fail(problem)
        self._awaited = None
        if self._error is not None:
            raise self._error

    def _fail(self, problem: Exception) -> None:
        self._error = problem
        self._news.set()


def _cancelled() -> ITwinError:
    return ITwinError("on_progress raised CancelledError")
