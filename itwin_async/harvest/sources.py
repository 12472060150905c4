"""What can be harvested: a list of lists, described as data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar, cast

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async._arguments import invalid, whole
from itwin_async.paging import Pager
from itwin_async.session import Session

T_co = TypeVar("T_co", covariant=True)

Ids: TypeAlias = Iterable[str] | str | Path
"""Ids, or the name of a file that holds one a line."""


class Named(Protocol):
    """What an outer item must have: an id, which the inner list is asked for."""

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


Prefer: TypeAlias = Literal["minimal", "representation"]


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
    keys: tuple[str, ...] = ("",)
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    table: str = "items"

    @property
    def identity(self) -> dict[str, str]:
        """What a target remembers of the source."""
        known = {"source": self.name, "item": self.item.__name__, **self.parameters}
        if self.outer is None and self.keys != ("",):
            given = digest(self.keys)
            if given not in known.values():  # the parameters may tell it already
                known["keys"] = given
        return known

    def split(self, parts: int) -> list[Source[T_co]]:
        """
        Divide the keys among several harvests, each with a target of its own.

        Args:
            parts: how many sources.

        Returns:
            Sources that together have the keys of this one.

        Raises:
            ArgumentError: the keys come from the platform, or ``parts`` is below 1.

        """
        if self.outer is not None:
            raise invalid("source", self.name, "one whose keys are given")
        whole("parts", parts, 1)
        shares = [self.keys[number::parts] for number in range(parts)]
        return [attrs.evolve(self, keys=share) for share in shares if share]


def favorite_itwins(*, prefer: Prefer = "minimal") -> Source[itwins.ITwinSummary]:
    """
    Harvest the favorite iTwins, inactive ones too.

    Args:
        prefer: level of detail.

    Returns:
        The source.

    """
    item = itwins.ITwin if prefer == "representation" else itwins.ITwinSummary
    inner = partial(_favorite_itwins, prefer=prefer)
    return Source("favorite-itwins", item, inner, parameters={"prefer": prefer}, table="itwins")


def recent_itwins(*, prefer: Prefer = "minimal") -> Source[itwins.ITwinSummary]:
    """
    Harvest the recently used iTwins, inactive ones too.

    Args:
        prefer: level of detail.

    Returns:
        The source.

    """
    item = itwins.ITwin if prefer == "representation" else itwins.ITwinSummary
    inner = partial(_recent_itwins, prefer=prefer)
    return Source("recent-itwins", item, inner, parameters={"prefer": prefer}, table="itwins")


def favorite_imodels(
    itwin_ids: Ids | None = None, *, prefer: Prefer = "minimal"
) -> Source[imodels.IModelSummary]:
    """
    Harvest the favorite iModels of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.
        prefer: level of detail.

    Returns:
        The source.

    """
    item = imodels.IModel if prefer == "representation" else imodels.IModelSummary
    inner = partial(_favorite_imodels, prefer=prefer)
    return _of_itwins("favorite-imodels", item, inner, itwin_ids, {"prefer": prefer}, "imodels")


def recent_imodels(
    itwin_ids: Ids | None = None, *, prefer: Prefer = "minimal"
) -> Source[imodels.IModelSummary]:
    """
    Harvest the recently used iModels of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.
        prefer: level of detail.

    Returns:
        The source.

    """
    item = imodels.IModel if prefer == "representation" else imodels.IModelSummary
    inner = partial(_recent_imodels, prefer=prefer)
    return _of_itwins("recent-imodels", item, inner, itwin_ids, {"prefer": prefer}, "imodels")


def tags(itwin_ids: Ids | None = None) -> Source[saved_views.Tag]:
    """
    Harvest the tags of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.

    Returns:
        The source.

    """
    return _of_itwins("tags", saved_views.Tag, _tags, itwin_ids, {}, "tags")


def digest(keys: Iterable[str]) -> str:
    """
    Describe a list of keys in a few characters.

    Args:
        keys: the keys.

    Returns:
        How many there are, and a fingerprint.

    """
    known = sorted(set(keys))
    mark = hashlib.blake2b("\n".join(known).encode(), digest_size=5).hexdigest()
    return f"{len(known)} given ({mark})"


def _of_itwins(
    name: str,
    item: type[T_co],
    inner: Inner[T_co],
    itwin_ids: Ids | None,
    parameters: Mapping[str, str],
    table: str,
) -> Source[T_co]:
    if itwin_ids is None:
        of = {"itwins": "all favorites"}
        return Source(name, item, inner, _outer, (), {**parameters, **of}, table)
    keys = _read(itwin_ids)
    given = {"itwins": digest(keys)}
    return Source(name, item, inner, None, keys, {**parameters, **given}, table)


def _read(ids: Ids) -> tuple[str, ...]:
    if isinstance(ids, str | Path):
        try:
            lines = Path(ids).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as problem:
            raise invalid("itwin_ids", str(ids), f"a readable file ({problem})") from None
        ids = [line.partition("#")[0].strip() for line in lines]
    return tuple(dict.fromkeys(key for key in ids if key))


def _outer(session: Session, *, page_size: int, cursor: str | None) -> Pager[Named]:
    return cast(
        "Pager[Named]",
        itwins.list_favorites(session, include_inactive=True, page_size=page_size, cursor=cursor),
    )


def _favorite_itwins(
    session: Session, _key: str, *, prefer: Prefer, page_size: int, cursor: str | None
) -> Pager[itwins.ITwinSummary]:
    pager = itwins.list_favorites(
        session, include_inactive=True, page_size=page_size, cursor=cursor
    )
    return pager.full() if prefer == "representation" else pager


def _recent_itwins(
    session: Session, _key: str, *, prefer: Prefer, page_size: int, cursor: str | None
) -> Pager[itwins.ITwinSummary]:
    pager = itwins.list_recents(session, include_inactive=True, page_size=page_size, cursor=cursor)
    return pager.full() if prefer == "representation" else pager


def _favorite_imodels(
    session: Session, key: str, *, prefer: Prefer, page_size: int, cursor: str | None
) -> Pager[imodels.IModelSummary]:
    pager = imodels.list_favorites(session, key, page_size=page_size, cursor=cursor)
    return pager.full() if prefer == "representation" else pager


def _recent_imodels(
    session: Session, key: str, *, prefer: Prefer, page_size: int, cursor: str | None
) -> Pager[imodels.IModelSummary]:
    pager = imodels.list_recents(session, key, page_size=page_size, cursor=cursor)
    return pager.full() if prefer == "representation" else pager


def _tags(
    session: Session, key: str, *, page_size: int, cursor: str | None
) -> Pager[saved_views.Tag]:
    del page_size  # the platform gives all tags in one page
    return saved_views.list_tags(session, itwin_id=key, cursor=cursor)
