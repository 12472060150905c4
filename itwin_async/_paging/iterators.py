"""
Running walks over pages and items: class iterators that own their tasks and leave nothing behind.
"""

from __future__ import annotations

import asyncio
import operator
from collections import deque
from collections.abc import Iterator
from typing import Generic, Self, TypeVar

from itwin_async._http.attempt import Response
from itwin_async._paging.links import skip_of, with_skip
from itwin_async._paging.prefetch import (
    Ahead,
    fetch,
    fetch_after,
    following_target,
    outcome_of,
    peek,
)
from itwin_async.errors import (
    ConfigurationError,
    DecodeError,
    ITwinError,
    PaginationError,
    with_cursor,
)
from itwin_async.listing import Listing, Page
from itwin_async.session import Session

T_co = TypeVar("T_co", covariant=True)


class PageWalk(Generic[T_co]):
    """
    One pass over the pages of a list.

    Breaking out of the loop, cancelling or dropping the walk cancels what is under way; at most
    ``prefetch`` pages were then requested in vain. After an error the walk may be asked again.

    """

    __slots__ = (
        "__weakref__",
        "_ahead",
        "_behind",
        "_busy",
        "_concurrency",
        "_listing",
        "_offset",
        "_prefetch",
        "_seen",
        "_session",
        "_target",
    )

    def __init__(
        self,
        session: Session,
        listing: Listing[T_co],
        start: str,
        *,
        offset: int,
        prefetch: int,
        concurrency: int,
    ) -> None:
        self._session = session
        self._listing = listing
        self._target: str | None = start
        self._offset = offset
        self._prefetch = prefetch
        self._concurrency = concurrency
        self._seen: set[str] = set()
        self._ahead: deque[Ahead] = deque()
        self._busy = False
        self._behind = (start, offset)

    @property
    def cursor(self) -> str:
        """The place behind the last page handed out."""
        return self._listing.at(*self._behind)

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
        """
        Fetch the next page, and empty the items of one that is done with.

        Args:
            spent: items that nobody needs as a list any more.

        Returns:
            The page.

        Raises:
            ITwinError: as ``Session.request``, or ``PaginationError``; with ``cursor``.
            StopAsyncIteration: there is none.

        """
        target = self._target
        if target is None:
            raise StopAsyncIteration
        if self._busy:
            raise ConfigurationError("another task is in this walk; guard it, or give each its own")
        self._busy = True
        try:
            response = await self._arrival(target)
            if self._prefetch and self._look_ahead(response, target):
                await asyncio.sleep(0)  # the next request leaves before this page is decoded
            self._go_on()
            page, following = self._read(response, target, spent)
            if following is not None and self._prefetch and not self._ahead:
                self._follow_on(following, target)  # its link stood where it did not show before
        except ITwinError as error:
            self._drop()
            with_cursor(error, self.cursor)
            raise
        except asyncio.CancelledError:
            self._drop()
            raise
        finally:
            self._busy = False
        self._seen.add(target)
        self._target, self._offset, self._behind = following, 0, page.behind
        if following is None:
            self._drop()
        return page

    async def aclose(self) -> None:
        """End the walk and wait until nothing of it is under way."""
        self._target = None
        tasks = [ahead.task for ahead in self._ahead]
        self._drop()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __del__(self) -> None:
        self._drop()

    def _drop(self) -> None:
        while self._ahead:
            self._ahead.popleft().cancel()

    async def _arrival(self, target: str) -> Response:
        """Give the answer for a target: one that is under way, or a new one."""
        fetched = await outcome_of(self._ahead[0].task) if self._ahead else None
        if self._ahead:
            self._ahead.popleft()
        if fetched is None or fetched.target != target:
            self._drop()
            self._go_on()
            fetched = await fetch(self._session, self._listing, target)
        if isinstance(fetched.outcome, ITwinError):
            raise fetched.outcome
        return fetched.outcome

    def _go_on(self) -> None:
        if self._target is None:  # another task closed the walk meanwhile
            raise StopAsyncIteration

    def _look_ahead(self, response: Response, target: str) -> bool:
        """Request pages that follow, and tell whether any request is new."""
        if self._ahead and self._concurrency == 1:
            self._chain()
            return False
        following = peek(self._session, response, target)
        if following is None or following == target or following in self._seen:
            return False
        self._follow_on(following, target)
        return True

    def _follow_on(self, following: str, target: str) -> None:
        if self._ahead and self._ahead[0].target != following:
            self._drop()
        if not self._ahead:
            self._start(following)
        if self._concurrency == 1:
            self._chain()
            return
        # The platform may cap the pages: what they really hold is how far its own link moved on.
        step = (skip_of(following) or 0) - (skip_of(target) or 0)
        while len(self._ahead) < self._concurrency and step > 0:
            guess = with_skip(self._ahead[-1].target or "", step)
            if guess is None:
                break
            self._start(guess)

    def _start(self, target: str) -> None:
        task = self._session.spawn(fetch(self._session, self._listing, target))
        self._ahead.append(Ahead(target, task))

    def _chain(self) -> None:
        while len(self._ahead) < self._prefetch:
            work = fetch_after(self._session, self._listing, self._ahead[-1].task)
            self._ahead.append(Ahead(None, self._session.spawn(work)))

    def _read(
        self, response: Response, target: str, spent: list[T_co] | None
    ) -> tuple[Page[T_co], str | None]:
        listing = self._listing
        try:
            items, links = self._session.codec.page(response.body, listing.item, listing.key, spent)
            following = following_target(self._session, links, target)
            if links.self is not None:
                self._seen.add(links.self)  # the first page has two addresses: ours and its own
            if following == target or following in self._seen or links.next in self._seen:
                raise PaginationError("the next link leads to a page that was visited before")
        except (DecodeError, PaginationError) as error:
            response.blame(error)
            raise
        behind = (target, len(items)) if following is None else (following, 0)
        skipped = self._offset
        if skipped:
            items = items[skipped:]
        return Page(items, links, response.body, listing, (target, skipped), behind), following


class ItemWalk(Generic[T_co]):
    """
    One pass over the items of a list.

    It behaves like its ``PageWalk`` when the loop is left early, and it knows its ``cursor`` after
    every item.
    """

    __slots__ = ("_closed_at", "_items", "_listing", "_page", "_pages")

    def __init__(self, pages: PageWalk[T_co], listing: Listing[T_co]) -> None:
        self._pages = pages
        self._listing = listing
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
        """The place behind the last item handed out."""
        if self._closed_at is not None:
            return self._closed_at
        page = self._page
        left = operator.length_hint(self._items)
        if page is None or not left:
            return self._pages.cursor
        target, skipped = page.place
        return self._listing.at(target, skipped + len(page.items) - left)

    async def aclose(self) -> None:
        """End the walk and wait until nothing of it is under way."""
        self._closed_at = self.cursor
        self._items = iter(())
        await self._pages.aclose()
