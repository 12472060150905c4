"""A harvest whose lists are read by the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from itwin_async._arguments import between, optional, whole
from itwin_async._tasks import ungrouped
from itwin_async.errors import ConfigurationError, RateLimitError, ServerError, TransportError
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.committer import AnyTarget
from itwin_async.harvest.patience import is_hopeless
from itwin_async.harvest.progress import Failure, OnProgress, Progress, Report
from itwin_async.harvest.read_shard import ShardReport
from itwin_async.harvest.shards import Shard, Shards, shards
from itwin_async.harvest.sources import Source
from itwin_async.harvest.telling import Teller
from itwin_async.quota import Quota
from itwin_async.session import Session

if TYPE_CHECKING:
    from distributed import Client

    from itwin_async.harvest.cluster.tasks import Cluster, Job, SessionMaker

_MINUTE = 60.0
_WEEK = 7 * 24 * 3600
_USUAL = 500.0  # calls a minute, where the quota is not known
_MOST_LISTS = 10_000
_TICK = 1.0
_TRIES = 5
_PAUSE = 1.0  # seconds before a shard is read again
_LONGEST_PAUSE = 30.0


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
    wait_for_server: float = 0.0,
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
        wait_for_server: how long a shard is read again and again, in seconds, while the platform
            cannot be reached; some tries are made anyway.
        on_progress: called with a ``Progress`` after each shard, and each second; may be
            a coroutine function.

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
    between("wait_for_server", wait_for_server, 0, _WEEK)
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
            distribution = _Distribution(
                cluster, job, own, found, size, known, on_progress, wait_for_server
            )
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
        wait_for_server: float,
    ) -> None:
        self._cluster = cluster
        self._job = job
        self._found = found
        self._size = size
        self._quota = quota
        self._own = CallCounter(session)
        self._teller = Teller(on_progress, self._progress)
        self._wait_for_server = wait_for_server
        self._started = time.monotonic()
        self._reports = ShardReport()
        self._waiting = self._most = self._running = 0
        self._room = asyncio.Condition()

    async def run(self, in_flight: int | None) -> Report:
        """Read everything and report."""
        found = self._found
        self._fit_size()
        await self._look(in_flight)
        try:
            with self._own.running():
                await ungrouped(self._work(in_flight))
            failures = await found.finish(self._reports.failures)
            progress = self._progress()
            await self._teller.finish(progress)
        finally:
            self._teller.close()
        return Report(
            found.name,
            found.identity,
            finished=True,
            resumed=found.resumed,
            progress=progress,
            failures=failures,
        )

    async def _work(self, in_flight: int | None) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._teller.run())
            looks = group.create_task(self._look_again(in_flight))
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
            looks.cancel()
            self._teller.stop()

    async def _follow(self, shard: Shard, number: int) -> None:
        """Have a shard read, and again where its worker is lost or nothing answers there."""
        pause, attempt, until = _PAUSE, 0, time.monotonic() + self._wait_for_server
        try:
            while True:
                attempt += 1
                try:
                    outcome = await self._cluster.read(shard, self._job, f"{number}-{attempt}")
                except (TransportError, ServerError, RateLimitError) as error:
                    if is_hopeless(error) or (attempt >= _TRIES and time.monotonic() >= until):
                        raise
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                if isinstance(outcome, ShardReport):
                    self._add(outcome)
                    return
                if attempt >= _TRIES:
                    name = shard.source.name
                    lost = [Failure(*list_, "KilledWorker", outcome, name) for list_ in shard.lists]
                    self._add(ShardReport(failures=tuple(lost)))
                    return
        finally:
            async with self._room:
                self._running -= 1
                self._room.notify_all()
            self._teller.tell()

    def _add(self, report: ShardReport) -> None:
        self._reports += report
        self._fit_size()

    def _fit_size(self) -> None:
        if self._size is not None:
            return
        quota, done = self._quota, self._reports
        calls = _USUAL if quota is None else quota.requests * _MINUTE / quota.per_seconds
        of_each = max(1.0, done.calls / done.lists) if done.lists else 1.0
        self._found.size = min(_MOST_LISTS, max(1, int(calls / of_each)))

    async def _look(self, in_flight: int | None) -> None:
        workers, self._waiting = await self._cluster.state()
        self._most = in_flight or max(2, 2 * workers)

    async def _look_again(self, in_flight: int | None) -> None:
        while True:
            await asyncio.sleep(_TICK)
            await self._look(in_flight)
            async with self._room:
                self._room.notify_all()

    def _progress(self) -> Progress:
        found, own, read = self._found, self._own, self._reports
        seconds = time.monotonic() - self._started
        done = found.lists_done + read.lists
        failed = len(found.failures) + len(read.failures)
        left = found.lists_known - done - failed
        pace = (read.lists + len(read.failures)) / max(seconds, 0.001)
        until = own.held_until
        return Progress(
            lists_known=found.lists_known,
            lists_done=done,
            lists_failed=failed,
            all_known=found.all_known,
            items=found.items + read.items,
            new_items=found.new_items + read.new_items,
            calls=own.calls + read.calls,
            refused=own.refused + read.refused,
            waiting=self._waiting,
            seconds=seconds,
            bytes=own.received + read.bytes,
            retried=own.retried + read.retried,
            errors=own.errors + read.errors,
            waited=own.waited + read.waited,
            waiting_until=until,
            waiting_for="" if until is None else "the quota",
            lists_expected=found.lists_known,
            seconds_left=left / pace if pace and found.all_known else None,
        )
