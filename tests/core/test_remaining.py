"""What a session makes of the platform's word on how many calls remain."""

from __future__ import annotations

import asyncio

import pytest
from doubles import FakeClock

from itwin_async import RetryPolicy, Session, imodels
from itwin_async._http.slots import Slots
from itwin_async.emulator import Emulator, EmulatorClock, RateLimit


async def refusals(*, header: bool) -> int:
    """Count the 429s that 200 calls of 50 tasks meet at a limit of 40 in each minute."""
    time = FakeClock()
    wall = EmulatorClock(start=1_000_000.0, frozen=True)

    async def sleep(seconds: float) -> None:
        time.now += seconds
        wall.advance(seconds)
        await asyncio.sleep(0)

    limit = RateLimit(40, 60, header=header)
    policy = RetryPolicy(clock=time, sleep=sleep, rng=lambda: 0.5, rate_limit_retries=1000)
    async with (
        Emulator(itwins=1, imodels=1, rate_limit=limit, clock=wall) as emulator,
        Session(emulator.token, base_url=emulator.base_url, retry=policy, timeout=1e9) as session,
    ):
        imodel = next(iter(emulator.state.imodels))
        calls = iter(range(200))

        async def work() -> None:
            for _ in calls:
                await imodels.add_recent(session, imodel)

        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(work())
        statuses = [request.status for request in emulator.requests]
    assert statuses.count(204) == 200
    return statuses.count(429)


async def test_fewer_calls_are_refused_where_the_platform_says_how_many_remain() -> None:
    unforeseen = 50 - 40  # the first calls go out before the platform has said a word
    assert await refusals(header=True) <= unforeseen + 4
    assert await refusals(header=False) > unforeseen + 4


async def test_no_more_places_than_calls_remain() -> None:
    slots = Slots(10)
    assert [slots.take_now() for _ in range(4)] == [True] * 4
    slots.heed("2")
    assert not slots.take_now()
    slots.give_back()
    slots.give_back()
    assert not slots.take_now()
    turn = asyncio.ensure_future(slots.take())
    await asyncio.sleep(0)
    slots.give_back()
    await turn
    slots.heed("100")
    assert [slots.take_now() for _ in range(9)] == [True] * 8 + [False]


async def test_waiters_go_on_when_more_calls_remain() -> None:
    slots = Slots(3)
    slots.heed("0")
    assert slots.take_now()
    waiters = [asyncio.ensure_future(slots.take()) for _ in range(3)]
    await asyncio.sleep(0)
    slots.heed("7")
    await asyncio.sleep(0)
    assert [waiter.done() for waiter in waiters] == [True, True, False]
    slots.give_back()
    await waiters[2]


@pytest.mark.parametrize("text", ["", "-1", "many", "1.5", "²", " 3"])
def test_nonsense_is_not_heeded(text: str) -> None:
    slots = Slots(5)
    slots.heed(text)
    assert [slots.take_now() for _ in range(6)] == [True] * 5 + [False]


def test_a_number_that_is_always_none_is_not_heeded_for_long() -> None:
    slots = Slots(5)
    slots.heed("0")
    slots.heed("0")
    assert [slots.take_now() for _ in range(6)] == [True] * 5 + [False]
    slots.heed("1")
    slots.give_back()
    assert slots.take_now()


def test_a_number_is_forgotten_where_answers_tell_none_any_more() -> None:
    slots = Slots(5)
    slots.heed("1")
    for _ in range(9):
        slots.heed(None)
    assert [slots.take_now() for _ in range(2)] == [True, False]
    slots.heed("1")
    for _ in range(9):
        slots.heed(None)
    assert not slots.take_now()
    slots.heed(None)
    assert [slots.take_now() for _ in range(5)] == [True] * 4 + [False]
