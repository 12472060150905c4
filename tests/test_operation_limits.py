"""Limits of single operations: known or learned, for each caller apart, and no matter of others."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from aiohttp import web
from doubles import CannedServer, FakeClock, Reply, Seen, refusal, refused, until

from itwin_async import (
    ArgumentError,
    Quota,
    RateLimitError,
    RetryPolicy,
    Session,
    Timeout,
    imodels,
    itwins,
)
from itwin_async.events import AttemptFinished, Event

ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
MODEL = Reply(b'{"iModel":{"id":"m","displayName":"M"}}', 201)
FIVE = {"imodels.create_imodel": Quota(5, burst=1)}


@attrs.define
class Platform:
    """Allows each user so many creates a minute; everything else always works."""

    clock: FakeClock
    limit: int = 5
    accepted: dict[str, list[float]] = attrs.Factory(lambda: defaultdict(list))
    reads: list[float] = attrs.Factory(list)
    refusals: int = 0

    def __call__(self, seen: Seen) -> Reply | web.Response:
        if seen.method == "GET":
            self.reads.append(self.clock.now)
            return MODEL
        times = self.accepted[seen.token]
        recent = [moment for moment in times if self.clock.now - moment < 60]
        if len(recent) >= self.limit:
            self.refusals += 1
            wait = 60 - (self.clock.now - recent[0])
            return refusal(429, "RateLimitExceeded", retry_after=str(int(wait) + 1))
        times.append(self.clock.now)
        return MODEL


@asynccontextmanager
async def opened(
    platform: Callable[[Seen], Any], clock: FakeClock, **options: Any
) -> AsyncIterator[Session]:
    policy = RetryPolicy(clock=clock, sleep=clock.sleep, rng=lambda: 0.0)
    settings: dict[str, Any] = {"retry": policy, "timeout": Timeout(total=9000), **options}
    async with (
        CannedServer(platform) as server,
        Session("t", base_url=server.base_url, **settings) as session,
    ):
        yield session


async def create(session: Session, count: int, clock: FakeClock) -> None:
    """Create iModels."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(imodels.create_imodel(session, ITWIN, f"model {number}"))
            for number in range(count)
        ]
        await finished(session, tasks, clock)


async def finished(session: Session, tasks: list[asyncio.Task[Any]], clock: FakeClock) -> None:
    """Wait for calls; time passes while all that are left wait for their turn."""
    async with asyncio.timeout(30):
        while left := sum(not task.done() for task in tasks):
            if session.waiting == left and clock._sleepers:
                await clock.advance(min(moment for moment, _ in clock._sleepers) - clock.now)
            await asyncio.sleep(0.001)


async def test_a_known_quota_is_never_exceeded() -> None:
    clock = FakeClock(auto=False)
    platform = Platform(clock)
    async with opened(platform, clock, quotas=FIVE) as session:
        await create(session, 12, clock)
    assert platform.refusals == 0
    assert len(platform.accepted["t"]) == 12
    assert clock.now - 1000 <= 12 * 13  # and not much slower than it may be


async def test_a_pace_is_learned_from_refusals() -> None:
    clock = FakeClock(auto=False)
    platform = Platform(clock)
    async with opened(platform, clock) as session:
        await create(session, 20, clock)
        first = platform.refusals
        assert 0 < first <= 15
        await create(session, 20, clock)
    assert len(platform.accepted["t"]) == 40
    assert platform.refusals == first  # once is enough


async def test_a_learned_pace_is_forgotten() -> None:
    clock = FakeClock(auto=False)
    platform = Platform(clock, limit=5)
    async with opened(platform, clock) as session:
        await create(session, 8, clock)
        clock.now += 1000
        await create(session, 1, clock)
        clock.now += 60
        before = clock.now
        await create(session, 4, clock)
        assert clock.now == before


async def test_others_do_not_wait() -> None:
    """A refused create holds neither reads nor other users; a refused read holds everything."""
    clock = FakeClock(auto=False)
    platform = Platform(clock, limit=1)
    told: list[Event] = []
    async with opened(platform, clock, observers=[told.append]) as session:
        await create(session, 1, clock)
        waiting = asyncio.create_task(imodels.create_imodel(session, ITWIN, "second"))
        await until(lambda: platform.refusals and session.waiting)
        assert (await imodels.get_imodel(session, "m")).id == "m"
        other = session.with_token("another")
        assert (await imodels.create_imodel(other, ITWIN, "third")).id == "m"
        same = asyncio.create_task(imodels.create_imodel(session.with_token("t"), ITWIN, "fourth"))
        await until(lambda: session.waiting == 2)
        assert not waiting.done()
        assert platform.refusals == 1
        await finished(session, [waiting, same], clock)
        assert (await waiting).id == (await same).id == "m"
        assert not session.waiting
    sent = [event for event in told if isinstance(event, AttemptFinished)]
    assert sum(event.status == 429 for event in sent) == platform.refusals


async def test_a_refused_read_holds_creates_too() -> None:
    clock = FakeClock()
    answers = [refusal(429, retry_after="30"), MODEL]
    async with opened(lambda seen: answers.pop(0) if seen.method == "GET" else MODEL, clock) as one:
        await imodels.get_imodel(one, "m")
        assert clock.now >= 1030


async def test_a_wait_that_takes_too_long_is_told() -> None:
    clock = FakeClock()
    platform = Platform(clock, limit=1)
    limits = Timeout(total=20)
    async with opened(platform, clock, timeout=limits) as session:
        await create(session, 1, clock)
        for _ in range(2):
            with pytest.raises(RateLimitError) as caught:
                await imodels.create_imodel(session, ITWIN, "second")
            assert caught.value.retry_after
    assert platform.refusals == 1  # the second did not ask


async def test_any_operation_may_have_a_quota() -> None:
    clock = FakeClock()
    platform = Platform(clock)
    quotas = {"imodels.get_imodel": Quota(6, burst=1), "mine.own": Quota(6, burst=1)}
    async with opened(platform, clock, quotas=quotas) as session:
        for _ in range(4):
            await imodels.get_imodel(session, "m")
        assert clock.now - 1000 >= 30
        before = clock.now
        for _ in range(4):
            await session.request("GET", "/anything", limit="mine.own")
        assert clock.now - before >= 30


async def test_a_list_may_have_a_quota() -> None:
    def page(seen: Seen) -> Reply:
        path, _, query = seen.target.partition("?")
        number = int(query.partition("$skip=")[2] or 0)
        following = {"href": f"{path}?$skip={number + 1}"} if number < 5 else None
        answer = {"iTwins": [{"id": str(number)}], "_links": {"next": following}}
        return Reply(json.dumps(answer).encode())

    clock = FakeClock()
    quotas = {"itwins.list_favorites": Quota(6, burst=1)}
    async with opened(page, clock, quotas=quotas) as session:
        for pager in (itwins.list_favorites(session), itwins.list_favorites(session).full()):
            start = clock.now
            assert len(await pager.collect()) == 6
            assert clock.now - start >= 50


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("imodels.create_imodle", "imodels.create_imodel"),
        ("imodel.create_imodel", "imodels.create_imodel"),
        ("imodels.list_imodel", "imodels.list_imodels"),
        ("imodels.nothing_like_it", "nothing_like_it"),
    ],
)
async def test_a_quota_of_no_operation_is_refused_before_any_request(name: str, meant: str) -> None:
    platform = Platform(FakeClock())
    async with opened(platform, platform.clock, quotas={name: Quota(5)}) as session:
        for use in (
            lambda: imodels.get_imodel(session, "m"),
            lambda: imodels.list_imodels(session, ITWIN).first(),
        ):
            with pytest.raises(ArgumentError, match=meant) as caught:
                await use()
            assert caught.value.argument == "quotas"
    assert not platform.reads


async def test_quotas_of_other_apis_are_none_of_this_one() -> None:
    platform = Platform(FakeClock())
    quotas = {"mine.get_imodel": Quota(5), "my_imodels.get_imodel": Quota(5)}
    async with opened(platform, platform.clock, quotas=quotas) as session:
        await imodels.get_imodel(session, "m")
    assert platform.reads


async def test_calls_that_wait_take_no_connection() -> None:
    clock = FakeClock(auto=False)
    platform = Platform(clock)
    async with opened(platform, clock, quotas=FIVE, max_connections=2) as session:
        async with asyncio.TaskGroup() as group:
            waiting = [
                group.create_task(imodels.create_imodel(session, ITWIN, f"{number}"))
                for number in range(6)
            ]
            await until(lambda: session.waiting == 5)
            assert (await imodels.get_imodel(session, "m")).id == "m"
            for task in waiting:
                task.cancel()
        assert session.waiting == 0


def test_quotas_that_are_none() -> None:
    for bad in ([], {"create": Quota(5)}, {"imodels.create_imodel": 5}, {5: Quota(5)}, "x"):
        with refused("quotas"):
            Session("t", quotas=bad)  # type: ignore[arg-type]
