"""
Running walks over pages and items: class iterators that own their tasks and leave nothing behind.
"""

from __future__ import annotations

import asyncio
import operator
import re
from collections import deque
from collections.abc import Iterator
from typing import Generic, Self, TypeVar

import attrs

from itwin_async.errors import DecodeError, ITwinError, PaginationError, with_cursor
from itwin_async.links import PageLinks, follow
from itwin_async.listing import Listing, Page
from itwin_async.session import Session
from itwin_async.transport import Response
from itwin_async.wire import peek_links

T_co = TypeVar("T_co", covariant=True)

_SKIP = re.compile(r"((?:\$|%24)skip=)(\d+)", re.IGNORECASE)
_TOP = re.compile(r"(?:\$|%24)top=(\d+)", re.IGNORECASE)


@attrs.define(eq=False)
class _Fetched:
    """
    What came of requesting one page; an error is kept until the page's turn.
    """

    target: str
    outcome: Response | ITwinError


@attrs.define(eq=False)
class _Ahead:
    """
    A page under way; without a target while it still waits for the page before it.
    """

    target: str | None
    task: asyncio.Task[_Fetched | None]

    def cancel(self) -> None:
        if not self.task.get_loop().is_closed():
            self.task.cancel()


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
        self._ahead: deque[_Ahead] = deque()
        self._behind = (start, offset)

    @property
    def cursor(self) -> str:
        """
        The place behind the last page handed out.
        """
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
        try:
            response = await self._arrival(target)
            if self._prefetch and self._look_ahead(response, target):
                await asyncio.sleep(0)  # the next request leaves before this page is decoded
            page, following = self._read(response, target, spent)
        except ITwinError as error:
            self._drop()
            with_cursor(error, self.cursor)
            raise
        except asyncio.CancelledError:
            self._drop()
            raise
        self._seen.add(target)
        self._target, self._offset, self._behind = following, 0, page.behind
        if following is None:
            self._drop()
        return page

    async def aclose(self) -> None:
        """
        End the walk and wait until nothing of it is under way.
        """
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
        """
        Give the answer for a target: one that is under way, or a new one.
        """
        fetched = await _outcome(self._ahead.popleft().task) if self._ahead else None
        if fetched is None or fetched.target != target:
            self._drop()
            fetched = await _fetch(self._session, self._listing, target)
        if isinstance(fetched.outcome, ITwinError):
            raise fetched.outcome
        return fetched.outcome

    def _look_ahead(self, response: Response, target: str) -> bool:
        """
        Request pages that follow, and tell whether any request is new.
        """
        if self._ahead and self._concurrency == 1:
            while len(self._ahead) < self._prefetch:
                self._chain()
            return False
        following = _peek(self._session, response, target)
        if following is None or following == target or following in self._seen:
            return False
        if self._ahead and self._ahead[0].target != following:
            self._drop()
        if not self._ahead:
            self._start(following)
        if self._concurrency == 1:
            while len(self._ahead) < self._prefetch:
                self._chain()
            return True
        while len(self._ahead) < self._concurrency:
            guess = _skip_on(self._ahead[-1].target or "")
            if guess is None:
                break
            self._start(guess)
        return True

    def _start(self, target: str) -> None:
        task = self._session.spawn(_fetch_task(self._session, self._listing, target))
        self._ahead.append(_Ahead(target, task))

    def _chain(self) -> None:
        previous = self._ahead[-1].task
        task = self._session.spawn(_fetch_after(self._session, self._listing, previous))
        self._ahead.append(_Ahead(None, task))

    def _read(
        self, response: Response, target: str, spent: list[T_co] | None
    ) -> tuple[Page[T_co], str | None]:
        listing = self._listing
        try:
            items, links = self._session.codec.page(response.body, listing.item, listing.key, spent)
            following = _following(self._session, links, target)
            if following is not None and (following == target or following in self._seen):
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

    __slots__ = ("_items", "_listing", "_page", "_pages")

    def __init__(self, pages: PageWalk[T_co], listing: Listing[T_co]) -> None:
        self._pages = pages
        self._listing = listing
        self._page: Page[T_co] | None = None
        self._items: Iterator[T_co] = iter(())

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
        """
        The place behind the last item handed out.
        """
        page = self._page
        left = operator.length_hint(self._items)
        if page is None or not left:
            return self._pages.cursor
        target, skipped = page.place
        return self._listing.at(target, skipped + len(page.items) - left)

    async def aclose(self) -> None:
        """
        End the walk and wait until nothing of it is under way.
        """
        self._items = iter(())
        await self._pages.aclose()


async def _outcome(task: asyncio.Task[_Fetched | None]) -> _Fetched | None:
    try:
        return await task
    except asyncio.CancelledError:
        mine = asyncio.current_task()
        if mine is None or mine.cancelling():
            raise
        return None  # the session was closed, and the next request will say so


async def _fetch(session: Session, listing: Listing[object], target: str) -> _Fetched:
    try:
        headers = {"Prefer": listing.prefer} if listing.prefer else None
        response = await session.request("GET", target, accept=listing.accept, headers=headers)
    except ITwinError as error:
        return _Fetched(target, error)
    return _Fetched(target, response)


async def _fetch_task(session: Session, listing: Listing[T_co], target: str) -> _Fetched | None:
    return await _fetch(session, listing, target)


async def _fetch_after(
    session: Session, listing: Listing[object], previous: asyncio.Task[_Fetched | None]
) -> _Fetched | None:
    fetched = await previous
    if fetched is None or isinstance(fetched.outcome, ITwinError):
        return None
    following = _peek(session, fetched.outcome, fetched.target)
    if following is None or following == fetched.target:
        return None
    return await _fetch(session, listing, following)


def _peek(session: Session, response: Response, target: str) -> str | None:
    """
    Find the next target without decoding items; whatever is wrong with it shows at its turn.
    """
    try:
        links = peek_links(response.body)
        return None if links is None else _following(session, links, target)
    except PaginationError:
        return None


def _following(session: Session, links: PageLinks, target: str) -> str | None:
    if links.next is None:
        return None
    return follow(session.base_url, target, links.next, rewrite=session.rewrite_links)


def _skip_on(target: str) -> str | None:
    """
    Write the target of the page after this one, for a list that is numbered by ``$skip``.
    """
    skip, top = _SKIP.search(target), _TOP.search(target)
    if skip is None or top is None:
        return None
    return f"{target[: skip.start(2)]}{int(skip[2]) + int(top[1])}{target[skip.end(2) :]}"
