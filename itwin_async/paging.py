"""Lists over all their pages, as the caller sees them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, TypeVar

from itwin_async._arguments import whole
from itwin_async._paging.cursor import decode_cursor
from itwin_async._paging.iterators import ItemWalk, PageWalk
from itwin_async.errors import ArgumentError, ITwinError, with_cursor
from itwin_async.listing import Listing, Page
from itwin_async.session import Session

T_co = TypeVar("T_co", covariant=True)

MAX_PAGE_SIZE = 1000


class Pager(Generic[T_co]):
    """
    A lazy list over all pages; nothing is requested before it is used.

    ``async for item in pager`` streams items, each time from the start. ``await pager`` fetches the
    first page only.

    Args:
        session: where the requests go.
        listing: the list.
        page_size: items a page, 1 to 1000; ``None`` for the platform's default, 100.
        cursor: where to go on, as a page, a walk or an error gave it.
        prefetch: pages that are requested ahead while the caller works on one.
        concurrency: pages of a ``$skip`` list that may be under way at once.

    Raises:
        ArgumentError: an option is out of range, or the cursor belongs to another list.

    """

    __slots__ = ("_concurrency", "_listing", "_offset", "_prefetch", "_session", "_start")

    def __init__(
        self,
        session: Session,
        listing: Listing[T_co],
        *,
        page_size: int | None = None,
        cursor: str | None = None,
        prefetch: int = 1,
        concurrency: int = 1,
    ) -> None:
        if page_size is not None:
            whole("page_size", page_size, 1, MAX_PAGE_SIZE)
        self._session = session
        self._listing = listing
        self._prefetch = whole("prefetch", prefetch, 0, 100)
        self._concurrency = whole("concurrency", concurrency, 1, 100)
        if concurrency > 1 and not listing.by_skip:
            raise ArgumentError("concurrency", concurrency, "1 for a list of continuation tokens")
        self._start, self._offset = listing.start(page_size), 0
        if cursor is not None:
            place = decode_cursor(
                cursor, operation=listing.operation, scope=listing.scope, path=listing.path
            )
            self._start, self._offset = place.target, place.offset

    def __aiter__(self) -> ItemWalk[T_co]:
        return ItemWalk(self.pages(), self._listing)

    def __await__(self) -> Generator[object, None, Page[T_co]]:
        return self._first_page().__await__()

    def __repr__(self) -> str:
        return f"<Pager {self._listing.operation}>"

    def pages(self) -> PageWalk[T_co]:
        """
        Walk by page.

        Returns:
            An async iterator of ``Page``.

        """
        return self._walk(self._prefetch)

    async def first(self) -> T_co | None:
        """
        Fetch the first item and no page more than it takes.

        Returns:
            The item, or ``None`` if the list is empty.

        Raises:
            ITwinError: as ``Session.request``; with ``cursor``.

        """
        async for page in self._walk(0):
            if page.items:
                return page.items[0]
        return None

    async def collect(self, limit: int | None = None) -> list[T_co]:
        """
        Fetch items into a list, and no page more than it takes.

        Args:
            limit: how many items at most; ``None`` for all.

        Returns:
            The items.

        Raises:
            ITwinError: as ``Session.request``; its ``cursor`` is where this pager starts, because
                nothing of what was fetched is handed out.

        """
        found: list[T_co] = []
        if limit is not None and whole("limit", limit, 0, None) == 0:
            return found
        try:
            async for page in self._walk(self._prefetch if limit is None else 0):
                found.extend(page.items)
                if limit is not None and len(found) >= limit:
                    return found[:limit]
        except ITwinError as error:
            with_cursor(error, self._listing.at(self._start, self._offset))
            raise
        return found

    async def _first_page(self) -> Page[T_co]:
        return await anext(self._walk(0))

    def _walk(self, prefetch: int) -> PageWalk[T_co]:
        return PageWalk(
            self._session,
            self._listing,
            self._start,
            offset=self._offset,
            prefetch=prefetch,
            concurrency=self._concurrency if prefetch else 1,
        )
