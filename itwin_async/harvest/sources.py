"""What can be harvested: a list of lists, described as data."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async._arguments import invalid, text, whole
from itwin_async.errors import ArgumentError
from itwin_async.paging import DetailPager, Pager
from itwin_async.session import Session

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
F_co = TypeVar("F_co", covariant=True)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Ids: TypeAlias = Iterable[str] | str | Path
"""Ids, or the name of a file that holds one a line."""


class Named(Protocol):
    """What an outer item must have: an id, the key of its inner list."""

    @property
    def id(self) -> str:
        """The id."""
        ...


class Outer(Protocol):
    """Makes the list whose items each have an inner list."""

    def __call__(self, session: Session, /, *, page_size: int, cursor: str | None) -> Pager[Named]:
        """Make the pager."""
        ...


class Inner(Protocol[T_co]):
    """Makes the list of one outer item."""

    def __call__(
        self, session: Session, key: str, /, *, page_size: int, cursor: str | None
    ) -> Pager[T_co]:
        """Make the pager."""
        ...


@attrs.frozen
class Source(Generic[T_co]):
    """
    A list of lists: for each key one list, all of the same class of items.

    It is data and pickles, if its functions are functions of a module (or ``functools.partial``).

    Args:
        name: short name, part of what a target remembers.
        item: attrs class of the items, which have an ``id``.
        inner: makes the list of a key.
        outer: makes the list that the keys come from; or ``None``.
        keys: the keys, where there is no ``outer``; ``("",)`` for a single list.
        parameters: whatever else decides what is harvested, for people to read. A target that was
            begun with others is refused.
        table: name of the table in a SQLite target.

    """

    name: str
    item: type[T_co]
    inner: Inner[T_co]
    outer: Outer | None = None
    keys: tuple[str, ...] = attrs.field(default=("",), validator=lambda *given: _check(given[2]))
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    table: str = "items"

    @property
    def identity(self) -> dict[str, str]:
        """What a target remembers of the source."""
        known = {"source": self.name, "item": self.item.__name__, **self.parameters}
        if self.outer is None and self.keys != ("",):
            given = _digest(self.keys)
            if given not in known.values():  # the parameters may tell it already
                known["keys"] = given
        return known

    def split(self, parts: int) -> list[Source[T_co]]:
        """
        Divide the keys among several harvests, each with a target of its own.

        Raises:
            ArgumentError: the keys come from the platform, or ``parts`` is below 1.

        """
        if self.outer is not None:
            raise invalid("source", self.name, "one whose keys are given")
        whole("parts", parts, 1)
        shares = [self.keys[number::parts] for number in range(parts)]
        return [attrs.evolve(self, keys=share) for share in shares if share]


@attrs.frozen
class DetailSource(Source[T_co], Generic[T_co, F_co]):
    """
    A source of summaries, which the platform also gives as whole entities.

    Args:
        full_item: class of the whole entities.
        full_inner: makes the list of a key, of whole entities.

    """

    full_item: type[F_co] = attrs.field(kw_only=True)
    full_inner: Inner[F_co] = attrs.field(kw_only=True)

    def full(self) -> Source[F_co]:
        """Harvest whole entities instead of summaries."""
        parameters = {**self.parameters, "prefer": "representation"}
        return Source(
            self.name,
            self.full_item,
            self.full_inner,
            self.outer,
            self.keys,
            parameters,
            self.table,
        )


def favorite_itwins() -> DetailSource[itwins.ITwinSummary, itwins.ITwin]:
    """Harvest the favorite iTwins, inactive ones too."""
    return _itwins("favorite-itwins", itwins.list_favorites)


def recent_itwins() -> DetailSource[itwins.ITwinSummary, itwins.ITwin]:
    """Harvest the recently used iTwins, inactive ones too."""
    return _itwins("recent-itwins", itwins.list_recents)


def favorite_imodels(
    itwin_ids: Ids | None = None,
) -> DetailSource[imodels.IModelSummary, imodels.IModel]:
    """
    Harvest the favorite iModels of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.

    """
    return _imodels("favorite-imodels", imodels.list_favorites, itwin_ids)


def recent_imodels(
    itwin_ids: Ids | None = None,
) -> DetailSource[imodels.IModelSummary, imodels.IModel]:
    """
    Harvest the recently used iModels of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.

    """
    return _imodels("recent-imodels", imodels.list_recents, itwin_ids)


def tags(itwin_ids: Ids | None = None) -> Source[saved_views.Tag]:
    """
    Harvest the tags of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.

    """
    outer, keys, of = _lists(itwin_ids)
    return Source("tags", saved_views.Tag, _tags, outer, keys, of, "tags")


def _itwins(
    name: str, function: Callable[..., DetailPager[itwins.ITwinSummary, itwins.ITwin]]
) -> DetailSource[itwins.ITwinSummary, itwins.ITwin]:
    return DetailSource(
        name,
        itwins.ITwinSummary,
        partial(_list, function, include_inactive=True),
        parameters={"prefer": "minimal"},
        table="itwins",
        full_item=itwins.ITwin,
        full_inner=partial(_full_list, function, include_inactive=True),
    )


def _imodels(
    name: str,
    function: Callable[..., DetailPager[imodels.IModelSummary, imodels.IModel]],
    itwin_ids: Ids | None,
) -> DetailSource[imodels.IModelSummary, imodels.IModel]:
    outer, keys, of = _lists(itwin_ids)
    return DetailSource(
        name,
        imodels.IModelSummary,
        partial(_list, function),
        outer,
        keys,
        {"prefer": "minimal", **of},
        "imodels",
        full_item=imodels.IModel,
        full_inner=partial(_full_list, function),
    )


def _lists(itwin_ids: Ids | None) -> tuple[Outer | None, tuple[str, ...], dict[str, str]]:
    """Tell where the keys come from, and what a target remembers of that."""
    if itwin_ids is None:
        return _favorites, (), {"itwins": "all favorites"}
    keys = _read(itwin_ids)
    return None, keys, {"itwins": _digest(keys)}


def _digest(keys: Iterable[str]) -> str:
    known = sorted(set(keys))
    mark = hashlib.blake2b("\n".join(known).encode(), digest_size=5).hexdigest()
    return f"{len(known)} given ({mark})"


def _read(ids: Ids) -> tuple[str, ...]:
    if isinstance(ids, str | Path):
        try:
            data = Path(ids).read_bytes()
        except (OSError, ValueError) as problem:
            raise invalid("itwin_ids", str(ids), f"a readable file ({problem})") from None
        ids = parse_ids(data, str(ids))
    return tuple(dict.fromkeys(text("itwin_ids", key) for key in ids))


def parse_ids(data: bytes, name: str) -> list[str]:
    """
    Read one id a line; what follows a ``#`` is a remark. Windows programs write byte order marks.

    Raises:
        ArgumentError: it is no text.

    """
    marked = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    try:
        lines = data.decode(marked[0] if marked else "utf-8")
    except UnicodeDecodeError as problem:
        raise invalid("itwin_ids", name, f"a readable file ({problem})") from None
    if "\0" in lines:
        raise ArgumentError(
            f"itwin_ids must be a text file; {name} contains NUL characters: save it as UTF-8",
            argument="itwin_ids",
        )
    ids = (line.partition("#")[0].strip() for line in lines.splitlines())
    return [key for key in ids if key]


def _check(keys: tuple[str, ...]) -> None:
    for key in keys:
        if key != "":  # the key of a single list
            text("keys", key)


def _list(
    function: Callable[..., Pager[T]], session: Session, key: str = "", /, **options: object
) -> Pager[T]:
    """Call a list function of a resource; ``key`` is the iTwin, where it is of one."""
    return function(session, *([key] if key else []), **options)


def _full_list(
    function: Callable[..., DetailPager[Any, T]],
    session: Session,
    key: str = "",
    /,
    **options: object,
) -> Pager[T]:
    return function(session, *([key] if key else []), **options).full()


def _favorites(session: Session, *, page_size: int, cursor: str | None) -> Pager[Named]:
    pager = itwins.list_favorites(
        session, include_inactive=True, page_size=page_size, cursor=cursor
    )
    return cast("Pager[Named]", pager)


def _tags(
    session: Session, key: str, *, page_size: int, cursor: str | None
) -> Pager[saved_views.Tag]:
    del page_size  # the platform gives all tags in one page
    return saved_views.list_tags(session, itwin_id=key, cursor=cursor)
