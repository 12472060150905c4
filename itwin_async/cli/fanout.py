"""Several lists at once, handed on in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Generic, TypeVar

import attrs

from itwin_async.errors import ITwinError
from itwin_async.paging import Page, Pager

A = TypeVar("A")
T = TypeVar("T")

_PAGES_AHEAD = 2


@attrs.frozen
class _Running(Generic[A, T]):
    """A list that is being fetched; its queue ends with ``None`` or an error."""

    outer: A
    pages: asyncio.Queue[Page[T] | ITwinError | None]
    task: asyncio.Task[None]


@attrs.frozen
class _End:
    """There are no more outer items, or they could not be had."""

    error: ITwinError | None = None


async def in_order(
    outer: Pager[A],
    inner: Callable[[A], Pager[T]],
    *,
    concurrency: int = 8,
    limit: int | None = None,
    passed_over: Callable[[A, ITwinError], bool] | None = None,
) -> AsyncGenerator[tuple[A, Page[T]]]:
    """
    Walk the inner lists of outer items, some of them ahead, and yield their pages in order.

    Close it with ``contextlib.aclosing``, since it owns tasks.

    Args:
        outer: the outer items.
        inner: makes the list of an outer item.
        concurrency: how many lists are fetched at once.
        limit: most items that are wanted; no list is fetched further than that.
        passed_over: told of a list that ends with an error, at its turn; whether the walk goes on.

    Yields:
        The outer item and a page of its list.

    Raises:
        ITwinError: what ended the outer list, or an inner list that is not passed over.

    """
    running: deque[_Running[A, T]] = deque()
    source = aiter(outer)
    end: _End | None = None
    try:
        while True:
            while end is None and len(running) < concurrency:
                end = await _begin(source, inner, running, limit)
            if not running:
                break
            first = running[0]
            while isinstance(page := await first.pages.get(), Page):
                yield first.outer, page
            if page is not None and not (passed_over and passed_over(first.outer, page)):
                raise page
            running.popleft()
            await first.task
    finally:
        for later in running:
            later.task.cancel()
        await asyncio.gather(*(later.task for later in running), return_exceptions=True)
    if end is not None and end.error is not None:
        raise end.error


async def _begin(
    source: AsyncIterator[A],
    inner: Callable[[A], Pager[T]],
    running: deque[_Running[A, T]],
    limit: int | None,
) -> _End | None:
    try:
        item = await anext(source)
    except StopAsyncIteration:
        return _End()
    except ITwinError as error:  # raised when the lists before it are told
        return _End(error)
    pages: asyncio.Queue[Page[T] | ITwinError | None] = asyncio.Queue(_PAGES_AHEAD)
    running.append(_Running(item, pages, asyncio.create_task(_fill(inner(item), pages, limit))))
    return None


async def _fill(
    pager: Pager[T], pages: asyncio.Queue[Page[T] | ITwinError | None], limit: int | None
) -> None:
    count = 0
    try:
        async for page in pager.pages():
            await pages.put(page)
            count += len(page.items)
            if limit is not None and count >= limit:
                break
    except ITwinError as error:
        await pages.put(error)
    except Exception:
        await pages.put(None)
        raise
    else:
        await pages.put(None)
