"""Shards as tasks of a cluster."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import attrs
from distributed import Client, Future, KilledWorker, get_worker
from distributed.protocol.pickle import dumps

from itwin_async._arguments import instance, invalid
from itwin_async.errors import ArgumentError, ConfigurationError
from itwin_async.harvest.cluster.pacer import ClusterPacer, Line
from itwin_async.harvest.cluster.plugin import PacingPlugin
from itwin_async.harvest.committer import AnyTarget
from itwin_async.harvest.read_shard import ShardReport, read_shard
from itwin_async.harvest.shards import Shard
from itwin_async.quota import Pacer, Quota
from itwin_async.session import Session, credentials_of

T = TypeVar("T")


class SessionMaker(Protocol):
    """Makes a session where it is called, with credentials that are found there."""

    def __call__(self, *, quota: Pacer) -> Session:
        """Make the session; it is to be paced by what is given as ``quota``."""
        ...


@attrs.frozen
class Job:
    """What all shards of a harvest are read with; it pickles, and holds no credentials."""

    run: str
    make_session: SessionMaker
    target: AnyTarget
    concurrency: int
    page_size: int
    fail_fast: bool
    learning: bool


def run_shard(shard: Shard, job: Job) -> ShardReport:
    """Read a shard on the worker that this thread belongs to."""
    worker = get_worker()
    line = Line(worker.scheduler, worker.loop)

    async def main() -> ShardReport:
        pacer = ClusterPacer(line, job.run, worker.address, learning=job.learning)
        async with job.make_session(quota=pacer) as session:
            return await read_shard(
                session,
                shard,
                job.target,
                concurrency=job.concurrency,
                page_size=job.page_size,
                fail_fast=job.fail_fast,
            )

    return asyncio.run(main())


class Cluster:
    """
    What a harvest does with a cluster.

    Args:
        client: the client.
        learning: whether the quota is not known.

    Attributes:
        run: what the scheduler calls the harvest.
        learning: as given.

    """

    def __init__(self, client: object, *, learning: bool) -> None:
        self._client = instance("client", client, Client, "a distributed.Client")
        self._line = Line(self._client.scheduler, self._client.loop)
        self.run = uuid.uuid4().hex
        self.learning = learning

    def session(self, make: object) -> Session:
        """Make the session of this process."""
        allowed = "a function that makes a session"
        if not callable(make):
            raise invalid("session", make, allowed)
        pacer = ClusterPacer(self._line, self.run, "client", learning=self.learning)
        return instance("session", make(quota=pacer), Session, allowed)

    async def begin(self, limit: str, quota: Quota | None) -> None:
        """
        Begin a harvest.

        Raises:
            ConfigurationError: the scheduler cannot pace it.

        """
        try:
            await self._call(self._client.register_plugin, PacingPlugin())
        except Exception as problem:
            raise ConfigurationError(
                f"the scheduler cannot pace a harvest ({type(problem).__name__}): install the same "
                "version of itwin_async on it and on the workers"
            ) from problem
        told = None if quota is None else [quota.requests, quota.per_seconds, quota.burst]
        await self._line.ask("begin", run=self.run, client=self._client.id, limit=limit, quota=told)

    async def end(self) -> None:
        """End it; a scheduler that is gone has ended it."""
        with suppress(Exception):
            await self._line.ask("end", run=self.run)

    async def state(self) -> tuple[int, int]:
        """
        Tell how many workers there are, and how many calls wait for their turn.

        Raises:
            ConfigurationError: the scheduler is gone.

        """
        try:
            state = await self._line.ask("state", run=self.run)
        except OSError as problem:
            raise _lost() from problem
        if not isinstance(state, dict):
            raise _lost()
        return state["workers"], state["waiting"]

    async def read(self, shard: Shard, job: Job, name: str) -> ShardReport | str:
        """
        Let a worker read a shard; the result is a text where too many workers died of it.

        Raises:
            ConfigurationError: the scheduler is gone.
            ITwinError: as ``read_shard``.

        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        key = f"itwin-async-{self.run}-{name}"
        future = self._client.submit(run_shard, shard, job, key=key, pure=False)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
        try:
            await done.wait()
            if future.cancelled():
                raise _lost()
            report: ShardReport = await self._call(future.result)
        except KilledWorker as problem:
            return str(problem)
        else:
            return report
        finally:
            await self._forget(future)

    async def _forget(self, future: Future[ShardReport]) -> None:
        if not future.done():
            with suppress(Exception):
                await self._call(self._client.cancel, [future])
        future.release()

    async def _call(self, function: Callable[..., T], *given: object) -> T:
        """Call a function of the client, which may be asynchronous."""
        if self._client.asynchronous:
            return await function(*given)  # type: ignore[misc, no-any-return]
        return await asyncio.to_thread(function, *given)


def check_pickles(session: Session, job: Job, source: object) -> None:
    """
    Check what goes to the workers.

    Raises:
        ArgumentError: it does not pickle, or holds the session's token.

    """
    parts = {"session": job.make_session, "target": job.target, "source": source}
    for name, part in parts.items():
        try:
            pickled = dumps(part)
        except Exception as problem:  # noqa: BLE001 - whatever is in it
            raise ArgumentError(
                f"{name} must pickle, to be sent to workers: {type(problem).__name__}",
                argument=name,
            ) from None
        if credentials_of(session).is_token_in(pickled):
            raise ArgumentError(
                f"{name} must hold no token: let a function find it on the worker, as "
                "Session.from_env does",
                argument=name,
            )


def _lost() -> ConfigurationError:
    return ConfigurationError(
        "the scheduler of the cluster is gone, or has forgotten the harvest; run it again to go on"
    )
