"""Iterators over pages and items: they own their tasks and leave nothing behind."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Iterator
from typing import Generic, Self, TypeVar

from itwin_async._http.attempt import Response
from itwin_async._json.codec import Undecoded
from itwin_async._paging.cursor import Position
from itwin_async._paging.links import PageLinks
from itwin_async._paging.page import Page
from itwin_async._paging.prefetch import Arrival, PageSource, Prefetcher
from itwin_async.errors import (
    ConfigurationError,
    DecodeError,
    ITwinError,
    PaginationError,
    with_cursor,
)

T_co = TypeVar("T_co", covariant=True)

_PAGE_IS_ODD = 10  # items that all do not decode are no odd ones: the page is not what it should be


class PageIterator(Generic[T_co]):
    """
    One pass over the pages of a list.

    Breaking out of the loop, cancelling or dropping the iterator cancels what is under way; at most
    ``prefetch`` pages were then requested in vain. After an error it may be asked again.
    """

    __slots__ = (
        "__weakref__",
        "_busy",
        "_count",
        "_end",
        "_offset",
        "_prefetcher",
        "_seen",
        "_source",
        "_target",
        "_tolerant",
    )

    def __init__(
        self,
        source: PageSource[T_co],
        start: Position,
        *,
        prefetch: int,
        concurrency: int,
        tolerant: bool = False,
    ) -> None:
        self._source = source
        self._prefetcher = Prefetcher(source, prefetch, concurrency)
        self._target: str | None = start.target
        self._offset = start.offset
        self._end = start
        self._seen: set[str] = set()
        self._busy = False
        self._count = 0
        self._tolerant = tolerant

    def __repr__(self) -> str:
        return f"<PageIterator {self.state}>"

    @property
    def state(self) -> str:
        """Which list it is of and how far it is, in words."""
        behind = "at its end" if self._target is None else "open"
        return f"{self._source.cursors.operation} {behind}, pages: {self._count}"

    @property
    def cursor(self) -> str:
        """The position behind the last page handed out."""
        return self._source.cursors.write(self._end)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T_co]:
        """
        Fetch the next page.

        Raises:
            ITwinError: as ``Session.request``, or ``PaginationError``; with ``cursor``.

        """
        return await self.advance(None)

    async def advance(self, spent: list[T_co] | None) -> Page[T_co]:
        """Fetch the next page, and empty the items of one that is done with."""
        target = self._target
        if target is None:
            raise StopAsyncIteration
        if self._busy:
            raise ConfigurationError(
                "another task is waiting in this iterator; use a lock, or one iterator per task"
            )
        self._busy = True
        try:
            arrival = await self._prefetcher.arrival(target)
            if arrival is not None and isinstance(arrival.outcome, ITwinError):
                raise arrival.outcome
            if arrival is not None and self._prefetcher.start_following(arrival, self._seen):
                await asyncio.sleep(0)  # the next request leaves before this page is decoded
            if arrival is None or self._target is None:  # another task closed it meanwhile
                raise StopAsyncIteration
            page, end = self._read(arrival, spent)
        except ITwinError as error:
            self._prefetcher.cancel()
            with_cursor(error, self.cursor)
            raise
        except BaseException:
            self._prefetcher.cancel()
            raise
        finally:
            self._busy = False
        self._seen.add(target)
        self._count += 1
        self._target, self._offset, self._end = arrival.following, 0, end
        if arrival.following is None:
            self._prefetcher.cancel()
        return page

    async def aclose(self) -> None:
        """End the iteration and wait until nothing of it is under way."""
        self._target = None
        await self._prefetcher.aclose()

    def __del__(self) -> None:
        self._prefetcher.cancel()

    def _read(self, arrival: Arrival, spent: list[T_co] | None) -> tuple[Page[T_co], Position]:
        response, seen = arrival.outcome, self._seen
        if isinstance(response, ITwinError):
            raise response
        try:
            items, links, odd = self._decode(response, spent)
            if arrival.links is None:  # they do not stand at the end of the body
                arrival.read(self._source, links)
                self._prefetcher.start_following(arrival, seen)
            links = arrival.links or PageLinks()
            if arrival.problem is not None:
                raise arrival.problem
            if links.self is not None:
                seen.add(links.self)  # the first page has two addresses: ours and its own
            following = arrival.following
            if following == arrival.target or following in seen or links.next in seen:
                raise PaginationError("the next link leads to a page that was visited before")
        except (DecodeError, PaginationError) as error:
            response.blame(error)
            raise
        start, count = Position(arrival.target, self._offset), len(items) + len(odd)
        end = Position(arrival.target, count) if following is None else Position(following)
        if self._offset:
            odd_before = sum(one.index < self._offset for one in odd)
            items = items[self._offset - odd_before :]
            odd = tuple(one for one in odd if one.index >= self._offset)
        return Page(items, links, response.body, self._source, start, end, odd), end

    def _decode(
        self, response: Response, spent: list[T_co] | None
    ) -> tuple[list[T_co], object, tuple[Undecoded, ...]]:
        source = self._source
        try:
            return *source.codec.page(response.body, source.item, source.key, spent), ()
        except DecodeError:
            if not self._tolerant:
                raise
            items, links, odd = source.codec.page_by_item(response.body, source.item, source.key)
            if len(odd) < _PAGE_IS_ODD or items:
                return items, links, tuple(odd)
            del links, odd  # whoever prints the variables of a traceback must not see a body
            raise


class ItemIterator(Generic[T_co]):
    """
    One pass over the items of a list.

    It behaves like its ``PageIterator`` when the loop is left early, and it knows its ``cursor``
    after every item.
    """

    __slots__ = ("_closed_at", "_items", "_page", "_pages")

    def __init__(self, pages: PageIterator[T_co]) -> None:
        self._pages = pages
        self._page: Page[T_co] | None = None
        self._items: Iterator[T_co] = iter(())
        self._closed_at: str | None = None

    def __repr__(self) -> str:
        left = operator.length_hint(self._items)
        return f"<ItemIterator {self._pages.state}, items left of the last one: {left}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        """
        Hand out the next item, and fetch a page where needed.

        Raises:
            ITwinError: as ``Session.request``, or ``PaginationError``; with ``cursor``.

        """
        for item in self._items:
            return item
        while True:
            spent = self._page.items if self._page is not None else None
            self._page = page = await self._pages.advance(spent)
            self._items = iter(page.items)
            for item in self._items:
                return item

    @property
    def cursor(self) -> str:
        """The position behind the last item handed out."""
        if self._closed_at is not None:
            return self._closed_at
        left = operator.length_hint(self._items)
        if self._page is None or not left:
            return self._pages.cursor
        return self._page.cursor_before(left)

    async def aclose(self) -> None:
        """End the iteration and wait until nothing of it is under way."""
        self._closed_at = self.cursor
        self._items = iter(())
        await self._pages.aclose()
