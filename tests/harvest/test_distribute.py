"""Harvests on a Dask cluster, in one process; see ``test_cluster_killed.py`` for real ones."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import sqlite3
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from doubles import refused, until
from sqlite_lake import SqliteLake

from itwin_async import (
    AuthenticationError,
    ConfigurationError,
    NotFoundError,
    Quota,
    RetryPolicy,
    Session,
    harvest,
)
from itwin_async.emulator import EmulatorThread, Fault, RateLimit
from itwin_async.harvest import Progress, Report

pytestmark = pytest.mark.slow

distributed = pytest.importorskip("distributed")
FAVORITES = "GET /imodels/favorites"


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=20, imodels=20, seed=3) as emulator:
        yield emulator


@attrs.define
class Here:
    """A cluster in this process, a platform, and a target."""

    cluster: Any
    client: Any
    platform: EmulatorThread
    folder: Path

    @property
    def make(self) -> partial[SqliteLake]:
        return partial(SqliteLake, str(self.folder / "lake"))

    async def harvest(self, *names: str, **options: Any) -> Report:
        source = harvest.lists(*names or ["favorite-imodels"])
        return await harvest.distribute(self.client, source, self.make, **options)

    def rows(self, table: str = "favorite_imodels") -> list[tuple[str, str, bytes]]:
        return sorted((row.list, row.id, row.text) for row in self.make().rows(table))

    async def rows_of_run(self, name: str = "favorite-imodels") -> list[tuple[str, str, bytes]]:
        target = self.folder / "single.db"
        async with Session.from_env() as session:
            await harvest.run(session, harvest.lists(name), target)
        with sqlite3.connect(target) as database:
            table = name.replace("-", "_")
            found = database.execute(f"SELECT list, id, json FROM {table}").fetchall()
        database.close()
        return sorted((key, id_, text.encode()) for key, id_, text in found)


@pytest.fixture
async def here(
    platform: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Here]:
    platform.reset()
    platform.clear_requests()
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", platform.token)
    monkeypatch.setenv("ITWIN_BASE_URL", platform.base_url)
    options = {
        "processes": False,
        "protocol": "tcp://",
        "dashboard_address": "127.0.0.1:0",
        "asynchronous": True,
    }
    async with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, **options) as cluster,
        distributed.Client(cluster, asynchronous=True) as client,
    ):
        yield Here(cluster, client, platform, tmp_path)


async def test_a_cluster_finds_the_rows_of_one_machine(here: Here) -> None:
    told: list[Progress] = []
    report = await here.harvest(size=5, page_size=10, on_progress=told.append)
    assert report.complete
    assert not report.resumed
    rows = here.rows()
    assert rows == await here.rows_of_run()
    assert report.progress.items == report.progress.new_items == len(rows)
    assert report.progress.lists_done == report.progress.lists_known > 10
    assert told[-1] == attrs.evolve(report.progress, seconds=told[-1].seconds)
    assert len(told) >= 5
    state = here.make().state()
    assert state is not None
    assert state.finished
    report.to_json()


async def test_several_lists_deep_ones_too(here: Here) -> None:
    report = await here.harvest("imodels", "named-versions", size=200)
    assert report.complete
    assert here.rows("imodels") == await here.rows_of_run("imodels")


async def test_what_is_in_the_target_is_not_requested_again(here: Here) -> None:
    here.platform.fault(Fault(match=FAVORITES, status=404, times=7))
    first = await here.harvest(size=3)
    assert (first.finished, first.complete) == (True, False)
    assert [failure.kind for failure in first.failures] == ["NotFoundError"] * 7
    here.platform.clear_requests()
    second = await here.harvest(size=3)
    assert second.complete
    assert second.resumed
    asked = [request for request in here.platform.requests if request.path == "/imodels/favorites"]
    assert len(asked) == 7
    assert second.progress.items == len(here.rows())
    assert here.rows() == await here.rows_of_run()


async def test_a_known_quota_holds_for_all_workers(here: Here) -> None:
    here.platform.rate_limit = RateLimit(100, 1.0)
    report = await here.harvest(size=4, page_size=5, quota=Quota(100, per_seconds=1))
    assert report.complete
    assert report.progress.calls >= 60
    assert report.progress.refused <= 0.01 * report.progress.calls
    assert report.progress.seconds <= 1.5 * report.progress.calls / 100 + 2


async def test_the_scheduler_learns_a_quota_for_all(here: Here) -> None:
    here.platform.rate_limit = RateLimit(100, 1.0)
    report = await here.harvest(size=3, page_size=3)
    assert report.complete
    assert report.progress.calls >= 100
    assert report.progress.refused <= 0.25 * report.progress.calls


async def test_no_token_is_in_tasks_events_and_logs(here: Here) -> None:
    scheduler, graph = here.cluster.scheduler, dict[str, bytes]()

    def look(_: Progress) -> None:
        for key, task in scheduler.tasks.items():
            graph.setdefault(key, pickle.dumps(task.run_spec))

    await here.harvest(size=3, on_progress=look)
    assert graph
    seen = b"".join(graph.values())
    assert b"run_shard" in seen
    seen += repr(scheduler.get_events()).encode()
    seen += repr(await here.client.get_scheduler_logs()).encode()
    seen += repr(await here.client.get_worker_logs()).encode()
    for plugin in scheduler.plugins.values():
        seen += repr(vars(plugin)).encode()
    assert here.platform.token.encode() not in seen


async def test_what_would_send_a_token_is_refused(here: Here) -> None:
    token, base_url = here.platform.token, here.platform.base_url
    with refused("session"):
        await here.harvest(session=partial(Session, token, base_url=base_url))
    with refused("session"):
        await here.harvest(session=lambda quota: Session(token, base_url=base_url, quota=quota))
    lock = sqlite3.connect(":memory:")  # does not pickle

    def make(**settings: Any) -> Session:
        assert lock
        return Session.from_env(**settings)

    with refused("session"):
        await here.harvest(session=make)
    lock.close()
    assert not here.platform.requests


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("client", 5),
        ("size", 0),
        ("in_flight", 0),
        ("quota", 5),
        ("session", 5),
        ("concurrency", 0),
    ],
)
async def test_wrong_arguments_are_refused(here: Here, argument: str, value: Any) -> None:
    if argument == "client":
        here.client, before = value, here.client
        with refused(argument):
            await here.harvest()
        here.client = before
        return
    with refused(argument):
        await here.harvest(**{argument: value})


def without_credentials(**settings: Any) -> Session:
    """Have credentials on the client only."""
    if "client" not in repr(vars(settings["quota"])):
        raise ConfigurationError("no credentials")
    return Session.from_env(**settings)


async def test_what_a_worker_lacks_ends_the_harvest(here: Here) -> None:
    with pytest.raises(ConfigurationError):
        await here.harvest(session=without_credentials)
    here.platform.fault(Fault(match=FAVORITES, status=401, times=None))
    with pytest.raises(AuthenticationError):
        await here.harvest()
    assert not here.rows()


async def test_the_first_failure_is_raised_where_it_is_asked_for(here: Here) -> None:
    here.platform.fault(Fault(match=FAVORITES, status=404, times=1))
    with pytest.raises(NotFoundError):
        await here.harvest(fail_fast=True, size=1)
    assert (await here.harvest()).complete


def impatient(**settings: Any) -> Session:
    return Session.from_env(retry=RetryPolicy(retries=0), **settings)


async def test_a_shard_is_read_again_after_an_outage(here: Here) -> None:
    here.platform.fault(Fault(match=FAVORITES, drop="before", times=3))
    report = await here.harvest(session=impatient, concurrency=1, size=50)
    assert report.complete
    assert here.rows() == await here.rows_of_run()


async def test_a_harvest_that_is_cancelled_leaves_nothing_and_goes_on(here: Here) -> None:
    here.platform.rate_limit = RateLimit(100, 1.0)
    quota = Quota(100, per_seconds=1)
    work = asyncio.create_task(here.harvest(size=2, page_size=4, quota=quota))
    await until(lambda: len(here.platform.requests) > 60)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await until(lambda: not here.cluster.scheduler.tasks)
    plugin = here.cluster.scheduler.plugins["itwin-async-pacing"]
    assert not plugin._runs
    here.platform.rate_limit = None
    report = await here.harvest(size=2)
    assert report.complete
    assert here.rows() == await here.rows_of_run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()


async def test_workers_of_a_client_that_is_gone_stop_calling(here: Here) -> None:
    here.platform.rate_limit = RateLimit(30, 1.0)
    own = await distributed.Client(here.cluster.scheduler_address, asynchronous=True)
    source = harvest.favorite_imodels()
    work = asyncio.create_task(
        harvest.distribute(own, source, here.make, quota=Quota(30, per_seconds=1), page_size=3)
    )
    await until(lambda: len(here.platform.requests) > 40)
    plugin = here.cluster.scheduler.plugins["itwin-async-pacing"]
    here.cluster.scheduler.remove_client(own.id)
    assert not plugin._runs
    with pytest.raises(ConfigurationError):
        await work
    with suppress(Exception):
        await own.close()
    await until(lambda: not here.cluster.scheduler.tasks)


async def test_harvests_of_one_limit_share_its_quota(here: Here) -> None:
    here.platform.rate_limit = RateLimit(100, 1.0)
    first = asyncio.create_task(here.harvest(size=3, page_size=5, quota=Quota(100, per_seconds=1)))
    await until(lambda: len(here.platform.requests) > 20)
    other = partial(SqliteLake, str(here.folder / "other"))
    source = harvest.favorite_imodels()
    with pytest.raises(ConfigurationError):
        await harvest.distribute(here.client, source, other, quota=Quota(500))
    second = harvest.distribute(
        here.client, source, other, quota=Quota(100, per_seconds=1), page_size=5
    )
    reports = await asyncio.gather(first, second)
    calls = sum(report.progress.calls for report in reports)
    assert sum(report.progress.refused for report in reports) <= 0.01 * calls
    elsewhere = await harvest.distribute(here.client, source, other, quota=Quota(500), limit="b")
    assert elsewhere.resumed


def test_a_client_that_is_not_asynchronous_will_do(
    platform: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.reset()
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", platform.token)
    monkeypatch.setenv("ITWIN_BASE_URL", platform.base_url)
    make = partial(SqliteLake, str(tmp_path / "lake"))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        report = asyncio.run(harvest.distribute(client, harvest.favorite_imodels(), make))
    assert report.complete
    assert report.progress.items


@pytest.mark.slow
async def test_a_delta_table_from_the_command_line(here: Here) -> None:
    pytest.importorskip("deltalake")
    from itwin_async.harvest.lake.delta import DeltaTarget

    target = str(here.folder / "out.delta")
    address = here.cluster.scheduler_address
    here.platform.fault(Fault(match=FAVORITES, status=404, times=3))
    command = [
        sys.executable,
        "-m",
        "itwin_async.cli",
        "harvest",
        target,
        "--dask",
        address,
        "--json",
    ]
    for code in (7, 0):
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == code, err.decode()
        assert here.platform.token.encode() not in out + err
    report = json.loads(out)
    assert report["resumed"]
    rows = await here.rows_of_run()
    assert report["progress"]["items"] == len(rows)
    found = DeltaTarget(target).rows("favorite_imodels")
    assert sorted((row.list, row.id, row.text) for row in found) == rows
    told = harvest.status(target)
    assert (told.complete, told.items) == (True, len(rows))
