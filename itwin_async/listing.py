"""What a list operation is, and one page of it."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs
import msgspec

from itwin_async._http.urls import target
from itwin_async._paging.cursor import Cursor, scope_of
from itwin_async.models import PageLinks

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(eq=False, repr=False)
class Listing(Generic[T_co]):
    """
    What there is to know about a list operation before its first request.

    Args:
        operation: name of the list function; part of every cursor.
        path: quoted path.
        query: names and values that decide what is in the list.
        key: member of the answer that holds the items.
        item: class of the items.
        accept: the ``Accept`` header.
        prefer: the ``Prefer`` header, repeated for every page.
        opening: names and values that only the first request carries, such as the empty
            continuation token.
        by_skip: whether its pages are numbered by ``$skip``, so that several may be under way.

    """

    operation: str
    path: str
    query: tuple[tuple[str, str], ...]
    key: str
    item: type[T_co]
    accept: str
    prefer: str | None = None
    opening: tuple[tuple[str, str], ...] = ()
    by_skip: bool = False

    @property
    def scope(self) -> str:
        """Fingerprint of what is in the list."""
        return scope_of(self.path, *(f"{name}={value}" for name, value in self.query))

    def start(self, page_size: int | None) -> str:
        """
        Write the first request target.

        Args:
            page_size: items a page, or ``None`` for the platform's default.

        Returns:
            Path and query.

        """
        top = (("$top", str(page_size)),) if page_size is not None else ()
        return target(self.path, (*self.query, *top, *self.opening))

    def at(self, page: str, offset: int) -> str:
        """
        Write a cursor.

        Args:
            page: request target of a page.
            offset: items of that page that lie behind.

        Returns:
            The cursor.

        """
        return Cursor(self.operation, self.scope, page, offset).encode()


@attrs.frozen(eq=False)
class Page(Generic[T_co]):
    """
    One page of a list.

    Attributes:
        items: the page's items; without those that lie before the cursor it was reached by.
        links: its links as the platform wrote them.
        raw: its JSON text as the platform sent it, unknown members included.
        listing: the list that it is of.
        place: request target of this page, and how many of its first items are left out here.
        behind: request target of the page behind it, or of itself, and the offset there.

    """

    items: list[T_co]
    links: PageLinks
    raw: bytes = attrs.field(repr=False)
    listing: Listing[T_co] = attrs.field(repr=False)
    place: tuple[str, int] = attrs.field(repr=False)
    behind: tuple[str, int] = attrs.field(repr=False)

    @property
    def cursor(self) -> str:
        """The place behind this page."""
        return self.listing.at(*self.behind)

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
        """
        Link to this page, or ``None``.
        """
        return self.links.self

    def raw_items(self) -> list[bytes]:
        """
        Cut out each item's JSON text as the platform sent it.

        Returns:
            As many texts as there are ``items``, in the same order.

        """
        members = msgspec.json.decode(self.raw, type=dict[str, msgspec.Raw])
        entries = msgspec.json.decode(members[self.listing.key], type=list[msgspec.Raw])
        return [bytes(entry) for entry in entries[self.place[1] :]]
