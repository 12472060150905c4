"""
Pacing against simulated servers, on a loop whose time passes only while everybody waits.
"""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from collections.abc import Coroutine
from typing import Any, Protocol

import attrs
import pytest

from itwin_async import ArgumentError, Quota
from itwin_async.quota import Pacer


class _NoWaiting(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout:
            self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        selector = _NoWaiting()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class Server(Protocol):
    def ask(self, now: float) -> float | None: ...


@attrs.define
class Window:
    """
    So many calls in each window; beyond it 429 until the next one.
    """

    calls: int
    seconds: float
    number: int = -1
    used: int = 0

    def ask(self, now: float) -> float | None:
        number = math.floor(now / self.seconds)
        if number != self.number:
            self.number, self.used = number, 0
        self.used += 1
        if self.used <= self.calls:
            return None
        return max(1, math.ceil((number + 1) * self.seconds - now))


@attrs.define
class Bucket:
    """
    A bucket that fills steadily; an empty one answers 429 with whole seconds.
    """

    rate: float
    burst: float
    level: float = attrs.Factory(lambda self: self.burst, takes_self=True)
    then: float = 0.0

    def ask(self, now: float) -> float | None:
        self.level = min(self.burst, self.level + (now - self.then) * self.rate)
        self.then = now
        if self.level >= 1:
            self.level -= 1
            return None
        return max(1, math.ceil((1 - self.level) / self.rate))


@attrs.define
class Outcome:
    seconds: float
    refused: int
    marks: list[float]


def run(main: Coroutine[Any, Any, None]) -> float:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)
        return runner.get_loop().time()


def harvest(server: Server, calls: int, quota: Quota | None, tasks: int = 50) -> Outcome:
    outcome = Outcome(0.0, 0, [])
    chance = random.Random(1)

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(quota, clock=clock, sleep=asyncio.sleep)
        left = iter(range(calls))

        async def call() -> None:
            while True:
                if pacer.open:
                    pacer.count(clock())
                else:
                    assert await pacer.enter(math.inf)
                await asyncio.sleep(chance.uniform(0.001, 0.004))
                wait = server.ask(clock())
                await asyncio.sleep(chance.uniform(0.001, 0.004))
                if wait is None:
                    outcome.marks.append(clock())
                    return
                outcome.refused += 1
                pacer.hold(wait + chance.random() * 0.1)

        async def work() -> None:
            for _ in left:
                await call()

        await asyncio.gather(*(work() for _ in range(tasks)))

    outcome.seconds = run(main())
    return outcome


@pytest.mark.parametrize(
    ("server", "quota"),
    [
        (Window(500, 60), Quota(500, per_seconds=60)),
        (Window(200, 1), Quota(200, per_seconds=1)),
        (Bucket(200, 20), Quota(200, per_seconds=1)),
        (Bucket(20, 20), Quota(20, per_seconds=1)),
    ],
)
def test_a_known_quota_is_used_and_kept(server: Server, quota: Quota) -> None:
    calls = 3000
    outcome = harvest(server, calls, quota)
    allowed = quota.requests / quota.per_seconds
    assert calls / outcome.seconds >= 0.95 * allowed
    assert outcome.refused < 0.01 * calls


@pytest.mark.parametrize(
    ("server", "rate"),
    [
        (Window(500, 60), 500 / 60),
        (Window(200, 1), 200.0),
        (Bucket(200, 20), 200.0),
        (Bucket(20, 20), 20.0),
        (Bucket(500 / 60, 500), 500 / 60),
    ],
)
def test_an_unknown_quota_is_learned(server: Server, rate: float) -> None:
    calls = 5000
    outcome = harvest(server, calls, None)
    half = calls // 2
    assert outcome.marks[-1] - outcome.marks[half] <= 1.3 * (calls - half) / rate
    assert outcome.refused < 0.05 * calls


def test_no_window_ever_holds_more_than_the_quota() -> None:
    quota = Quota(100, per_seconds=10, burst=10)
    passed: list[float] = []

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(quota, clock=clock, sleep=asyncio.sleep)

        async def call(after: float) -> None:
            await asyncio.sleep(after)
            await pacer.enter(math.inf)
            passed.append(clock())

        await asyncio.gather(*(call(random.Random(n).uniform(0, 40)) for n in range(700)))

    run(main())
    for first in passed:
        assert sum(first <= moment < first + 9.999 for moment in passed) <= 100


def test_turns_come_in_order_and_cancelled_waiters_lose_none() -> None:
    order: list[tuple[int, float]] = []
    quota = Quota(10, per_seconds=10, burst=1)

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(quota, clock=clock, sleep=asyncio.sleep)

        async def call(number: int) -> None:
            await pacer.enter(math.inf)
            order.append((number, clock()))

        tasks = [asyncio.create_task(call(number)) for number in range(10)]
        await asyncio.sleep(0.5)
        for task in tasks[1:9]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert pacer.waiting == 0

    run(main())
    assert order == [(0, 0.0), (9, quota.interval)]


def test_after_a_refusal_nobody_goes_before_the_time_nor_all_at_once() -> None:
    passed: list[float] = []

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(None, clock=clock, sleep=asyncio.sleep)
        for _ in range(20):
            pacer.count(clock())
        await asyncio.sleep(0.1)
        pacer.hold(5)

        async def call() -> None:
            await pacer.enter(math.inf)
            passed.append(clock())

        await asyncio.gather(*(call() for _ in range(100)))

    run(main())
    assert passed[0] >= 5.1
    assert len(set(passed)) == 100


def test_a_turn_that_would_come_too_late_is_refused_without_waiting() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(None, clock=clock, sleep=asyncio.sleep)
        pacer.hold(30)
        assert not await pacer.enter(29)
        assert clock() == 0
        assert await pacer.enter(31)

    assert run(main()) == pytest.approx(30)


def test_a_lesson_is_forgotten_after_a_long_calm() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Pacer(None, clock=clock, sleep=asyncio.sleep)
        pacer.count(clock())
        pacer.hold(1)
        await pacer.enter(math.inf)
        assert pacer.rate is not None
        await asyncio.sleep(3600)
        await pacer.enter(math.inf)
        await asyncio.sleep(3600)
        await pacer.enter(math.inf)
        assert pacer.open
        assert pacer.rate is None

    run(main())


@pytest.mark.parametrize(
    "bad", [{"requests": 0}, {"requests": -1}, {"requests": True}, {"requests": "5"}]
)
def test_strange_quotas(bad: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="requests"):
        Quota(**bad)
    with pytest.raises(ArgumentError, match="per_seconds"):
        Quota(5, per_seconds=0)
