"""A shard as a task of a cluster."""

from __future__ import annotations

import asyncio
from typing import Protocol

import attrs
from distributed import get_worker

from itwin_async.harvest.cluster.pacer import ClusterPacer, Line
from itwin_async.harvest.committer import AnyTarget
from itwin_async.harvest.read_shard import ShardReport, read_shard
from itwin_async.harvest.shards import Shard
from itwin_async.quota import Pacer
from itwin_async.session import Session


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
    line = Line(worker.scheduler, worker.loop.asyncio_loop)

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
