"""Lists over all their pages, as the caller sees them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import (
    TYPE_CHECKING,
    Generic,
    Literal,
    TypeAlias,
    TypedDict,
    TypeVar,
    overload,
)

import attrs

from itwin_async._arguments import whole
from itwin_async._http.attempt import Response
from itwin_async._http.urls import target
from itwin_async._json.codec import Undecoded
from itwin_async._paging.cursor import CursorCodec, Position
from itwin_async._paging.iterators import ItemIterator, PageIterator
from itwin_async._paging.links import PageLinks, follow
from itwin_async._paging.page import Page
from itwin_async._paging.prefetch import PageSource
from itwin_async._tables.frames import FrameLibrary, frame, frame_library
from itwin_async.errors import ArgumentError, ITwinError, with_cursor
from itwin_async.session import Session, internals_of

if TYPE_CHECKING:
    from itwin_async._tables.frames import ArrowTable, PandasFrame, PolarsFrame

__all__ = [
    "MAX_PAGE_SIZE",
    "DetailPager",
    "FrameLibrary",
    "ItemIterator",
    "List",
    "NumberedPaging",
    "Page",
    "PageIterator",
    "PageLinks",
    "Pager",
    "Paging",
    "PagingMode",
    "Undecoded",
]

T_co = TypeVar("T_co", covariant=True)
F_co = TypeVar("F_co", covariant=True)

MAX_PAGE_SIZE = 1000

PagingMode: TypeAlias = Literal["token", "skip", "both", "top", "none"]


class Paging(TypedDict, total=False):
    """
    How a list is walked.

    Attributes:
        page_size: items a page, 1 to 1000; ``None`` for the platform's default, 100.
        cursor: where to go on, as a page, an iterator or an error gave it.
        prefetch: pages that are requested before the caller asks for them; 1 by default.

    """

    page_size: int | None
    cursor: str | None
    prefetch: int


class NumberedPaging(Paging, total=False):
    """
    How a list whose pages can be numbered is walked.

    Attributes:
        concurrency: pages that may be under way at once; items still come in order. The first page
            goes alone, since only the platform's own link tells how the others are numbered. Where
            the platform offers continuation tokens too, these are used unless this is above 1:
            rows of numbered pages shift when others come or go.

    """

    concurrency: int


@attrs.frozen(eq=False, repr=False)
class List(Generic[T_co]):
    """
    What there is to know about a list before its first request.

    Attributes:
        operation: name of the list function; part of every cursor.
        path: quoted path.
        query: names and values that decide what is in the list.
        key: member of the answer that holds the items.
        item: class of the items.
        accept: the ``Accept`` header.
        headers: further headers of every page, such as ``Prefer``.
        mode: how its pages follow each other.
        limit: name of the limit that its calls have of their own; empty for none.

    """

    operation: str
    path: str
    query: tuple[tuple[str, str], ...]
    key: str
    item: type[T_co]
    accept: str
    headers: Mapping[str, str]
    mode: PagingMode
    limit: str = ""


class Pager(Generic[T_co]):
    """
    A lazy list over all pages; nothing is requested before it is used.

    ``async for item in pager`` streams items, each time from the start. ``await pager`` fetches the
    first page only.
    """

    __slots__ = ("_concurrency", "_list", "_paging", "_prefetch", "_session", "_source", "_start")

    def __init__(self, session: Session, listed: List[T_co], paging: NumberedPaging) -> None:
        self._session = session
        self._list = listed
        self._paging = paging
        page_size, cursor = paging.get("page_size"), paging.get("cursor")
        self._prefetch = whole("prefetch", paging.get("prefetch", 1), 0, 100)
        self._concurrency = whole("concurrency", paging.get("concurrency", 1), 1, 100)
        numbered = listed.mode == "skip" or (listed.mode == "both" and self._concurrency > 1)
        self._source = _page_source(session, listed, numbered=numbered)
        if self._concurrency > 1 and not numbered:
            raise ArgumentError(
                f"concurrency must be 1: the pages of {listed.operation} are not numbered",
                argument="concurrency",
            )
        if page_size is not None:
            whole("page_size", page_size, 1, MAX_PAGE_SIZE)
            if listed.mode == "none":
                raise ArgumentError(f"{listed.operation} has one page only", argument="page_size")
        self._start = (
            Position(_first_target(listed, page_size, numbered=numbered))
            if cursor is None
            else self._source.cursors.read(cursor)
        )

    def __aiter__(self) -> ItemIterator[T_co]:
        return ItemIterator(self.pages())

    def __await__(self) -> Generator[object, None, Page[T_co]]:
        return self._first_page().__await__()

    def __repr__(self) -> str:
        listed = self._list
        query = "".join(f", {name}={value}" for name, value in listed.query)
        return f"<{type(self).__name__} {listed.operation} of {listed.item.__name__}{query}>"

    def pages(self, *, tolerant: bool = False) -> PageIterator[T_co]:
        """
        Iterate by page.

        Args:
            tolerant: leave out items that do not decode, and give them as ``page.undecoded``,
                instead of raising ``DecodeError``; a page of ten or more that has no other items
                is an error still.

        """
        return self._iterate(self._prefetch, tolerant=tolerant)

    async def first(self) -> T_co | None:
        """
        Fetch the first item and no page more than it takes; ``None`` if the list is empty.

        Raises:
            ITwinError: as ``Session.request``; with ``cursor``.

        """
        async for page in self._iterate(0):
            if page.items:
                return page.items[0]
        return None

    async def collect(self, limit: int | None = None) -> list[T_co]:
        """
        Fetch items into a list, and no page more than it takes; ``limit`` is in items.

        Raises:
            ITwinError: as ``Session.request``; its ``cursor`` is where this pager starts, because
                nothing of what was fetched is handed out.

        """
        found: list[T_co] = []
        if limit is not None and whole("limit", limit, 0) == 0:
            return found
        try:
            async for page in self._iterate(self._prefetch if limit is None else 0):
                found.extend(page.items)
                if limit is not None and len(found) >= limit:
                    return found[:limit]
        except ITwinError as error:
            with_cursor(error, self._source.cursors.write(self._start))
            raise
        return found

    @overload
    async def frame(
        self, library: Literal["pandas"] = "pandas", *, limit: int | None = None
    ) -> PandasFrame: ...
    @overload
    async def frame(
        self, library: Literal["polars"], *, limit: int | None = None
    ) -> PolarsFrame: ...
    @overload
    async def frame(
        self, library: Literal["pyarrow"], *, limit: int | None = None
    ) -> ArrowTable: ...
    async def frame(
        self, library: FrameLibrary = "pandas", *, limit: int | None = None
    ) -> PandasFrame | PolarsFrame | ArrowTable:
        """
        Fetch items into a data frame with the columns of ``to_arrow``.

        Args:
            library: whose frame; for pandas, nested columns become flat ones, such as
                ``extent_south_west_latitude``.
            limit: how many items at most.

        Raises:
            ArgumentError: the items have no attributes, or an argument is wrong.
            ConfigurationError: a library is not installed; the extras are ``pandas``, ``polars``
                and ``arrow``.
            ITwinError: as ``collect``.

        """
        frame_library(library)
        return frame(self._list.item, await self.collect(limit), library)

    async def _first_page(self) -> Page[T_co]:
        return await anext(self._iterate(0))

    def _iterate(self, prefetch: int, *, tolerant: bool = False) -> PageIterator[T_co]:
        return PageIterator(
            self._source,
            self._start,
            prefetch=prefetch,
            concurrency=self._concurrency if prefetch else 1,
            tolerant=tolerant,
        )


class DetailPager(Pager[T_co], Generic[T_co, F_co]):
    """A lazy list of summaries, which the platform also gives as whole entities."""

    __slots__ = ("_full",)

    def __init__(
        self, session: Session, listed: List[T_co], full: List[F_co], paging: NumberedPaging
    ) -> None:
        super().__init__(session, listed, paging)
        self._full = full

    def full(self) -> Pager[F_co]:
        """List whole entities instead of summaries."""
        return Pager(self._session, self._full, self._paging)


def _page_source(session: Session, listed: List[T_co], *, numbered: bool) -> PageSource[T_co]:
    internals = internals_of(session)
    client = internals.client
    rewrite = internals.rewrite_links

    async def fetch(page: str) -> Response:
        return await session.request(
            "GET", page, accept=listed.accept, headers=listed.headers, limit=listed.limit
        )

    return PageSource(
        fetch,
        client.spawn,
        partial(follow, client.base, rewrite=rewrite),
        internals.codec,
        listed.item,
        listed.key,
        numbered,
        CursorCodec(listed.operation, listed.path, (*listed.query, *_deciding(listed.headers))),
    )


def _deciding(headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Headers that decide what is in a list; ``Prefer`` only says how much is told of it."""
    return (header for header in headers.items() if header[0] != "Prefer")


def _first_target(listed: List[object], page_size: int | None, *, numbered: bool) -> str:
    top = (("$top", str(page_size)),) if page_size is not None else ()
    # The platform makes tokens only if asked for by an empty one.
    by_token = listed.mode in {"token", "both"} and not numbered
    token = (("$continuationToken", ""),) if by_token else ()
    return target(listed.path, (*listed.query, *top, *token))
