"""Work that a cancellation must not break in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[object, object, T], seconds: float) -> T:
    """
    Do something in full even if whoever waits for it is cancelled.

    Args:
        work: what is done; no task of it is left behind.
        seconds: how long it may go on after a cancellation; a second one ends it at once.

    Returns:
        Its result.

    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.cancel() and not task.cancelled():
                task.exception()  # known, so that nobody complains that it was not
        await asyncio.wait({task})
        raise
