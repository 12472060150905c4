"""
Between the event loop and the thread that writes: a short queue, so that a slow sink slows all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from itwin_async.errors import ITwinError
from itwin_async.harvest.errors import explain
from itwin_async.harvest.store import Store
from itwin_async.harvest.messages import Message

T = TypeVar("T")

_LENGTH = 2
_TICK = 0.5


class Writer:
    """
    Takes messages of any task and lets one thread write them, in order, several at a time.

    Leaving the block writes what was told and closes the target, however the block ends.

    Args:
        store: the target.
        target: its name, for messages.
        on_saved: called on the loop after messages were written.

    """

    def __init__(self, store: Store, target: str, on_saved: Callable[[], object]) -> None:
        self._store = store
        self._target = target
        self._on_saved = on_saved
        self._queue: asyncio.Queue[Message | None] = asyncio.Queue(_LENGTH)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="itwin-harvest")
        self._task: asyncio.Task[None] | None = None
        self._problem: Exception | None = None
        self._broken = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._queue.put(None)
            if self._task is not None:
                await self._task
            if self._problem is None:
                await self._run(self._store.commit)
        except BaseException:
            if self._task is not None:
                self._task.cancel()
            raise
        finally:
            self._thread.submit(self._store.close)
            # The thread is done in an instant, and whoever comes next must find the files closed.
            self._thread.shutdown(wait=True)
        known = error is self._problem or isinstance(error, asyncio.CancelledError)
        if self._problem is not None and not known:
            raise self._problem

    async def tell(self, message: Message) -> None:
        """
        Hand a message over; waits while the target is behind.

        Args:
            message: what to write.

        Raises:
            TargetError: the target cannot be written.

        """
        if self._problem is not None:
            raise self._problem
        await self._queue.put(message)
        if self._problem is not None:
            raise self._problem

    async def settle(self) -> None:
        """
        Wait until everything that was told is written.

        Raises:
            TargetError: the target cannot be written.

        """
        await self._queue.join()
        if self._problem is not None:
            raise self._problem

    async def ask(self, function: Callable[[], T]) -> T:
        """
        Let the thread read something.

        Args:
            function: what it calls.

        Returns:
            What came of it.

        Raises:
            TargetError: the target cannot be read.

        """
        return await self._run(function)

    async def broken(self) -> None:
        """
        Wait until the target cannot be written, and say why.

        Raises:
            TargetError: always, sooner or never.

        """
        await self._broken.wait()
        if self._problem is not None:
            raise self._problem

    async def _serve(self) -> None:
        more = True
        while more:
            messages, more = await self._gather()
            try:
                await self._write(messages)
            finally:
                for _ in messages:
                    self._queue.task_done()

    async def _gather(self) -> tuple[list[Message], bool]:
        try:
            async with asyncio.timeout(_TICK if self._store.unsaved else None):
                told = [await self._queue.get()]
        except TimeoutError:
            return [], True
        while not self._queue.empty():
            told.append(self._queue.get_nowait())
        messages = [message for message in told if message is not None]
        return messages, len(messages) == len(told)

    async def _write(self, messages: list[Message]) -> None:
        if self._problem is not None or not (messages or self._store.unsaved):
            return  # the queue is emptied, so that nobody waits for it
        try:
            await self._run(lambda: self._store.take(messages))
            if messages:
                self._on_saved()
        except Exception as problem:  # noqa: BLE001 - whatever it is, every task must learn of it
            self._problem = problem
            self._broken.set()

    async def _run(self, function: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, function)
        except ITwinError as problem:
            self._problem = problem
            raise
        except Exception as problem:  # each library has exceptions of its own
            self._problem = explain(problem, self._target)
            raise self._problem from problem
