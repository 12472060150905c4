"""Reading the lists of a shard, and committing each of them once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import attrs

from itwin_async._arguments import instance, whole
from itwin_async._tasks import ungrouped
from itwin_async.errors import ConfigurationError, ITwinError, TransportError
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.committer import AnyTarget, Committer, lake_of
from itwin_async.harvest.platform import platform_of
from itwin_async.harvest.progress import Failure
from itwin_async.harvest.shards import Shard
from itwin_async.harvest.whole_lists import ListReader, Outages
from itwin_async.paging import MAX_PAGE_SIZE
from itwin_async.session import Session


@attrs.frozen
class ShardReport:
    """
    What came of a shard; it pickles.

    Attributes:
        lists: its lists that are in the target now.
        items: rows of these lists.
        new_items: those that were not there before.
        calls: requests that were sent, repeated ones included.
        refused: how many of them were answered with 429.
        retried: how many of them repeated one that had failed.
        errors: how many of them failed, other than with 429.
        bytes: size of the answers, decompressed.
        waited: seconds that calls waited for a connection or the quota, summed.
        failures: lists that failed; the next harvest of the target tries them again.

    """

    lists: int = 0
    items: int = 0
    new_items: int = 0
    calls: int = 0
    refused: int = 0
    retried: int = 0
    errors: int = 0
    bytes: int = 0
    waited: float = 0.0
    failures: tuple[Failure, ...] = ()

    def __add__(self, other: ShardReport) -> ShardReport:
        """Report of both."""
        names = [field.name for field in attrs.fields(ShardReport)]
        return ShardReport(*(getattr(self, name) + getattr(other, name) for name in names))


async def read_shard(
    session: Session,
    shard: Shard,
    target: AnyTarget,
    *,
    concurrency: int = 16,
    page_size: int = 1000,
    fail_fast: bool = False,
) -> ShardReport:
    """
    Read the lists of a shard whole and commit them with their identifiers.

    Lists that are in the target already, of an earlier attempt or another machine, are neither
    requested nor written again.

    Args:
        session: the session.
        shard: one of ``shards``.
        target: the target of the shards, by its name; or a function that makes it.
        concurrency: how many lists are read at once.
        page_size: items a page, 1 to 1000.
        fail_fast: raise the first error of a list instead of reporting it.

    Raises:
        ArgumentError: an argument is not what it must be.
        ConfigurationError: the session is for another platform.
        TargetError: the target is foreign, or cannot be written.
        AuthenticationError: the token is not accepted (any more).
        ITwinError: the platform cannot be reached, or, with ``fail_fast``, a list failed.

    """
    instance("shard", shard, Shard, "one of harvest.shards")
    whole("concurrency", concurrency, 1)
    whole("page_size", page_size, 1, MAX_PAGE_SIZE)
    platform = await platform_of(session)
    if platform != shard.identity.get("platform"):
        raise ConfigurationError(
            f"the harvest is of {shard.identity.get('platform')}, and this session for {platform}"
        )
    reading = _Reading(session, shard, Committer(lake_of(target)), page_size, fail_fast=fail_fast)
    return await reading.run(concurrency)


class _Reading:
    def __init__(
        self,
        session: Session,
        shard: Shard,
        committer: Committer,
        page_size: int,
        *,
        fail_fast: bool,
    ) -> None:
        self._session = session
        self._shard = shard
        self._committer = committer
        self._page_size = page_size
        self._fail_fast = fail_fast
        self._lists = self._items = 0
        self._failures: list[Failure] = []

    async def run(self, concurrency: int) -> ShardReport:
        shard, committer = self._shard, self._committer
        self._outages = Outages(2 * concurrency)
        await committer.prepare(shard.identity, shard.tables)
        there = await committer.committed(shard.source.table)
        left = [(key, name) for key, name in shard.lists if key not in there]
        kept = [key for key, _ in shard.lists if key in there]
        self._lists, self._items = len(kept), sum(there[key] for key in kept)
        calls = CallCounter(self._session)
        with calls.running():
            await ungrouped(self._read_all(iter(left), concurrency))
            await committer.flush()
        if self._lists + len(self._failures) != len(shard.lists):
            # A task group takes a cancelled task for one that has ended well.
            raise TransportError("it was cancelled by something that it waited for", sent=True)
        return ShardReport(
            self._lists,
            self._items,
            committer.new_rows,
            calls.calls,
            calls.refused,
            calls.retried,
            calls.errors,
            calls.received,
            calls.waited,
            tuple(self._failures),
        )

    async def _read_all(self, left: Iterator[tuple[str, str | None]], concurrency: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work(left))

    async def _work(self, left: Iterator[tuple[str, str | None]]) -> None:
        for key, name in left:
            try:
                await self._read(key, name)
            except ITwinError as error:
                if self._fail_fast or self._outages.is_over(error):
                    raise
                kind, source = type(error).__name__, self._shard.source.name
                self._failures.append(Failure(key, name, kind, str(error), source))

    async def _read(self, key: str, name: str | None) -> None:
        source = self._shard.source
        reader = ListReader(self._session, source, key, name, page_size=self._page_size)
        try:
            while await reader.next() is not None:
                self._outages.reset()
        finally:
            await reader.aclose()
        rows = reader.rows()
        await self._committer.add(source.table, rows)
        self._lists += 1
        self._items += len(rows.rows)
