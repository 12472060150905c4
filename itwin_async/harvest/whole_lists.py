"""Lists that are read whole, with their rows in memory until they are committed."""

from __future__ import annotations

from datetime import UTC, datetime

from itwin_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    ITwinError,
    RateLimitError,
    ServerError,
    TransportError,
)
from itwin_async.harvest.lake import ListRows
from itwin_async.harvest.pages import RESTARTS, is_stale
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sources import Source
from itwin_async.paging import Page, PageIterator
from itwin_async.session import Session


class ListReader:
    """
    Reads one list page by page, and from its start again where its cursor is refused.

    Args:
        session: the session.
        source: what the list is one of.
        key: its key.
        name: display name of what it belongs to.
        page_size: items a page.
        keep: whether its rows are wanted.

    """

    def __init__(
        self,
        session: Session,
        source: Source[object],
        key: str,
        name: str | None,
        *,
        page_size: int,
        keep: bool = True,
    ) -> None:
        self._session = session
        self._source = source
        self.key = key
        self.name = name
        self._page_size = page_size
        self._keep = keep
        self._pages: PageIterator[object] | None = None
        self._begun = False
        self._restarts = 0
        self._texts: dict[str, bytes] = {}

    async def next(self) -> Page[object] | None:
        """
        Read the next page; ``None`` behind the last one.

        Raises:
            ITwinError: the list cannot be read to its end.

        """
        while True:
            try:
                if self._pages is None:
                    self._pages = self._source.inner(
                        self._session, self.key, page_size=self._page_size, cursor=None
                    ).pages()
                page = await anext(self._pages)
            except StopAsyncIteration:
                return None
            except ITwinError as error:
                await self.aclose()
                if not (self._begun and is_stale(error) and self._restarts < RESTARTS):
                    raise
                self._begun, self._restarts = False, self._restarts + 1
                self._texts.clear()
                continue
            self._begun = True
            if self._keep:
                self._take(page)
            return page

    def rows(self) -> ListRows:
        """Give what was read, as it is committed."""
        now = datetime.now(UTC)
        rows = [
            Row(self.key, self.name, name, text, now, now, now)
            for name, text in self._texts.items()
        ]
        return ListRows(self.key, self.name, rows)

    async def aclose(self) -> None:
        """End what is under way."""
        pages, self._pages = self._pages, None
        if pages is not None:
            await pages.aclose()

    def _take(self, page: Page[object]) -> None:
        # A server may repeat a page, and items move while a list is read by position.
        try:
            for item, text in zip(page.items, page.raw_items(), strict=True):
                self._texts.setdefault(self._source.id_of(item, text), text)
        except (ValueError, TypeError) as problem:
            raise DecodeError(f"a page of this list cannot be stored: {problem}") from None


class Outages:
    """
    Tells errors of single lists from what ends a harvest.

    Args:
        most: how many lists may fail one after another because nothing answers.

    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._in_a_row = 0

    def reset(self) -> None:
        """Note that something answered."""
        self._in_a_row = 0

    def is_over(self, error: ITwinError) -> bool:
        """Tell whether an error of a list is no list's fault."""
        if isinstance(error, AuthenticationError | ConfigurationError):
            return True
        if isinstance(error, TransportError) and error.kind == "pacer":
            return True
        if isinstance(error, TransportError | ServerError | RateLimitError):
            self._in_a_row += 1
        return self._in_a_row > self._most
