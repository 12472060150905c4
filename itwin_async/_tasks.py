"""Whose cancellation arrived, and task groups that raise an error instead of a group."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

from itwin_async.errors import first_of

T = TypeVar("T")


def cancellations() -> int:
    """
    Tell how often the current task has been asked to end.

    A cancellation that arrives without one more of them is that of something it waited for.
    """
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def cancel_anywhere(task: asyncio.Task[T]) -> None:
    """Cancel a task, from a finalizer too: the garbage collector may run it in any thread."""
    loop = task.get_loop()
    if loop.is_closed():
        return
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        here = None
    if here is loop:
        task.cancel()
    else:
        loop.call_soon_threadsafe(task.cancel)


class Owner:
    """The task that runs workers; tells its own cancellation from one that came up inside them."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = cancellations()

    def takes_back(self, before: int) -> bool:
        """
        Take back a cancellation that arrived in a worker, unless the workers are being ended.

        ``before`` is the worker's own count of cancellations when its call began.
        """
        if self._task is None or self._task.cancelling() > self._before:
            return False
        worker = asyncio.current_task()
        while worker is not None and worker.cancelling() > before:
            worker.uncancel()
        return True


async def ungrouped(work: Awaitable[None]) -> None:
    """Wait for what runs a task group, and raise its first error itself instead of a group."""
    before = cancellations()
    try:
        await work
    except BaseExceptionGroup as group:
        first = first_of(group)
    else:
        return
    mine = asyncio.current_task()
    if sys.version_info < (3, 13) and mine is not None and cancellations() > before:
        mine.uncancel()  # older task groups leave the mark by which they woke their owner
    raise first
