"""Pacing against simulated servers, on a loop whose time passes only while everybody waits."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import selectors
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

import attrs
import pytest
from doubles import refused

from itwin_async import LocalPacer, Quota
from itwin_async._http.limiter import Limiter
from itwin_async._http.shared_limiter import SharedLimiter


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
    """So many calls in each window; beyond it 429 until the next one."""

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
    """A bucket that fills steadily; an empty one answers 429 with whole seconds."""

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
    holds: list[float]

    @property
    def refused_times(self) -> int:
        """How often the calls had to pause."""
        moments = sorted(self.holds)
        return sum(now - then > 0.5 for then, now in itertools.pairwise([-1.0, *moments]))


def run(main: Coroutine[Any, Any, None]) -> float:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)
        return runner.get_loop().time()


def harvest(
    server: Server,
    calls: int,
    quota: Quota | None,
    tasks: int = 50,
    host: str = "",
    start: float = 0,
    way: float = 0.004,
    sessions: int = 0,
) -> Outcome:
    outcome = Outcome(0.0, 0, [], [])
    chance = random.Random(1)

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(start)
        pacers: list[Limiter | SharedLimiter]
        pacers = [Limiter(quota, clock=clock, sleep=asyncio.sleep, host=host)]
        if sessions:
            shared = LocalPacer(quota, clock=clock, sleep=asyncio.sleep)
            pacers = [SharedLimiter(shared, clock=clock) for _ in range(sessions)]
        left = iter(range(calls))

        async def call(pacer: Limiter | SharedLimiter) -> None:
            while True:
                if pacer.open:
                    pacer.count(clock())
                else:
                    assert await pacer.enter(math.inf)
                sent = clock()
                await asyncio.sleep(chance.uniform(0.001, way))
                wait = server.ask(clock())
                await asyncio.sleep(chance.uniform(0.001, 0.004))
                if wait is None:
                    pacer.accept(sent)
                    outcome.marks.append(clock())
                    return
                outcome.refused += 1
                outcome.holds.append(clock())
                pacer.hold(wait + chance.random() * 0.1, sent)

        async def work(number: int) -> None:
            for _ in left:
                await call(pacers[number % len(pacers)])

        await asyncio.gather(*(work(number) for number in range(tasks)))

    outcome.seconds = run(main()) - start
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


@pytest.mark.parametrize(
    ("server", "ideal", "most"),
    [
        (Window(500, 60), 7 * 60, 1.05),
        (Window(200, 1), 19, 1.3),
        (Bucket(200, 20), 3980 / 200, 1.2),
        (Bucket(200, 5), 3995 / 200, 1.3),
        (Bucket(5000 / 60, 50), 3950 / (5000 / 60), 1.1),
        (Bucket(20, 20), 3980 / 20, 1.05),
        (Bucket(500 / 60, 500), 3500 / (500 / 60), 1.05),
    ],
)
def test_learning_costs_little_of_four_thousand_calls(
    server: Server, ideal: float, most: float
) -> None:
    outcome = harvest(server, 4000, None)
    assert outcome.seconds <= most * ideal
    assert outcome.refused < 0.03 * 4000


@pytest.mark.parametrize("sessions", [1, 4])
@pytest.mark.parametrize("known", [True, False])
def test_sessions_that_share_a_pacer_keep_the_quota_of_one(sessions: int, known: bool) -> None:
    quota = Quota(500, per_seconds=60) if known else None
    outcome = harvest(Window(500, 60), 4000, quota, sessions=sessions)
    assert outcome.seconds <= 1.05 * (480 if known else 7 * 60)
    assert outcome.refused < (1 if known else 0.03 * 4000)


@pytest.mark.parametrize("burst", [1, 8, 20])
def test_a_known_quota_is_used_whatever_its_burst(burst: int) -> None:
    outcome = harvest(Bucket(200, 30), 4000, Quota(200, per_seconds=1, burst=burst))
    assert outcome.seconds <= 1.06 * 3970 / 200
    assert outcome.refused == 0


@pytest.mark.parametrize("way", [0.004, 0.04])
def test_the_burst_of_a_bucket_may_be_told_as_it_is(way: float) -> None:
    quota = Quota(200, per_seconds=1, burst=20)
    outcome = harvest(Bucket(200, 20), 4000, quota, way=way)
    assert outcome.seconds <= 1.06 * 3980 / 200
    assert outcome.refused == 0


def test_what_was_learned_of_a_host_serves_its_next_session() -> None:
    server = Bucket(200, 20)
    host = "https://learned.example.com"
    learning = harvest(server, 4000, None, host=host)
    again = harvest(server, 4000, None, host=host, start=learning.seconds + 60)
    assert again.refused_times < learning.refused_times
    assert again.seconds < learning.seconds
    fresh = attrs.evolve(server, level=20, then=0)
    elsewhere = harvest(fresh, 4000, None, host="https://other.example.com")
    assert elsewhere.seconds == learning.seconds


@attrs.define
class Strays:
    """A server that answers 429 now and then for reasons of its own."""

    inner: Server | None
    share: float
    chance: random.Random = attrs.Factory(lambda: random.Random(3))
    wait: float = 1.0

    def ask(self, now: float) -> float | None:
        if self.chance.random() < self.share:
            return self.wait
        return self.inner.ask(now) if self.inner else None


def minutes(server: Server, late: float, count: int = 5, tasks: int = 50) -> list[int]:
    """Count what is accepted in each minute, where every tenth 429 comes so many seconds late."""
    accepted = [0] * count
    chance = random.Random(1)

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)

        async def work() -> None:
            while clock() < 60 * count:
                if pacer.open:
                    pacer.count(clock())
                else:
                    await pacer.enter(math.inf)
                sent = clock()
                wait = server.ask(sent)
                await asyncio.sleep(0.1 if wait is None or chance.random() > 0.1 else 0.1 + late)
                if wait is not None:
                    pacer.hold(wait, sent)
                    continue
                pacer.accept(sent)
                if sent < 60 * count:
                    accepted[int(sent) // 60] += 1

        await asyncio.gather(*(work() for _ in range(tasks)))

    run(main())
    return accepted


@pytest.mark.parametrize("late", [0, 1.5, 3])
@pytest.mark.parametrize(
    ("server", "rate"),
    [
        (lambda: Window(500, 60), 500 / 60),
        (lambda: Window(5000, 60), 5000 / 60),
        (lambda: Bucket(500 / 60, 50), 500 / 60),
        (lambda: Bucket(80, 100), 80.0),
        (lambda: Bucket(80, 10), 80.0),
    ],
)
def test_refusals_that_come_late_do_not_spoil_the_pace(
    server: Callable[[], Server], rate: float, late: float
) -> None:
    assert min(minutes(server(), late)[1:]) >= 0.85 * 60 * rate


def test_refusals_for_other_reasons_leave_a_pace_that_one_can_work_with() -> None:
    assert min(minutes(Strays(None, 0.1), 0)) >= 45
    assert min(minutes(Strays(Window(500, 60), 0.01), 0)) >= 100


@pytest.mark.parametrize(
    ("share", "wait", "tasks", "least"),
    [(0.05, 1.0, 16, 300), (0.05, 0.3, 4, 300), (0.1, 1.0, 4, 150), (0.01, 1.0, 50, 900)],
)
def test_refusals_of_every_so_many_th_call_do_not_end_in_a_crawl(
    share: float, wait: float, tasks: int, least: int
) -> None:
    """Whatever the pace, so many are refused: each slower pace would only lose, without end."""
    accepted = minutes(Strays(None, share, wait=wait), 0, tasks=tasks)
    assert min(accepted[2:]) >= least


def test_a_quota_is_still_found_where_others_are_refused_too() -> None:
    accepted = minutes(Strays(Bucket(20, 20), 0.03), 0, tasks=16)
    assert min(accepted[2:]) >= 0.4 * 60 * 20
    calm = minutes(Bucket(20, 20), 0, tasks=16)
    assert min(calm[1:]) >= 0.85 * 60 * 20


async def quiet(pacer: Limiter, calls: int, seconds: float) -> None:
    for _ in range(calls):
        await go(pacer)
        await asyncio.sleep(seconds / calls)


async def go(pacer: Limiter) -> float:
    clock = asyncio.get_running_loop().time
    if pacer.open:
        pacer.count(clock())
    else:
        await pacer.enter(math.inf)
    return clock()


async def crowd(pacer: Limiter, calls: int) -> float:
    """Let many go at once, and tell how long the last one waited."""
    clock = asyncio.get_running_loop().time
    began = clock()
    await asyncio.gather(*(go(pacer) for _ in range(calls)))
    return clock() - began


@pytest.mark.parametrize(
    ("calls", "seconds"), [(1, 0.5), (1, 40.0), (1, 59.0), (3, 50.0), (20, 50.0), (40, 200.0)]
)
def test_one_refusal_of_a_quiet_session_starves_nobody(calls: int, seconds: float) -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)
        await quiet(pacer, calls, seconds)
        sent = await go(pacer)
        await asyncio.sleep(0.1)
        pacer.hold(1, sent)
        assert await crowd(pacer, 20) < 5

    run(main())


def test_a_refusal_is_not_blamed_on_a_pace_that_was_not_used() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)
        for _ in range(500):
            pacer.count(clock())
        sent = await go(pacer)
        await asyncio.sleep(0.1)
        pacer.hold(59, sent)
        await quiet(pacer, 12, 120)
        learned = pacer.rate
        assert learned
        sent = await go(pacer)
        await asyncio.sleep(0.1)
        pacer.hold(1, sent)
        await go(pacer)
        assert pacer.rate
        assert pacer.rate >= learned

    run(main())


@pytest.mark.parametrize("before", [0, 100, 600, 1200, 1430])
def test_a_quota_is_found_whenever_the_first_refusal_comes(before: int) -> None:
    """A session that has been near the limit for minutes, and goes beyond it just now."""
    server = Window(500, 60)
    refused = 0

    async def main() -> None:
        nonlocal refused
        clock = asyncio.get_running_loop().time
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)

        async def call() -> None:
            nonlocal refused
            while True:
                sent = await go(pacer)
                wait = server.ask(clock())
                await asyncio.sleep(0.05)
                if wait is None:
                    pacer.accept(sent)
                    return
                refused += 1
                pacer.hold(wait, sent)

        async def work(calls: Iterator[int]) -> None:
            for _ in calls:
                await call()

        for _ in range(before):
            await call()
            await asyncio.sleep(0.075)
        began, calls = clock(), iter(range(2000))
        await asyncio.gather(*(work(calls) for _ in range(20)))
        assert clock() - began <= 1.3 * 240 + 60

    run(main())
    assert refused < 100


def test_no_window_ever_holds_more_than_the_quota() -> None:
    quota = Quota(100, per_seconds=10, burst=10)
    passed: list[float] = []

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(quota, clock=clock, sleep=asyncio.sleep)

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
        pacer = Limiter(quota, clock=clock, sleep=asyncio.sleep)

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
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)
        for _ in range(20):
            pacer.count(clock())
        await asyncio.sleep(0.1)
        pacer.hold(5, 0)

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
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)
        pacer.hold(30, 0)
        assert not await pacer.enter(29)
        assert clock() == 0
        assert await pacer.enter(31)

    assert run(main()) == pytest.approx(30)


def test_a_lesson_is_forgotten_after_a_long_calm() -> None:
    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(None, clock=clock, sleep=asyncio.sleep)
        pacer.count(clock())
        pacer.hold(1, 0)
        await pacer.enter(math.inf)
        assert pacer.rate is not None
        await asyncio.sleep(3600)
        await pacer.enter(math.inf)
        await asyncio.sleep(3600)
        await pacer.enter(math.inf)
        assert pacer.open
        assert pacer.rate is None

    run(main())


@pytest.mark.parametrize("quota", [Quota(10, burst=10), Quota(0.5, per_seconds=1), Quota(1)])
def test_small_quotas_are_kept(quota: Quota) -> None:
    passed: list[float] = []

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(quota, clock=clock, sleep=asyncio.sleep)
        for _ in range(40):
            await pacer.enter(math.inf)
            passed.append(clock())

    run(main())
    window = quota.per_seconds * max(1, 1 / quota.requests) - 0.001
    most = max(sum(first <= time < first + window for time in passed) for first in passed)
    assert most <= max(1, quota.requests)


@pytest.mark.parametrize("burst", [0, 0.5, 11, -1, True, "3", math.nan, math.inf])
def test_bursts_that_no_window_could_hold(burst: Any) -> None:
    with refused("burst"):
        Quota(10, burst=burst)


@pytest.mark.parametrize(
    "bad", [{"requests": 0}, {"requests": -1}, {"requests": True}, {"requests": "5"}]
)
def test_strange_quotas(bad: dict[str, Any]) -> None:
    with refused("requests"):
        Quota(**bad)
    with refused("per_seconds"):
        Quota(5, per_seconds=0)


async def late_sleep(seconds: float) -> None:
    """Sleep as long as a real timer does, which is never early and often a little late."""
    await asyncio.sleep(seconds + 0.0015)


def test_timers_that_are_late_do_not_slow_the_pace_down() -> None:
    took = []

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        pacer = Limiter(Quota(200, per_seconds=1, burst=1), clock=clock, sleep=late_sleep)
        took.append(await crowd(pacer, 1000))

    run(main())

    (seconds,) = took
    assert 5 <= seconds < 5.2  # with what each timer lost it were 6.6


def test_a_bucket_is_not_taken_for_a_faster_one_while_it_lives_on_its_burst() -> None:
    outcome = harvest(Bucket(200, 100), 4000, None)

    assert outcome.seconds < 1.15 * 4000 / 200
    assert outcome.refused_times <= 4
