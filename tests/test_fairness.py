"""Whose turn it is where calls wait: nobody stands behind another's three hundred calls."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from doubles import CannedServer, FakeClock, Reply, Seen, refusal, settle, until

from itwin_async import Quota, RateLimitError, RetryPolicy, Session, Timeout, imodels
from itwin_async.events import Event, HoldStarted, WaitFinished

MODEL = Reply(b'{"iModel":{"id":"m"}}')


@attrs.define
class Crowd:
    """A session in virtual time whose server takes some time for each call."""

    session: Session
    server: CannedServer
    clock: FakeClock
    events: list[Event]

    async def done(self, *work: Awaitable[Any]) -> list[Any]:
        """Let time pass until all work is done."""
        tasks = [asyncio.ensure_future(each) for each in work]
        async with asyncio.timeout(60):
            while not all(task.done() for task in tasks):
                await self.rest()
                if self.clock._sleepers and not all(task.done() for task in tasks):
                    await self.clock.advance(
                        min(at for at, _ in self.clock._sleepers) - self.clock.now
                    )
        return await asyncio.gather(*tasks)

    async def rest(self) -> None:
        """Wait until nothing moves but by time."""
        still, before = 0, None
        while still < 6:
            await asyncio.sleep(0.0005)
            state = len(self.clock._sleepers), len(self.server.seen), self.session.stats()
            still, before = (still + 1, before) if state == before else (0, state)


@asynccontextmanager
async def crowd(seconds: float = 0.0, **settings: Any) -> AsyncIterator[Crowd]:
    clock = FakeClock(auto=False)
    events: list[Event] = []

    async def respond(_: Seen) -> Reply:
        if seconds:
            await clock.sleep(seconds)
        return MODEL

    policy = RetryPolicy(clock=clock, sleep=clock.sleep, now=lambda: clock.now, rng=lambda: 0.0)
    async with (
        CannedServer(respond) as server,
        Session(
            "t",
            base_url=server.base_url,
            retry=policy,
            timeout=Timeout(total=9000, attempt=9000),
            observers=[events.append],
            **settings,
        ) as session,
    ):
        yield Crowd(session, server, clock, events)


async def timed(crowd: Crowd, session: Session) -> float:
    started = crowd.clock.now
    await imodels.get_imodel(session, "m")
    return crowd.clock.now - started


@pytest.mark.parametrize("busy", ["quota", "connections"])
async def test_three_hundred_calls_do_not_delay_the_single_one_of_another(busy: str) -> None:
    settings: dict[str, Any] = {"max_connections": 20}
    if busy == "quota":
        settings["quota"] = Quota(600, per_seconds=60, burst=1)  # a call each 0.1 s
    async with crowd(0.0 if busy == "quota" else 1.0, **settings) as here:
        many, single = here.session.with_token("many"), here.session.with_token("single")
        rush = [asyncio.create_task(imodels.get_imodel(many, "m")) for _ in range(300)]
        await here.rest()
        stats = here.session.stats()
        if busy == "connections":
            assert stats.waiting_for_connection == 280
        else:
            assert stats.waiting + stats.waiting_for_connection >= 298

        async def now_and_then() -> list[float]:
            return [await timed(here, single) for _ in range(5)]

        (waits,) = await here.done(now_and_then())
        most = 0.6 if busy == "quota" else 2.0  # the call itself takes a second there
        assert max(waits) <= most
        assert sum(not task.done() for task in rush) >= 180
        await here.done(*rush)
    assert Counter(seen.token for seen in here.server.seen) == {"many": 300, "single": 5}


async def test_users_who_wait_take_turns_and_each_keeps_the_order() -> None:
    async with crowd(quota=Quota(60, per_seconds=60, burst=1)) as here:
        calls = []
        for user, count in {"ann": 6, "bob": 3, "cid": 1}.items():
            view = here.session.with_token(user)
            for number in range(count):
                calls.append(asyncio.create_task(imodels.get_imodel(view, f"{user}{number}")))
                await settle()
        await here.done(*calls)
        order = [seen.target.rpartition("/")[2] for seen in here.server.seen]
    # The first goes at once, and the second is next before anybody else is there.
    rest = ["ann2", "bob0", "cid0", "ann3", "bob1", "ann4", "bob2", "ann5"]
    assert order == ["ann0", "ann1", *rest]


async def test_two_views_of_one_token_are_one_user() -> None:
    async with crowd(quota=Quota(60, per_seconds=60, burst=1)) as here:
        calls = []
        for user, number in [
            ("ann", 0),
            ("ann", 1),
            ("ann", 2),
            ("ann", 3),
            ("bob", 4),
            ("ann", 5),
        ]:
            view = here.session.with_token(user).with_options(timeout=8000)
            calls.append(asyncio.create_task(imodels.get_imodel(view, f"{number}")))
            await settle()
        await here.done(*calls)
        order = [seen.target.rpartition("/")[2] for seen in here.server.seen]
    assert order == ["0", "1", "2", "4", "3", "5"]


@pytest.mark.parametrize("busy", ["quota", "connections"])
async def test_higher_priority_goes_first_whoever_it_is(busy: str) -> None:
    settings: dict[str, Any] = {"max_connections": 1}
    if busy == "quota":
        settings = {"quota": Quota(60, per_seconds=60, burst=1)}
    async with crowd(1.0 if busy == "connections" else 0.0, **settings) as here:
        calls = []
        for number, priority in enumerate([0, 0, -1, 0, 5, 2, 5]):
            view = here.session.with_options(priority=priority)
            calls.append(asyncio.create_task(imodels.get_imodel(view, f"{number}")))
            await settle()
        await here.done(*calls)
        order = [int(seen.target.rpartition("/")[2]) for seen in here.server.seen]
    waiting = [4, 6, 5, 3, 2] if busy == "quota" else [4, 6, 5, 1, 3, 2]
    assert order[-len(waiting) :] == waiting


async def test_calls_that_are_cancelled_or_late_take_no_turn() -> None:
    async with crowd(1.0, max_connections=1) as here:
        first = asyncio.create_task(imodels.get_imodel(here.session, "m"))
        await here.rest()
        views = [here.session.with_token(f"user{number}") for number in range(4)]
        waiting = [
            asyncio.create_task(imodels.get_imodel(v, "m")) for v in views for _ in range(50)
        ]
        await here.rest()
        assert here.session.stats().waiting_for_connection == 200
        for task in random.Random(1).sample(waiting, 190):
            task.cancel()
        await here.rest()
        assert here.session.stats().waiting_for_connection == 10
        await here.done(first, *[task for task in waiting if not task.cancelled()])
        assert len(here.server.seen) == 11
        stats = here.session.stats()
        assert (stats.in_use, stats.waiting_for_connection, stats.limit) == (0, 0, 1)


async def test_a_turn_takes_the_same_steps_however_many_wait() -> None:
    from itwin_async._http.slots import Slots

    async def steps(users: int, calls: int) -> int:
        """Count the calls of functions, C's too, that handing on one slot takes at most."""
        slots = Slots(1)
        assert slots.take_now()
        turns = [
            asyncio.ensure_future(slots.take(f"user{user}"))
            for user in range(users)
            for _ in range(calls)
        ]
        await asyncio.sleep(0)
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        most = 0
        for _ in range(40):
            counted = 0
            sys.setprofile(count)
            slots.give_back()
            sys.setprofile(None)
            most = max(most, counted)
            await asyncio.sleep(0)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        assert slots.waiting == 0
        return most

    few = await steps(5, 10)
    assert await steps(5, 1000) == few
    assert await steps(4000, 1) <= few + 4  # a user who has had all their turns is dropped


async def test_waits_are_told_with_seconds_and_why() -> None:
    async with crowd(1.0, max_connections=1) as here:
        await here.done(*(imodels.get_imodel(here.session, "m") for _ in range(2)))
        waits = [event for event in here.events if isinstance(event, WaitFinished)]
    assert [(wait.reason, wait.seconds, wait.attempt) for wait in waits] == [("connection", 1.0, 1)]
    async with crowd(quota=Quota(60, per_seconds=60, burst=1)) as here:
        await here.done(*(imodels.get_imodel(here.session, "m") for _ in range(3)))
        waits = [event for event in here.events if isinstance(event, WaitFinished)]
    assert [wait.reason for wait in waits] == ["quota", "quota"]
    assert [round(wait.seconds) for wait in waits] == [1, 2]
    assert all(wait.granted and wait.until is None and wait.request_id for wait in waits)
    quotas = {"imodels.get_imodel": Quota(60, per_seconds=60, burst=1)}
    async with crowd(quotas=quotas) as here:
        await here.done(*(imodels.get_imodel(here.session, "m") for _ in range(2)))
        (wait,) = [event for event in here.events if isinstance(event, WaitFinished)]
    assert wait.reason == "operation quota"


async def test_a_hold_is_told_once_with_its_end() -> None:
    async with crowd() as here:
        answers = iter([refusal(429, retry_after="30")])
        here.server.respond = lambda _: next(answers, MODEL)
        view = here.session.with_options(timeout=20)
        call = asyncio.create_task(imodels.get_imodel(here.session, "m"))
        await until(lambda: here.session.stats().waiting)
        stats = here.session.stats()
        assert stats.held_for == pytest.approx(30, abs=0.5)
        assert stats.held_until is not None
        assert stats.held_until.timestamp() == pytest.approx(here.clock.now + stats.held_for)
        with pytest.raises(RateLimitError):
            await imodels.get_imodel(view, "m")
        await here.done(call)
        stats = here.session.stats()
        assert (stats.held_for, stats.held_until, stats.waiting) == (0, None, 0)
        assert stats.rate
    (hold,) = [event for event in here.events if isinstance(event, HoldStarted)]
    assert (hold.path, hold.operation) == ("/imodels/m", "")
    assert hold.until.timestamp() == pytest.approx(1000 + hold.seconds)
    waits = [event for event in here.events if isinstance(event, WaitFinished)]
    assert [(wait.reason, wait.until, wait.granted) for wait in waits] == [
        ("hold", hold.until, True)
    ]
    assert waits[0].attempt == 2


async def test_a_wait_in_vain_is_told_too() -> None:
    async with crowd(1.0, max_connections=1) as here:
        first = asyncio.create_task(imodels.get_imodel(here.session, "m"))
        await here.rest()
        second = asyncio.create_task(imodels.get_imodel(here.session, "m"))
        await here.rest()
        here.clock.now += 0.25
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        await here.done(first)
    (wait,) = [event for event in here.events if isinstance(event, WaitFinished)]
    assert (wait.reason, wait.seconds, wait.granted) == ("connection", 0.25, False)
