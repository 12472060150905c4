"""A harvest whose lists are read by the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from itwin_async._arguments import instance, invalid, optional, whole
from itwin_async._tasks import ungrouped
from itwin_async.errors import (
    ArgumentError,
    ConfigurationError,
    ITwinError,
    RateLimitError,
    ServerError,
    TransportError,
)
from itwin_async.harvest.calls import CallCounter
from itwin_async.harvest.committer import AnyTarget, Committer, lake_of
from itwin_async.harvest.progress import Failure, OnProgress, Progress, Report
from itwin_async.harvest.shards import Shard, Shards, shards
from itwin_async.harvest.sources import Source
from itwin_async.quota import Quota
from itwin_async.session import Session, reveals_token

if TYPE_CHECKING:
    from distributed import Client, Future

    from itwin_async.harvest.cluster.pacer import Line
    from itwin_async.harvest.cluster.task import Job, SessionMaker
    from itwin_async.harvest.read_shard import ShardReport

T = TypeVar("T")

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
    line = _line(client)
    for name, value in (("size", size), ("in_flight", in_flight)):
        if value is not None:
            whole(name, value, 1)
    known = optional("quota", quota, Quota)
    if not callable(session):
        raise invalid("session", session, "a function that makes a session")
    from itwin_async.harvest.cluster.pacer import ClusterPacer  # noqa: PLC0415 - an extra
    from itwin_async.harvest.cluster.task import Job  # noqa: PLC0415 - an extra

    run = uuid.uuid4().hex
    pacer = ClusterPacer(line, run, "client", learning=known is None)
    own = session(quota=pacer)
    if not isinstance(own, Session):
        raise invalid("session", own, "a function that makes a session")
    job = Job(run, session, target, concurrency, page_size, fail_fast, known is None)
    found = shards(
        own, source, target, size=size or 1, concurrency=concurrency, page_size=page_size
    )
    _check_pickles(own, job, source)
    cluster = _Cluster(client, line, job)
    await cluster.begin(limit or str(own.base_url.origin()), known)
    try:
        async with own:
            return await _Distribution(cluster, own, found, size, known, on_progress).run(in_flight)
    finally:
        await cluster.end()


def _line(client: object) -> Line:
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            "distribute needs an extra: pip install 'itwin-async[dask]'"
        ) from None
    from itwin_async.harvest.cluster.pacer import Line  # noqa: PLC0415 - an extra

    given = instance("client", client, Client, "a distributed.Client")
    return Line(given.scheduler, given.loop.asyncio_loop)


def _check_pickles(session: Session, job: Job, source: object) -> None:
    """
    Check what goes to the workers.

    Raises:
        ArgumentError: it does not pickle, or holds a token.

    """
    from distributed.protocol.pickle import dumps  # noqa: PLC0415 - an extra

    parts = {"session": job.make_session, "target": job.target, "source": source}
    for name, part in parts.items():
        try:
            pickled = dumps(part)
        except Exception as problem:  # noqa: BLE001 - whatever is in it
            raise ArgumentError(
                f"{name} must pickle, to be sent to workers: {type(problem).__name__}",
                argument=name,
            ) from None
        if reveals_token(session, pickled):
            raise ArgumentError(
                f"{name} must hold no token: let a function find it on the worker, as "
                "Session.from_env does",
                argument=name,
            )


class _Cluster:
    """What a harvest does with its cluster."""

    def __init__(self, client: Client, line: Line, job: Job) -> None:
        self._client = client
        self._line = line
        self.job = job

    async def begin(self, limit: str, quota: Quota | None) -> None:
        from itwin_async.harvest.cluster.plugin import PacingPlugin  # noqa: PLC0415 - an extra

        try:
            await self._call(self._client.register_plugin, PacingPlugin())
        except Exception as problem:  # noqa: BLE001 - the scheduler's may be any
            raise ConfigurationError(
                f"the scheduler cannot pace a harvest ({type(problem).__name__}): install the same "
                "version of itwin-async on it and on the workers"
            ) from problem
        told = None if quota is None else [quota.requests, quota.per_seconds, quota.burst]
        run, client = self.job.run, self._client.id
        await self._line.ask("begin", run=run, client=client, limit=limit, quota=told)

    async def end(self) -> None:
        with suppress(Exception):  # the scheduler may be gone; it ends with the client at the latest
            await self._line.ask("end", run=self.job.run)

    async def state(self) -> tuple[int, int]:
        """Tell how many workers there are, and how many calls wait for their turn."""
        try:
            state = await self._line.ask("state", run=self.job.run)
        except OSError as problem:
            raise _lost() from problem
        if not isinstance(state, dict):
            raise _lost()
        return state["workers"], state["waiting"]

    async def read(self, shard: Shard, name: str) -> ShardReport | str:
        """
        Let a worker read a shard; returns why, where workers died of it.

        Raises:
            ConfigurationError: the scheduler is gone.

        """
        from distributed import KilledWorker  # noqa: PLC0415 - an extra

        from itwin_async.harvest.cluster.task import run_shard  # noqa: PLC0415 - an extra

        loop, done = asyncio.get_running_loop(), asyncio.Event()
        key = f"itwin-async-{self.job.run}-{name}"
        future = self._client.submit(run_shard, shard, self.job, key=key, pure=False)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
        try:
            await done.wait()
            if future.cancelled():
                raise _lost()
            return await self._call(future.result)
        except KilledWorker as problem:
            return str(problem)
        finally:
            await self._forget(future)

    async def _forget(self, future: Future) -> None:
        if not future.done():
            with suppress(Exception):
                await self._call(self._client.cancel, [future])
        future.release()

    async def _call(self, function: Callable[..., T], *given: object) -> T:
        """Call a function of the client, which may be asynchronous."""
        if self._client.asynchronous:
            return await function(*given)  # type: ignore[misc, no-any-return]
        return await asyncio.to_thread(function, *given)


def _lost() -> ConfigurationError:
    return ConfigurationError(
        "the scheduler of the cluster is gone, or has forgotten the harvest; run it again to go on"
    )


class _Distribution:
    """One run of a harvest on a cluster."""

    def __init__(
        self,
        cluster: _Cluster,
        session: Session,
        found: Shards,
        size: int | None,
        quota: Quota | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._cluster = cluster
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
        found, target = self._found, lake_of(self._cluster.job.target)
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
        resumed = progress.items > progress.new_items
        return Report(target.name, found.identity, True, resumed, progress, failures)  # noqa: FBT003

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
                    outcome = await self._cluster.read(shard, f"{number}-{attempt}")
                except (TransportError, ServerError, RateLimitError):
                    if attempt == _TRIES:
                        raise
                    continue
                if not isinstance(outcome, str):
                    self._add(outcome)
                    return
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
