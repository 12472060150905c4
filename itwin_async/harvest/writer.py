"""From the event loop to the thread that writes: a short queue, so that a slow sink slows all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from itwin_async.errors import ITwinError
from itwin_async.harvest.errors import explain
from itwin_async.harvest.store import SinkError, Store

T = TypeVar("T")

Step: TypeAlias = Callable[[], None]

_MOST = 2**20  # bytes, in the queue and with the thread, with which there is no room
_LEAST = 2**14  # bytes that any step counts as
_TICK = 0.5


class Writer:
    """
    Lets one thread take the steps of any task, in order, several at a time.

    Leaving the block takes the steps that wait and closes the target, however the block ends.

    Args:
        store: the target.
        on_saved: called on the loop after steps were taken.

    """

    def __init__(self, store: Store, on_saved: Callable[[], object]) -> None:
        self._store = store
        self._on_saved = on_saved
        self._queue: asyncio.Queue[Step | None] = asyncio.Queue()
        self._bytes = 0
        self._room = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="itwin-harvest")
        self._task: asyncio.Task[None] | None = None
        self._problem: Exception | None = None
        self._broken = asyncio.Event()
        self._closing = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        try:
            self._queue.put_nowait(None)
            if self._task is not None:
                await asyncio.wait([self._task])
            if self._problem is None:
                await self.call(self._store.commit)
        except BaseException:
            if self._task is not None:
                self._task.cancel()
            raise
        finally:
            closed = self._thread.submit(_without_cancellation, self._store.close)
            # The thread is done in an instant, and whoever comes next must find the files closed.
            self._thread.shutdown(wait=True)
        known = error is self._problem or isinstance(error, asyncio.CancelledError)
        if self._problem is not None and not known:
            raise self._problem
        failed = closed.exception()
        if error is None and isinstance(failed, Exception):
            raise self._explained(failed) from failed

    async def put(self, step: Step, size: int = 0) -> None:
        """
        Hand a step over that holds ``size`` bytes; waits while the target is slow.

        A page of any size fits where there is room at all. Small ones go to the thread by the
        dozen, for each change of threads costs as much as writing some rows.

        Raises:
            TargetError: the target cannot be written.

        """
        self._check()
        while self._bytes >= _MOST:
            self._room.clear()
            await self._room.wait()
            self._check()
        self._bytes += max(size, _LEAST)
        self._queue.put_nowait(step)

    async def flush(self) -> None:
        """Wait until every step is taken."""
        await self._queue.join()
        self._check()

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, _without_cancellation, function)
        except Exception as problem:
            # Others may follow from a first problem, such as a transaction that is aborted.
            self._problem = self._problem or self._explained(problem)
            if self._problem is problem:
                raise
            raise self._problem from problem

    def _explained(self, problem: Exception) -> Exception:
        if isinstance(problem, SinkError):
            return problem.problem
        if isinstance(problem, ITwinError | MemoryError):
            return problem
        return explain(problem, self._store.name)

    async def broken(self) -> None:
        """Wait until the target cannot be written, and raise why."""
        await self._broken.wait()
        self._check()

    def _check(self) -> None:
        if self._problem is not None:
            raise self._problem

    async def _serve(self) -> None:
        try:
            while not self._closing or not self._queue.empty():
                steps = await self._gather()
                held = self._bytes
                await self._take([step for step in steps if step is not None])
                self._bytes -= held
                self._room.set()
                for _ in steps:
                    self._queue.task_done()
                await asyncio.sleep(0)  # whoever waited for room goes first
        except asyncio.CancelledError:
            self._fail(ITwinError(f"{self._store.name}: the task that writes was cancelled"))
            raise

    async def _gather(self) -> list[Step | None]:
        try:
            async with asyncio.timeout(_TICK if self._store.unsaved else None):
                found = [await self._queue.get()]
        except TimeoutError:
            return []
        while not self._queue.empty():
            found.append(self._queue.get_nowait())
        return found

    async def _take(self, steps: list[Step]) -> None:
        if self._problem is not None or not (steps or self._store.unsaved):
            return  # the queue is emptied, so that nobody waits for it
        try:
            await self.call(lambda: self._store.apply(steps))
            if steps:
                self._on_saved()
        except Exception as problem:  # noqa: BLE001 - whatever it is, every task must learn of it
            self._fail(problem)

    def _fail(self, problem: Exception) -> None:
        self._problem = self._problem or problem
        self._broken.set()


def _without_cancellation(function: Callable[[], T]) -> T:
    try:
        return function()
    except asyncio.CancelledError:  # on the loop it would look like one of the task that waits
        raise ITwinError("the sink raised CancelledError") from None
