"""Whose cancellation arrived, and task groups that raise an error instead of a group."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable

from itwin_async.errors import first_of


def cancellations() -> int:
    """
    Tell how often the current task has been asked to end.

    A cancellation that arrives without one more of them is that of something it waited for.
    """
    task = asyncio.current_task()
    return task.cancelling() if task else 0


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
