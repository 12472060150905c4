"""A harvest divided among several machines that know nothing of each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from itwin_async._arguments import whole
from itwin_async.harvest.columns import id_of
from itwin_async.harvest.sources import Outer, Source
from itwin_async.itwins import ITwinSummary

EVERY = " of every share"
"""What the names of sources end in that are read by every share, and stored by the first."""


def share(
    source: Source[object] | Sequence[Source[object]], number: int, of: int
) -> list[Source[object]]:
    """
    Choose one of several shares of a harvest, each for a target of its own; see ``merge``.

    Lists are divided by a stable hash of the iTwin's id, or of another id at the top, so that what
    belongs to one iTwin is in one share. The lists of iTwins themselves are read by all, and stored
    by the first.

    Args:
        source: what to harvest.
        number: which share, 1 for the first.
        of: how many there are.

    Raises:
        ArgumentError: there is no such share.

    """
    whole("of", of, 1)
    whole("number", number, 1, of)
    sources = [source] if isinstance(source, Source) else list(source)
    divide = _Divider(number, of, frozenset(one.name for one in sources))
    return [divide.share(one) for one in sources]


@attrs.frozen
class _Divider:
    number: int
    of: int
    wanted: frozenset[str]

    def share(self, source: Source[object]) -> Source[object]:
        known = {name: text for name, text in source.identity.items() if name == "keys"}
        told = {**source.parameters, **known, "share": f"{self.number} of {self.of}"}
        if source.outer is not None:
            outer, only = self._outer(source)
            return attrs.evolve(source, outer=outer, only=only, parameters=told, divided=True)
        if _leads(source):
            keys = source.keys if self.number == 1 else ()
        else:
            keys = tuple(key for key in source.keys if _is_in(key, self.number, self.of))
        return attrs.evolve(source, keys=keys, parameters=told, divided=True)

    def _outer(
        self, source: Source[object]
    ) -> tuple[Outer | Source[object] | None, Callable[[object], bool] | None]:
        outer = source.outer
        if isinstance(outer, Source) and not _leads(outer):
            return self.share(outer), source.only
        if isinstance(outer, Source) and outer.name in self.wanted and self.number > 1:
            outer = attrs.evolve(outer, name=f"{outer.name}{EVERY}")
        return outer, partial(_belongs, source.only, self.number, self.of)


def _leads(source: Source[object]) -> bool:
    """Tell whether a source is few lists, whose items may have the lists that are divided."""
    is_of_itwins = issubclass(source.item, ITwinSummary)
    return source.outer is None and (source.keys == ("",) or is_of_itwins)


def _belongs(only: Callable[[object], bool] | None, number: int, of: int, item: object) -> bool:
    return (only is None or only(item)) and _is_in(id_of(item), number, of)


def _is_in(key: str, number: int, of: int) -> bool:
    mark = hashlib.blake2b(key.lower().encode(), digest_size=8).digest()
    return int.from_bytes(mark, "big") % of == number - 1
