"""
Tasks that end together, and what went wrong in them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable

from itwin_async.errors import first_of


async def ungrouped(work: Awaitable[None]) -> None:
    """
    Wait for what runs a task group, and raise the first error itself instead of a group.

    Args:
        work: the coroutine that opens the group.

    Raises:
        Exception: the first that a task of the group raised.

    """
    mine = asyncio.current_task()
    before = mine.cancelling() if mine else 0
    try:
        await work
    except BaseExceptionGroup as group:
        first = first_of(group)
    else:
        return
    if sys.version_info < (3, 13) and mine is not None and mine.cancelling() > before:
        mine.uncancel()  # older task groups leave the mark by which they woke their owner
    raise first
