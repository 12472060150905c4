"""
Several lists at once, handed on in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import TypeVar

from itwin_async.listing import Page
from itwin_async.paging import Pager

A = TypeVar("A")
T = TypeVar("T")


async def in_order(
    outer: AsyncIterable[A], inner: Callable[[A], Pager[T]], *, concurrency: int = 8
) -> AsyncGenerator[tuple[A, Page[T]]]:
    """
    Walk the inner lists of outer items, some of them ahead, and yield their pages in order.

    Args:
        outer: the outer items.
        inner: makes the list of an outer item.
        concurrency: how many lists are fetched at once.

    Yields:
        The outer item and a page of its list.

    """
    running: deque[tuple[A, asyncio.Queue[Page[T] | None], asyncio.Task[None]]] = deque()
    source = aiter(outer)
    more = True
    try:
        while more or running:
            while more and len(running) < concurrency:
                item = await anext(source, None)
                if item is None:
                    more = False
                    break
                queue: asyncio.Queue[Page[T] | None] = asyncio.Queue(maxsize=2)
                task = asyncio.create_task(_fill(inner(item), queue))
                running.append((item, queue, task))
            if running:
                item, queue, task = running[0]
                while (page := await queue.get()) is not None:
                    yield item, page
                running.popleft()
                await task
    finally:
        for _, _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, _, task in running), return_exceptions=True)


async def _fill(pager: Pager[T], queue: asyncio.Queue[Page[T] | None]) -> None:
    try:
        async for page in pager.pages():
            await queue.put(page)
    finally:
        if not _is_cancelled():
            await queue.put(None)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())
