"""Iterators over pages and items: they own their tasks and leave nothing behind."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Iterator, Sequence
from typing import Generic, Self, TypeVar, overload

import attrs
import msgspec

from itwin_async._paging.cursor import Position
from itwin_async._paging.links import PageLinks
from itwin_async._paging.prefetch import Arrival, PageSource, Prefetcher
from itwin_async.errors import (
    ConfigurationError,
    DecodeError,
    ITwinError,
    PaginationError,
    with_cursor,
)

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(eq=False)
class Page(Sequence[T_co]):
    """
    One page of a list: a sequence of its items.

    Attributes:
        items: the page's items; without those that lie before the cursor it was reached by.
        links: its links as the platform wrote them.
        raw: its JSON text as the platform sent it, unknown members included.

    """

    items: list[T_co]
    links: PageLinks
    raw: bytes = attrs.field(repr=False)
    _source: PageSource[T_co] = attrs.field(repr=False)
    _start: Position = attrs.field(repr=False)
    _end: Position = attrs.field(repr=False)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        return self.items[index]

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)

    def __bool__(self) -> bool:
        return True  # a page without items may have others behind it

    @property
    def has_next(self) -> bool:
        """Whether there is a page behind this one."""
        return self.links.next is not None

    @property
    def cursor(self) -> str:
        """The position behind this page."""
        return self._source.cursors.write(self._end)

    @property
    def next(self) -> str | None:
        """Link to the next page, or ``None``."""
        return self.links.next

    @property
    def prev(self) -> str | None:
        """Link to the page before, or ``None``; the platform may name the same page."""
        return self.links.prev

    @property
    def self(self) -> str | None:  # noqa: D401, PLE0237, RUF100 - the platform's own word
        """Link to this page, or ``None``."""
        return self.links.self

    @property
    def numbered(self) -> bool:
        """Whether pages are numbered, so that rows shift when others come or go."""
        return self._source.numbered

    def raw_items(self) -> list[bytes]:
        """Cut out the JSON text of each of ``items`` as the platform sent it."""
        members = msgspec.json.decode(self.raw, type=dict[str, msgspec.Raw])
        entries = msgspec.json.decode(members[self._source.key], type=list[msgspec.Raw])
        return [bytes(entry) for entry in entries[self._start.offset :]]

    def cursor_before(self, left: int) -> str:
        """Write the position before the last ``left`` items of this page."""
        handed_out = self._start.offset + len(self.items) - left
        return self._source.cursors.write(Position(self._start.target, handed_out))


class PageIterator(Generic[T_co]):
    """
    One pass over the pages of a list.

    Breaking out of the loop, cancelling or dropping the iterator cancels what is under way; at most
    ``prefetch`` pages were then requested in vain. After an error it may be asked again.
    """

    __slots__ = (
        "__weakref__",
        "_busy",
        "_end",
        "_offset",
        "_prefetcher",
        "_seen",
        "_source",
        "_target",
    )

    def __init__(
        self, source: PageSource[T_co], start: Position, *, prefetch: int, concurrency: int
    ) -> None:
        self._source = source
        self._prefetcher = Prefetcher(source, prefetch, concurrency)
        self._target: str | None = start.target
        self._offset = start.offset
        self._end = start
        self._seen: set[str] = set()
        self._busy = False

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
            source = self._source
            items, links = source.codec.page(response.body, source.item, source.key, spent)
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
        start, count = Position(arrival.target, self._offset), len(items)
        end = Position(arrival.target, count) if following is None else Position(following)
        if self._offset:
            items = items[self._offset :]
        return Page(items, links, response.body, self._source, start, end), end


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
