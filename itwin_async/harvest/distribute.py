"""A harvest whose lists are read by the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from itwin_async._arguments import optional, whole
from itwin_async._tasks import ungrouped
from itwin_async.errors import ConfigurationError, RateLimitError, ServerError, TransportError
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.committer import AnyTarget, Committer, lake_of
from itwin_async.harvest.progress import Failure, OnProgress, Progress, Report
from itwin_async.harvest.shards import Shard, Shards, shards
from itwin_async.harvest.sources import Source
from itwin_async.quota import Quota
from itwin_async.session import Session

if TYPE_CHECKING:
    from distributed import Client

    from itwin_async.harvest.cluster.tasks import Cluster, Job, SessionMaker
    from itwin_async.harvest.read_shard import ShardReport

_MINUTE = 60.0
_USUAL = 500.0  # calls a minute, where the quota is not known
_MOST_LISTS = 10_000
_TICK = 1.0
_TRIES = 5
_FAILURES = 1000


async def distribute(
    client: Client,
    source: Source[object] | Sequence[Source[object]],
    target: AnyTarget,
    *,
    session: SessionMaker = Session.from_env,
    quota: Quota | None = None,
    limit: str = "",
    size: int | None = None,
    in_flight: int | None = None,
    concurrency: int = 16,
    page_size: int = 1000,
    fail_fast: bool = False,
    on_progress: OnProgress | None = None,
) -> Report:
    """
    Harvest one or several sources into a target with the workers of a Dask cluster.

    The outer lists are read here, and what they lead to by the workers, in shards of whole lists.
    Run it again with the same arguments after any end, on any machine and cluster: lists that are
    in the target are not requested again, and lists that failed are tried again. All calls of the
    cluster are paced by its scheduler.

    Args:
        client: a ``distributed.Client``, asynchronous or not.
        source: what to harvest; of several each has a table of its own.
        target: a target that many machines may write, by its name, with what reaches it in each
            worker's environment; or a function of a module that makes it.
        session: makes a session, here and on each worker, of credentials that are found there: a
            function of a module that takes the settings of ``Session``. It must hold no token.
        quota: how many calls are allowed, of this machine and all workers; ``None`` if that is not
            known.
        limit: name of what the calls count against: harvests on the cluster with the same one share
            its quota. By default the address of the platform.
        size: how many lists are in a shard; by default as many as take a minute of the quota.
        in_flight: how many shards the cluster has at once; by default two for each worker.
        concurrency: how many lists each shard reads at once.
        page_size: items a page, 1 to 1000.
        fail_fast: raise the first error of a list instead of reporting it.
        on_progress: called with a ``Progress`` after each shard, and each second.

    Raises:
        ArgumentError: an argument is not what it must be.
        ConfigurationError: the extra ``dask`` is not installed, or the scheduler is gone.
        TargetError: the target is foreign, or cannot be written.
        AuthenticationError: a token is not accepted (any more).
        ITwinError: the list of lists cannot be read, or the platform cannot be reached.

    """
    tasks = _import_dask()
    for name, value in (("size", size), ("in_flight", in_flight)):
        if value is not None:
            whole(name, value, 1)
    known = optional("quota", quota, Quota)
    cluster = tasks.Cluster(client, learning=known is None)
    own = cluster.session(session)
    found = shards(
        own, source, target, size=size or 1, concurrency=concurrency, page_size=page_size
    )
    job = tasks.Job(
        cluster.run, session, target, concurrency, page_size, fail_fast, cluster.learning
    )
    tasks.check_pickles(own, job, source)
    await cluster.begin(limit or str(own.base_url.origin()), known)
    try:
        async with own:
            distribution = _Distribution(cluster, job, own, found, size, known, on_progress)
            return await distribution.run(in_flight)
    finally:
        await cluster.end()


def _import_dask() -> ModuleType:
    try:
        from itwin_async.harvest.cluster import tasks  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as problem:
        if (problem.name or "").startswith("itwin_async"):
            raise
        raise ConfigurationError(
            "distribute needs an extra: pip install 'itwin-async[dask]'"
        ) from None
    return tasks


class _Distribution:
    """One run of a harvest on a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        job: Job,
        session: Session,
        found: Shards,
        size: int | None,
        quota: Quota | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._cluster = cluster
        self._job = job
        self._session = session
        self._found = found
        self._size = size
        self._quota = quota
        self._on_progress = on_progress
        self._own = CallCounter(session)
        self._started = time.monotonic()
        self._calls = self._refused = self._lists = self._items = self._new = 0
        self._read = self._waiting = self._most = 0
        self._failures: list[Failure] = []
        self._failed = 0
        self._room = asyncio.Condition()
        self._running = 0

    async def run(self, in_flight: int | None) -> Report:
        """Read everything and report."""
        found, target = self._found, lake_of(self._job.target)
        self._fit_size()
        await self._look(in_flight)
        with self._own.running():
            await ungrouped(self._work(in_flight))
        committer = Committer(target)
        await committer.prepare(found.identity, found.tables)
        failures = self._all_failures()
        await committer.call(lambda: target.finish(failures))
        await committer.call(target.compact)
        progress = self._progress()
        self._tell()
        return Report(
            target.name,
            found.identity,
            finished=True,
            resumed=found.resumed,
            progress=progress,
            failures=failures,
        )

    async def _work(self, in_flight: int | None) -> None:
        async with asyncio.TaskGroup() as group:
            ticks = group.create_task(self._tick(in_flight))
            async with asyncio.TaskGroup() as tasks:
                number = 0
                try:
                    async for shard in self._found:
                        async with self._room:
                            await self._room.wait_for(lambda: self._running < self._most)
                            self._running += 1
                        number += 1
                        tasks.create_task(self._follow(shard, number))
                finally:
                    await self._found.aclose()
            ticks.cancel()

    async def _follow(self, shard: Shard, number: int) -> None:
        """Have a shard read, again where its worker is lost or nothing answers there."""
        try:
            for attempt in range(1, _TRIES + 1):
                try:
                    outcome = await self._cluster.read(shard, self._job, f"{number}-{attempt}")
                except (TransportError, ServerError, RateLimitError):
                    if attempt == _TRIES:
                        raise
                    continue
                if not isinstance(outcome, str):
                    self._add(outcome)
                    return
                if attempt == _TRIES:
                    self._fail(shard, outcome)
        finally:
            async with self._room:
                self._running -= 1
                self._room.notify_all()
            self._tell()

    def _add(self, report: ShardReport) -> None:
        self._calls += report.calls
        self._refused += report.refused
        self._lists += report.lists
        self._items += report.items
        self._new += report.new_items
        self._read += report.lists
        self._failed += len(report.failures)
        self._failures += report.failures[: _FAILURES - len(self._failures)]
        self._fit_size()

    def _fail(self, shard: Shard, why: str) -> None:
        name = shard.source.name
        failures = [Failure(key, title, "KilledWorker", why, name) for key, title in shard.lists]
        self._failed += len(failures)
        self._failures += failures[: _FAILURES - len(self._failures)]

    def _fit_size(self) -> None:
        if self._size is not None:
            return
        quota = self._quota
        calls = _USUAL if quota is None else quota.requests * _MINUTE / quota.per_seconds
        of_each = max(1.0, self._calls / self._read) if self._read else 1.0
        self._found.size = min(_MOST_LISTS, max(1, int(calls / of_each)))

    async def _look(self, in_flight: int | None) -> None:
        workers, self._waiting = await self._cluster.state()
        self._most = in_flight or max(2, 2 * workers)

    async def _tick(self, in_flight: int | None) -> None:
        while True:
            await asyncio.sleep(_TICK)
            await self._look(in_flight)
            async with self._room:
                self._room.notify_all()
            self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._progress())

    def _all_failures(self) -> list[Failure]:
        return [*self._found.failures, *self._failures][:_FAILURES]

    def _progress(self) -> Progress:
        found, own = self._found, self._own
        new = found.new_items + self._new
        return Progress(
            lists_known=found.lists_known,
            lists_done=found.lists_done + self._lists,
            lists_failed=len(found.failures) + self._failed,
            all_known=found.all_known,
            items=found.items + self._items,
            new_items=new,
            calls=own.calls + self._calls,
            refused=own.refused + self._refused,
            waiting=self._waiting,
            seconds=time.monotonic() - self._started,
        )
