"""What a harvest will cost, from a few sampled pages, before anything starts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import attrs

from itwin_async._arguments import whole
from itwin_async._tables.html import facts_html
from itwin_async._tasks import ungrouped
from itwin_async.errors import AuthenticationError, ITwinError
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.plan import Node, plan
from itwin_async.harvest.progress import to_json
from itwin_async.harvest.sources import Source
from itwin_async.paging import MAX_PAGE_SIZE
from itwin_async.session import Session

_PAGES = 3  # of a sampled list
_PAGES_OF_THE_ONLY_LIST = 20  # it leads to all others


@attrs.frozen
class SourceEstimate:
    """
    What one source will cost.

    Attributes:
        name: its name.
        table: its table; ``None`` where its lists only lead to others.
        lists: how many lists there are.
        calls: requests for all their pages.
        items: items in all of them.
        bytes: size of the answers, decompressed.
        sampled: how many of the lists were looked at.
        failed: how many of those could not be read.
        at_least: whether there is more, since a sampled list went on behind the last sampled page.

    """

    name: str
    table: str | None
    lists: int
    calls: int
    items: int
    bytes: int
    sampled: int
    failed: int = 0
    at_least: bool = False


@attrs.frozen
class Estimate:
    """
    What a harvest will cost.

    Attributes:
        sources: the sources, those that lead to others first.
        calls_a_minute: the quota, known or learned; ``None`` if there is none so far.
        minutes: how long it takes at the quota, or else as fast as the samples were answered.
        sampled_calls: what the estimate itself cost.

    """

    sources: list[SourceEstimate]
    calls_a_minute: float | None
    minutes: float
    sampled_calls: int

    @property
    def lists(self) -> int:
        """Lists whose items are wanted."""
        return sum(one.lists for one in self.sources if one.table is not None)

    @property
    def calls(self) -> int:
        """Requests, those for lists that only lead to others included."""
        return sum(one.calls for one in self.sources)

    @property
    def items(self) -> int:
        """Items that are wanted."""
        return sum(one.items for one in self.sources if one.table is not None)

    @property
    def bytes(self) -> int:
        """Size of all answers, decompressed."""
        return sum(one.bytes for one in self.sources)

    @property
    def at_least(self) -> bool:
        """Whether there is more than the numbers say."""
        return any(one.at_least for one in self.sources)

    def to_json(self) -> str:
        """Write the estimate as a JSON object."""
        return to_json(
            self,
            lists=self.lists,
            calls=self.calls,
            items=self.items,
            bytes=self.bytes,
            at_least=self.at_least,
        )

    def _repr_html_(self) -> str:
        pace = self.calls_a_minute
        facts = {
            "lists": f"{self.lists:,}",
            "items": f"{self.items:,}",
            "calls": f"{self.calls:,}",
            "bytes": f"{self.bytes:,}",
            "calls a minute": "not known" if pace is None else f"{pace:,.0f}",
            "minutes": f"{self.minutes:,.1f}",
        }
        return facts_html(facts, title="at least" if self.at_least else "about")


@attrs.define
class _Sample:
    """What was seen of one list; its keys are those of lists that it leads to, by their source."""

    pages: int = 0
    items: int = 0
    bytes: int = 0
    more: bool = False
    failed: bool = False
    keys: dict[int, list[str]] = attrs.field(factory=dict)


async def estimate(
    session: Session,
    source: Source[object] | Sequence[Source[object]],
    *,
    page_size: int = 1000,
    concurrency: int = 16,
    samples: int = 8,
) -> Estimate:
    """
    Estimate what a harvest will cost; nothing is written.

    Some lists of each source are sampled, spread over those that are known, up to three pages of
    each. Sizes differ: where few lists are very long, the estimate is too low.

    Args:
        session: the session.
        source: as of ``run``.
        page_size: as of ``run``.
        concurrency: as of ``run``; it decides the time where there is no quota.
        samples: how many lists of a source are looked at.

    Raises:
        ArgumentError: an argument is not what it must be.
        ITwinError: the list of lists cannot be read.

    """
    whole("page_size", page_size, 1, MAX_PAGE_SIZE)
    whole("concurrency", concurrency, 1)
    whole("samples", samples, 1, 1000)
    nodes = plan([source] if isinstance(source, Source) else list(source))
    counter, looker = CallCounter(session), _Looker(session, nodes, page_size)
    with counter.running():
        found = [await looker.look(node, samples) for node in nodes]
    seconds_a_call = counter.spent / max(1, counter.calls)
    rate, calls = session.stats().rate, sum(one.calls for one in found)
    seconds = calls / rate if rate else calls * seconds_a_call / concurrency
    return Estimate(found, rate and rate * 60, seconds / 60, counter.calls)


class _Looker:
    """Samples the lists of one source after the other."""

    def __init__(self, session: Session, nodes: Sequence[Node], page_size: int) -> None:
        self._session = session
        self._nodes = nodes
        self._page_size = page_size
        self._keys = {node.number: list(node.source.keys) for node in nodes if node.parent is None}
        self._counts = {number: float(len(keys)) for number, keys in self._keys.items()}
        self._unsure: set[int] = set()

    async def look(self, node: Node, samples: int) -> SourceEstimate:
        """Look at some of a source's lists."""
        keys, count = self._keys.get(node.number, []), self._counts.get(node.number, 0.0)
        chosen = _spread(keys, samples)
        seen = [_Sample() for _ in chosen]
        only = node.parent is None and len(keys) == 1 and bool(node.children)
        most = _PAGES_OF_THE_ONLY_LIST if only else _PAGES

        async def look_at_all() -> None:
            async with asyncio.TaskGroup() as group:
                for key, sample in zip(chosen, seen, strict=True):
                    group.create_task(self._look_at(node, key, sample, most))

        await ungrouped(look_at_all())
        many = max(1, len(seen))
        unsure = node.number in self._unsure or any(one.more for one in seen)
        for child in node.children:
            below = [key for one in seen for key in one.keys.get(child, [])]
            self._keys[child] = list(dict.fromkeys(below))
            self._counts[child] = count * len(self._keys[child]) / many
            if unsure:
                self._unsure.add(child)
        return SourceEstimate(
            name=node.source.name,
            table=node.source.table if node.stored else None,
            lists=round(count),
            calls=round(count * sum(max(1, one.pages) for one in seen) / many),
            items=round(count * sum(one.items for one in seen) / many),
            bytes=round(count * sum(one.bytes for one in seen) / many),
            sampled=len(seen),
            failed=sum(one.failed for one in seen),
            at_least=unsure,
        )

    async def _look_at(self, node: Node, key: str, sample: _Sample, most: int) -> None:
        source = node.source
        try:
            pager = source.inner(self._session, key, page_size=self._page_size, cursor=None)
            async with aclosing(pager.pages(tolerant=True)) as pages:
                async for page in pages:
                    sample.pages += 1
                    sample.items += len(page.items)
                    sample.bytes += len(page.raw)
                    for child in node.children:
                        keys = self._keys_of(child, key, page.items)
                        sample.keys.setdefault(child, []).extend(keys)
                    if sample.pages == most:
                        sample.more = page.next is not None
                        return
        except AuthenticationError:
            raise
        except ITwinError:
            if node.parent is None and node.children:  # without it there is nothing
                raise
            sample.failed = True

    def _keys_of(self, child: int, above: str, items: Sequence[object]) -> list[str]:
        source, found = self._nodes[child].source, list[str]()
        for item in items:
            try:
                if source.only is None or source.only(item):
                    found.append(source.key_of(above, item))
            except ValueError:  # a harvest sets it aside
                continue
        return found


def _spread(keys: Sequence[str], count: int) -> list[str]:
    """Choose keys, evenly spread over all."""
    if len(keys) <= count:
        return list(keys)
    return [keys[(2 * number + 1) * len(keys) // (2 * count)] for number in range(count)]
