"""A harvest in parts: whole lists that any machine can read, found as outer lists are read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Self

import attrs

from itwin_async._arguments import whole
from itwin_async._tasks import ungrouped
from itwin_async.errors import ConfigurationError, ITwinError, TransportError
from itwin_async.harvest.committer import AnyTarget, Committer, lake_of
from itwin_async.harvest.lake import LakeTable
from itwin_async.harvest.pages import keys_of
from itwin_async.harvest.plan import Node, identity, plan
from itwin_async.harvest.platform import platform_of
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.sources import Source
from itwin_async.harvest.whole_lists import ListReader, Outages
from itwin_async.paging import MAX_PAGE_SIZE, Page
from itwin_async.session import Session

_FAILURES = 1000


@attrs.frozen
class Shard:
    """
    Some lists of a source, which ``read_shard`` reads and commits; it is data and pickles.

    Attributes:
        source: the source.
        lists: key of each list, and the display name of what it belongs to.
        identity: what its target is a harvest of.
        tables: the tables of the target.

    """

    source: Source[object]
    lists: tuple[tuple[str, str | None], ...] = attrs.field(repr=lambda lists: f"<{len(lists)}>")
    identity: Mapping[str, str] = attrs.field(repr=False)
    tables: tuple[LakeTable, ...] = attrs.field(repr=False)


class Shards:
    """
    One pass over the shards of a harvest that are not in its target yet.

    Lists whose items lead to others are read here, and committed where their rows are wanted.

    Attributes:
        size: how many lists further shards have.
        lists_known: lists found so far.
        lists_done: those of them that are in the target, not counting those of shards.
        items: rows of these lists.
        identity: what the target is a harvest of.
        tables: its tables.
        failures: lists that failed here.
        all_known: whether no further lists will be found.
        resumed: whether the target had lists already.

    """

    def __init__(
        self,
        session: Session,
        sources: Sequence[Source[object]],
        target: AnyTarget,
        *,
        size: int,
        concurrency: int,
        page_size: int,
    ) -> None:
        self._session = session
        self._nodes = plan(sources)
        self._target = lake_of(target)
        self._committer = Committer(self._target)
        self._is_over = False
        self.size = whole("size", size, 1)
        self._concurrency = whole("concurrency", concurrency, 1)
        self._page_size = whole("page_size", page_size, 1, MAX_PAGE_SIZE)
        self._outages = Outages(2 * concurrency)
        self.identity = identity(sources)
        self.tables: tuple[LakeTable, ...] = tuple(
            LakeTable(node.source.table, node.source.name, node.source.item, node.source.id)
            for node in self._nodes
            if node.stored
        )
        self._there: dict[int, Mapping[str, int]] = {}
        self._seen: dict[int, set[str]] = {node.number: set() for node in self._nodes}
        self._found: dict[int, list[tuple[str, str | None]]] = {}
        self._unread: deque[_OuterList] = deque()
        self.lists_known = self.lists_done = self.items = 0
        self.failures: list[Failure] = []
        self.all_known = self.resumed = False
        self._steps = self._make()

    @property
    def name(self) -> str:
        """What the target is called."""
        return self._target.name

    @property
    def new_items(self) -> int:
        """Rows that were committed here."""
        return self._committer.new_rows

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Shard:
        """
        Find the next shard.

        Raises:
            TargetError: the target is foreign, or cannot be written.
            ITwinError: the list of lists cannot be read, or the platform cannot be reached.

        """
        return await anext(self._steps)

    async def finish(self, failures: Iterable[Failure] = ()) -> list[Failure]:
        """
        Note in the target that every list is there, except for those that failed, and compact it.

        Args:
            failures: what the reports of all shards tell.

        Returns:
            All that failed, here too; the first thousand.

        Raises:
            ConfigurationError: there are further shards.

        """
        if not self._is_over:
            raise ConfigurationError("there are further shards; iterate to the end before finish()")
        failed = list(islice(chain(self.failures, failures), _FAILURES))
        await self._committer.call(lambda: self._target.finish(failed))
        await self._committer.call(self._target.compact)
        return failed

    async def aclose(self) -> None:
        """End what is under way."""
        await self._steps.aclose()

    async def _begin(self) -> None:
        self.identity["platform"] = await platform_of(self._session)
        await self._committer.prepare(self.identity, self.tables)
        for node in self._nodes:
            if node.stored:
                there = await self._committer.committed(node.source.table)
                self._there[node.number], self.resumed = there, self.resumed or bool(there)
        for node in self._nodes:
            if node.parent is None:
                self._note(node, ((key, None) for key in node.source.keys))

    async def _make(self) -> AsyncGenerator[Shard, None]:
        await self._begin()
        active: list[_OuterList] = []
        try:
            while self._unread or active:
                while self._unread and len(active) < self._concurrency:
                    active.append(self._unread.pop())  # the latest, so that few wait
                await ungrouped(_read_pages(active))
                for outer in active:
                    self._take(outer)
                for outer in [outer for outer in active if outer.is_over]:
                    active.remove(outer)
                    await self._end(outer)
                for shard in self._cut(self.size):
                    yield shard
            self.all_known = True
            for shard in self._cut(1):
                yield shard
            await self._committer.flush()
            self._is_over = True
        finally:
            for outer in active:
                await outer.reader.aclose()

    def _note(self, node: Node, keys: Iterator[tuple[str, str | None]]) -> None:
        """Take note of lists that were found."""
        seen, there = self._seen[node.number], self._there.get(node.number, {})
        for key, name in keys:
            if key in seen:
                continue
            seen.add(key)
            self.lists_known += node.stored
            if node.children:
                keep = node.stored and key not in there
                reader = ListReader(
                    self._session, node.source, key, name, page_size=self._page_size, keep=keep
                )
                self._unread.append(_OuterList(node, reader, keep))
            elif key not in there:
                self._found.setdefault(node.number, []).append((key, name))
            if key in there:
                self.lists_done += 1
                self.items += there[key]

    def _take(self, outer: _OuterList) -> None:
        error, page = outer.error, outer.page
        if error is None:
            self._outages.reset()
        if error is None and page is not None:
            try:
                for number in outer.node.children:
                    child = self._nodes[number]
                    keys = list(keys_of(child.source, outer.reader.key, page.items))
                    self._note(child, iter(keys))
            except ITwinError as problem:
                error = outer.error = problem
        if error is None:
            return
        is_first = not outer.node.stored and not outer.reader.key  # without it there is nothing
        if is_first or self._outages.is_over(error):
            raise error
        self.lists_known += not outer.node.stored
        source, reader = outer.node.source.name, outer.reader
        kind = type(error).__name__
        self.failures.append(Failure(reader.key, reader.name, kind, str(error), source))

    async def _end(self, outer: _OuterList) -> None:
        await outer.reader.aclose()
        if outer.error is None and outer.keep:
            rows = outer.reader.rows()
            await self._committer.add(outer.node.source.table, rows)
            self.lists_done += 1
            self.items += len(rows.rows)

    def _cut(self, least: int) -> Iterator[Shard]:
        for number, found in self._found.items():
            # Of the source only what reads a list: its keys may be many.
            source = attrs.evolve(self._nodes[number].source, keys=("",), outer=None, only=None)
            while len(found) >= least:
                lists, found[:] = tuple(found[: self.size]), found[self.size :]
                yield Shard(source, lists, self.identity, self.tables)


@attrs.define(eq=False)
class _OuterList:
    """A list whose items lead to others, while it is read."""

    node: Node
    reader: ListReader
    keep: bool
    page: Page[object] | None = None
    error: ITwinError | None = None

    @property
    def is_over(self) -> bool:
        return self.page is None or self.error is not None

    async def read_page(self) -> None:
        self.page = None
        self.error = TransportError("it was cancelled by something that it waited for", sent=True)
        try:
            self.page = await self.reader.next()
        except ITwinError as error:
            self.error = error
        else:
            self.error = None


async def _read_pages(lists: Sequence[_OuterList]) -> None:
    async with asyncio.TaskGroup() as group:
        for outer in lists:
            group.create_task(outer.read_page())


def shards(
    session: Session,
    source: Source[object] | Sequence[Source[object]],
    target: AnyTarget,
    *,
    size: int = 500,
    concurrency: int = 16,
    page_size: int = 1000,
) -> Shards:
    """
    Divide what is not in a target yet into shards, for any engine that runs tasks.

    ``async for shard in harvest.shards(session, source, target)``, and ``read_shard`` for each of
    them, anywhere and in any order; again is the same as once. When all are read, ``finish`` notes
    it in the target.

    Args:
        session: the session.
        source: what to harvest; of several each has a table of its own.
        target: a target that many machines may write, by its name; or a function that makes it.
        size: how many lists are in a shard.
        concurrency: how many of the lists that lead to others are read at once.
        page_size: items a page, 1 to 1000.

    Raises:
        ArgumentError: an argument is not what it must be.

    """
    sources = [source] if isinstance(source, Source) else list(source)
    return Shards(session, sources, target, size=size, concurrency=concurrency, page_size=page_size)
