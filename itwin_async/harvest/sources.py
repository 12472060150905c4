"""What can be harvested: a list of lists, described as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import attrs

from itwin_async._arguments import invalid, text, whole
from itwin_async.harvest.columns import id_of
from itwin_async.harvest.ids import digest
from itwin_async.paging import Pager
from itwin_async.session import Session

T_co = TypeVar("T_co", covariant=True)
F_co = TypeVar("F_co", covariant=True)


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
        item: attrs class of the items.
        inner: makes the list of a key.
        outer: makes the list that the keys come from; or a source, whose items' ids are the keys;
            or ``None``.
        keys: the keys, where there is no ``outer``; ``("",)`` for a single list.
        parameters: whatever else decides what is harvested, for people to read. A target that was
            begun with others is refused.
        table: name of the table in a target.
        id: attribute that tells the items of a list apart; ``None`` where none does, so that equal
            items of a list are one.
        depth: how many ids make a key: that of the outer item, and before it those that the outer
            item's own list has for a key, with slashes between them.
        only: tells whether an outer item has such a list at all.
        grows: whether items have an ``index``, those that are there stay as they are, and ``inner``
            takes ``after_index`` too, for a list of those behind it. A refresh asks for them alone.
        divided: whether it is a share of a source, which ``parameters`` tell; see ``share``.

    """

    name: str
    item: type[T_co]
    inner: Inner[T_co]
    outer: Outer | Source[object] | None = None
    keys: tuple[str, ...] = attrs.field(default=("",), validator=lambda *given: _check(given[2]))
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    table: str = "items"
    id: str | None = attrs.field(default="id", kw_only=True)
    depth: int = attrs.field(default=1, kw_only=True)
    only: Callable[[object], bool] | None = attrs.field(default=None, kw_only=True)
    grows: bool = attrs.field(default=False, kw_only=True)
    divided: bool = attrs.field(default=False, kw_only=True)

    @property
    def identity(self) -> dict[str, str]:
        """What a target remembers of the source."""
        known = {"source": self.name, "item": self.item.__name__, **self.parameters}
        if self.outer is None and self.keys != ("",) and not self.divided:
            given = digest(self.keys)
            if given not in known.values():  # the parameters may tell it already
                known["keys"] = given
        return known

    def id_of(self, item: object, text: bytes) -> str:
        """
        Tell an item from the others of its list; ``text`` is its JSON.

        Raises:
            ValueError: its id cannot be stored.

        """
        if self.id == "id" or (self.id and getattr(item, self.id, None) is not None):
            return id_of(item, self.id)
        plain = json.dumps(json.loads(text), sort_keys=True)
        return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()

    def key_of(self, above: str, item: object) -> str:
        """
        Make the key of an outer item's list; ``above`` is the key of the list that it stands in.

        Raises:
            ValueError: the item has no id.

        """
        return "/".join([*above.split("/"), id_of(item)][-self.depth :])

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
        return Source(
            self.name,
            self.full_item,
            self.full_inner,
            self.outer,
            self.keys,
            {**self.parameters, "prefer": "representation"},
            self.table,
            id=self.id,
            depth=self.depth,
            only=self.only,
            grows=self.grows,
            divided=self.divided,
        )


def _check(keys: tuple[str, ...]) -> None:
    for key in keys:
        if key != "":  # the key of a single list
            text("keys", key)
