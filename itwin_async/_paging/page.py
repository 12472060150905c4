"""One page of a list, and what others can make of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast, overload

import attrs

from itwin_async._json.codec import Undecoded, raw_entries
from itwin_async._paging.cursor import Position
from itwin_async._paging.links import PageLinks
from itwin_async._paging.prefetch import PageSource
from itwin_async._tables.arrow import table

T_co = TypeVar("T_co", covariant=True)

if TYPE_CHECKING:
    _Items = Sequence
else:
    _Items = Generic


@attrs.frozen(eq=False, repr=False)
class Page(_Items[T_co]):
    """
    One page of a list: a sequence of its items.

    It can do all that a sequence can, but is none by ``isinstance``: libraries for frames would
    take it for a list of objects, where they can read typed columns.

    Attributes:
        items: the page's items; without those that lie before the cursor it was reached by.
        links: its links as the platform wrote them.
        raw: its JSON text as the platform sent it, unknown members included.
        undecoded: items that are not in ``items``, where ``pages(tolerant=True)`` was asked for.

    """

    items: list[T_co]
    links: PageLinks
    raw: bytes
    _source: PageSource[T_co]
    _start: Position
    _end: Position
    undecoded: tuple[Undecoded, ...] = ()

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

    def __reversed__(self) -> Iterator[T_co]:
        return reversed(self.items)

    def __contains__(self, item: object) -> bool:
        return item in self.items

    def index(self, value: object, start: int = 0, stop: int = sys.maxsize) -> int:
        """Give the first index of an item; ``ValueError`` if it is not there."""
        return cast("list[object]", self.items).index(value, start, stop)

    def count(self, value: object) -> int:
        """Count how often an item is there."""
        return cast("list[object]", self.items).count(value)

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
        entries = raw_entries(self.raw, self._source.key)
        odd = {one.index for one in self.undecoded}
        start = self._start.offset
        return [entry for index, entry in enumerate(entries) if index >= start and index not in odd]

    def cursor_before(self, left: int) -> str:
        """Write the position before the last ``left`` items of this page."""
        handed_out = self._start.offset + len(self.items) - left
        return self._source.cursors.write(Position(self._start.target, handed_out))

    def __repr__(self) -> str:
        return f"<Page {self._title}, {'a page follows' if self.has_next else 'the last page'}>"

    def _repr_html_(self) -> str:
        # What only notebooks need is loaded there only.
        from itwin_async._tables.html import SHOWN, items_html  # noqa: PLC0415

        left = len(self.items) - SHOWN
        parts = [f"{left} more in this page" if left > 0 else "", self._what_comes_next()]
        note = "; ".join(part for part in parts if part)
        return items_html(self._source.item, self.items, title=self._title, note=note)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """
        Export the items as an Arrow stream, with the columns of ``to_arrow``.

        Raises:
            ConfigurationError: pyarrow is not installed; it is in the extra ``arrow``.

        """
        rows: object = table(self._source.item, self.items).__arrow_c_stream__(requested_schema)
        return rows

    @property
    def __geo_interface__(self) -> dict[str, object]:
        """
        The items that have a place, as a GeoJSON FeatureCollection.

        Raises:
            AttributeError: items of this class have no places.

        """
        if not hasattr(self._source.item, "__geo_interface__"):
            raise AttributeError(f"{self._source.item.__name__} has no __geo_interface__")
        found = [cast("_Placed", item).__geo_interface__ for item in self.items]
        placed = [feature for feature in found if feature.get("geometry") is not None]
        return {"type": "FeatureCollection", "features": placed}

    @property
    def _title(self) -> str:
        source = self._source
        return f"{source.cursors.operation}: {len(self.items)} {source.item.__name__}"

    def _what_comes_next(self) -> str:
        if not self.has_next:
            return "this is the last page"
        return "a page follows: async for page in pager.pages(), or cursor=page.cursor"


class _Placed(Protocol):
    @property
    def __geo_interface__(self) -> dict[str, object]: ...
