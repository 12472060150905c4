"""The lists of a harvest: those that are wanted, and those whose items lead to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import attrs

from itwin_async._arguments import instance, invalid
from itwin_async.errors import ArgumentError
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.platform import is_same
from itwin_async.harvest.sources import Named, Outer, Source
from itwin_async.paging import Pager
from itwin_async.session import Session


@attrs.frozen
class Node:
    """
    A source in a harvest.

    Attributes:
        number: its number in the checkpoint.
        source: the source.
        parent: number of the source whose items have its lists.
        children: numbers of the sources whose lists its items have.
        stored: whether its rows are wanted.

    """

    number: int
    source: Source[object]
    parent: int | None
    children: tuple[int, ...]
    stored: bool


Plan = Sequence[Node]


def plan(sources: Sequence[Source[object]]) -> Plan:
    """
    Put sources in order, those that lead to others first; what several need is there once.

    Raises:
        ArgumentError: they cannot share a target.

    """
    wanted: dict[str, Source[object]] = {}
    for source in sources:
        instance("source", source, Source, "a Source, or several")
        if source.name in wanted:
            raise invalid("source", source.name, "sources of different names")
        wanted[source.name] = source
    if not wanted:
        raise invalid("source", sources, "at least one Source")
    for table, count in Counter(source.table for source in wanted.values()).items():
        if count > 1:
            raise invalid("source", table, "sources of different tables")
    found: dict[str, tuple[Source[object], str | None]] = {}
    for source in wanted.values():
        _add(source, wanted, found)
    numbers = {name: number for number, name in enumerate(found)}
    return [
        Node(
            numbers[name],
            source,
            None if parent is None else numbers[parent],
            tuple(numbers[other] for other, (_, above) in found.items() if above == name),
            name in wanted,
        )
        for name, (source, parent) in found.items()
    ]


def identity(sources: Sequence[Source[object]]) -> dict[str, str]:
    """Write what a target of these sources remembers of them."""
    if len(sources) == 1:
        return sources[0].identity
    known: dict[str, str] = {"source": ", ".join(source.name for source in sources)}
    facts = [(source.name, fact) for source in sources for fact in source.identity.items()]
    for name, (fact, value) in facts:
        if fact not in {"source", "item"}:
            same = {each for _, (other, each) in facts if other == fact}
            known[fact if len(same) == 1 else f"{fact} of {name}"] = value
    return known


def compare_identities(target: str, begun: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """
    Compare what a target is a harvest of with what is wanted.

    Raises:
        TargetError: they differ.

    """
    differences = [
        f"{name} is {begun.get(name, 'not set')} there, {wanted.get(name, 'not set')} here"
        for name in dict.fromkeys([*begun, *wanted])
        if begun.get(name) != wanted.get(name)
        and not (name == "platform" and is_same(begun.get(name), wanted.get(name)))
    ]
    if differences:
        raise TargetError(
            f"{target} belongs to another harvest: {'; '.join(differences)}; use another target"
        )


def _add(
    source: Source[object],
    wanted: dict[str, Source[object]],
    found: dict[str, tuple[Source[object], str | None]],
) -> str:
    chosen = wanted.get(source.name, source)
    if (chosen.keys, _name(chosen.outer)) != (source.keys, _name(source.outer)):
        raise ArgumentError(
            f"the sources named {source.name} must have the same keys and outer source",
            argument="source",
        )
    if source.name not in found:
        outer = chosen.outer
        if outer is not None and not isinstance(outer, Source):
            outer = Source(f"lists of {source.name}", object, partial(_single, outer))
        parent = None if outer is None else _add(outer, wanted, found)
        found[source.name] = (chosen, parent)
    return source.name


def _name(outer: Outer | Source[object] | None) -> object:
    return outer.name if isinstance(outer, Source) else outer


def _single(
    outer: Outer, session: Session, key: str, /, *, page_size: int, cursor: str | None
) -> Pager[Named]:
    """Make a list that has no key."""
    del key
    return outer(session, page_size=page_size, cursor=cursor)
