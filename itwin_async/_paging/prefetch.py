"""Pages under way: requested before their turn, one after the other or several at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from itwin_async._http.attempt import Response
from itwin_async._json.codec import Codec
from itwin_async._paging.cursor import CursorCodec
from itwin_async._paging.links import PageLinks, read_links, skip_of, with_skip
from itwin_async._tasks import cancel_anywhere, cancellations
from itwin_async.errors import ITwinError, PaginationError

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(eq=False, repr=False)
class PageSource(Generic[T_co]):
    """
    How the pages of one list are requested and read.

    Attributes:
        fetch: requests a page by its request target.
        spawn: starts a task that ends with the session at the latest.
        follow: checks a link found at a request target, and makes it a request target.
        codec: decodes the answers.
        item: class of the items.
        key: member of the answer that holds the items.
        numbered: whether its pages are numbered by ``$skip``.
        cursors: writes positions in this list.

    """

    fetch: Callable[[str], Coroutine[Any, Any, Response]]
    spawn: Callable[[Coroutine[Any, Any, Arrival | None]], asyncio.Task[Arrival | None]]
    follow: Callable[[str, str], str]
    codec: Codec
    item: type[T_co]
    key: str
    numbered: bool
    cursors: CursorCodec


@attrs.define(eq=False, repr=False)
class Arrival:
    """
    What came of requesting a page; an error is kept until the page's turn.

    Attributes:
        target: request target of the page.
        outcome: the answer or the error.
        links: its links, read once; ``None`` until then.
        following: request target of the page behind it, once its links were read.
        problem: what is wrong with its links.

    """

    target: str
    outcome: Response | ITwinError
    links: PageLinks | None = None
    following: str | None = None
    problem: PaginationError | None = None

    def read(self, source: PageSource[object], value: object) -> None:
        """Read the page's links from its parsed ``_links`` member."""
        self.links = PageLinks()
        try:
            self.links = read_links(value)
            if self.links.next is not None:
                self.following = source.follow(self.target, self.links.next)
        except PaginationError as problem:
            self.problem = problem


_Task: TypeAlias = "asyncio.Task[Arrival | None]"


@attrs.frozen(eq=False, repr=False)
class _UnderWay:
    task: _Task
    target: str | None  # not known while the page before is under way too


class Prefetcher:
    """
    Holds the pages of one iteration that are under way.

    Args:
        source: the list.
        depth: how many pages are requested before their turn; 0 for none.
        concurrency: how many pages of a ``$skip`` list are under way at once.

    """

    __slots__ = ("_closed", "_concurrency", "_depth", "_source", "_under_way")

    def __init__(self, source: PageSource[object], depth: int, concurrency: int) -> None:
        self._source = source
        self._depth = depth
        self._concurrency = concurrency
        self._under_way: deque[_UnderWay] = deque()
        self._closed = False

    async def arrival(self, target: str) -> Arrival | None:
        """Wait for a page under way, or request it; ``None`` if this was closed meanwhile."""
        found = await self._first() if self._under_way else None
        if found is None or found.target != target:
            self.cancel()
            found = None if self._closed else await _fetch(self._source, target)
        return found

    def start_following(self, page: Arrival, seen: set[str]) -> bool:
        """Request what follows a page, and tell whether any request is new."""
        if not self._depth or page.links is None or page.problem is not None:
            return False
        if self._under_way and self._concurrency == 1:
            self._extend_chain()
            return False
        following = page.following
        if following is None or following == page.target or following in seen:
            return False
        if self._under_way and self._under_way[0].target != following:
            self.cancel()
        if not self._under_way:
            self._start(following)
        if self._concurrency == 1:
            self._extend_chain()
        else:
            self._extend_numbers(skip_of(following) - skip_of(page.target))
        return True

    def cancel(self) -> None:
        """Give up all pages under way."""
        while self._under_way:
            cancel_anywhere(self._under_way.popleft().task)

    async def aclose(self) -> None:
        """Give up all pages under way, and wait until they are gone."""
        self._closed = True
        tasks = [page.task for page in self._under_way]
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _first(self) -> Arrival | None:
        page = self._under_way[0]
        before = cancellations()
        try:
            return await page.task
        except asyncio.CancelledError:
            if cancellations() > before:
                raise
            return None  # something else cancelled it; the page is requested again
        finally:
            if self._under_way and self._under_way[0] is page:
                self._under_way.popleft()
            page.task.cancel()

    def _start(self, target: str) -> None:
        task = self._source.spawn(_fetch(self._source, target))
        self._under_way.append(_UnderWay(task, target))

    def _extend_chain(self) -> None:
        while len(self._under_way) < self._depth:
            work = _fetch_following(self._source, self._under_way[-1].task)
            self._under_way.append(_UnderWay(self._source.spawn(work), None))

    def _extend_numbers(self, step: int) -> None:
        # The platform may cap the pages: what they really hold is how far its own link moved on.
        while len(self._under_way) < self._concurrency and step > 0:
            target = with_skip(self._under_way[-1].target or "", step)
            if target is None:
                break
            self._start(target)


async def _fetch(source: PageSource[object], target: str) -> Arrival:
    try:
        response = await source.fetch(target)
    except ITwinError as error:
        return Arrival(target, error)
    arrival = Arrival(target, response)
    if response.links is not None:
        arrival.read(source, response.links)
    return arrival


async def _fetch_following(source: PageSource[object], previous: _Task) -> Arrival | None:
    page = await previous
    if page is None or page.following is None or page.following == page.target:
        return None
    return await _fetch(source, page.following)
