"""Several lists at once, handed on in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import attrs

from itwin_async._tasks import cancellations
from itwin_async.errors import ITwinError
from itwin_async.paging import Page, Pager

A = TypeVar("A")
T = TypeVar("T")

_WAITING_PAGES = 2


@attrs.frozen(eq=False)
class _Fetched(Generic[A, T]):
    """A list that is being fetched; ``None`` or an error comes after its last page."""

    outer: A
    pages: asyncio.Queue[Page[T] | Exception | None]
    task: asyncio.Task[None]


@attrs.frozen
class _End:
    """There are no more outer items, or they could not be fetched."""

    error: ITwinError | None = None


async def in_order(
    outer: AsyncIterable[A],
    inner: Callable[[A], Pager[T]],
    *,
    concurrency: int = 8,
    limit: int | None = None,
    on_error: Callable[[A, ITwinError], bool] | None = None,
) -> AsyncGenerator[tuple[A, Page[T]]]:
    """
    Fetch the inner lists of outer items, several at once, and yield their pages in order.

    Close it with ``contextlib.aclosing``, since it owns tasks.

    Args:
        outer: the outer items.
        inner: makes the list of an outer item.
        concurrency: how many lists are fetched at once.
        limit: most items that are wanted of any list.
        on_error: called with a list that failed, in its turn; whether to go on without it.

    Raises:
        ITwinError: what ended the outer list, or an inner list that ``on_error`` did not accept.

    """
    fetched: deque[_Fetched[A, T]] = deque()
    source = aiter(outer)
    end: _End | None = None
    try:
        while True:
            while end is None and len(fetched) < concurrency:
                end = await _start(source, inner, fetched, limit)
            if not fetched:
                break
            first = fetched[0]
            while isinstance(page := await first.pages.get(), Page):
                yield first.outer, page
            if isinstance(page, ITwinError) and on_error is not None:
                page = None if on_error(first.outer, page) else page
            if page is not None:
                raise page
            fetched.popleft()
    finally:
        for later in fetched:
            later.task.cancel()
        await asyncio.gather(*(later.task for later in fetched), return_exceptions=True)
    if end is not None and end.error is not None:
        raise end.error


async def _start(
    source: AsyncIterator[A],
    inner: Callable[[A], Pager[T]],
    fetched: deque[_Fetched[A, T]],
    limit: int | None,
) -> _End | None:
    try:
        with _foreign_cancellations_as_errors():
            item = await anext(source)
    except StopAsyncIteration:
        return _End()
    except ITwinError as error:  # raised after the pages of the lists before it
        return _End(error)
    pages: asyncio.Queue[Page[T] | Exception | None] = asyncio.Queue(_WAITING_PAGES)
    fetched.append(_Fetched(item, pages, asyncio.create_task(_fetch(inner(item), pages, limit))))
    return None


async def _fetch(
    pager: Pager[T], pages: asyncio.Queue[Page[T] | Exception | None], limit: int | None
) -> None:
    count, end = 0, None
    try:
        with _foreign_cancellations_as_errors():
            async for page in pager.pages():
                await pages.put(page)
                count += len(page.items)
                if limit is not None and count >= limit:
                    break
    except Exception as error:  # noqa: BLE001 - raised where the pages are read
        end = error
    await pages.put(end)


@contextmanager
def _foreign_cancellations_as_errors() -> Iterator[None]:
    before = cancellations()
    try:
        yield
    except asyncio.CancelledError:
        if cancellations() > before:
            raise
        raise ITwinError("the list was cancelled by something that it waited for") from None
