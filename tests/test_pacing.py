"""Sessions that are paced by an object of somebody else's, which others may use too."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from doubles import CannedServer, FakeClock, Reply, Seen, refusal, refused, settle, strays, until

from itwin_async import (
    ConfigurationError,
    LocalPacer,
    Pacer,
    Quota,
    RateLimitError,
    RetryPolicy,
    Session,
    Timeout,
    TransportError,
    imodels,
)
from itwin_async.events import Event, HoldStarted, WaitFinished

MODEL = Reply(b'{"iModel":{"id":"m"}}')


@attrs.define(eq=False)
class Turnstile:
    """A pacer that lets a call go each second, and notes what it is asked and told."""

    clock: FakeClock
    seconds: float = 1.0
    due: float = 0.0
    limits: list[float] = attrs.Factory(list)
    holds: list[tuple[float, float]] = attrs.Factory(list)
    inside: int = 0
    most_inside: int = 0

    async def enter(self, wait_limit: float) -> bool:
        self.limits.append(wait_limit)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            wait = max(0.0, self.due - self.clock.now)
            if wait > wait_limit:
                return False
            if wait:
                await self.clock.sleep(wait)
            self.due = self.clock.now + self.seconds
            return True
        finally:
            self.inside -= 1

    def hold(self, seconds: float, age: float) -> None:
        self.holds.append((seconds, age))
        self.due = max(self.due, self.clock.now + seconds)


@attrs.define
class Platform:
    """A loopback server, and sessions on it in virtual time."""

    server: CannedServer
    clock: FakeClock
    events: list[Event] = attrs.Factory(list)

    def session(self, quota: Any, **settings: Any) -> Session:
        clock = self.clock
        policy = RetryPolicy(clock=clock, sleep=clock.sleep, now=clock, rng=lambda: 0.0)
        own: dict[str, Any] = {"timeout": Timeout(total=9000), "observers": [self.events.append]}
        base_url = self.server.base_url
        return Session("t", base_url=base_url, retry=policy, quota=quota, **own | settings)

    async def done(self, *work: Awaitable[Any]) -> list[Any]:
        """Let time pass until all work is done."""
        tasks = [asyncio.ensure_future(each) for each in work]
        async with asyncio.timeout(60):
            while not all(task.done() for task in tasks):
                await asyncio.sleep(0.002)
                due = [at for at, turn in self.clock._sleepers if not turn.done()]
                if due:
                    await self.clock.advance(min(due) - self.clock.now)
        return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with CannedServer(lambda _: MODEL) as server:
        yield Platform(server, FakeClock(auto=False))
    assert not strays()


async def test_each_attempt_asks_the_pacer_and_one_at_a_time(platform: Platform) -> None:
    pacer = Turnstile(platform.clock)
    assert isinstance(pacer, Pacer)
    answers = iter([503, MODEL, MODEL, 503])
    platform.server.respond = lambda _: next(answers, MODEL)
    async with platform.session(pacer) as session:
        await platform.done(*(imodels.get_imodel(session, f"{n}") for n in range(5)))
        assert session.waiting == 0
        assert session.stats().rate is None
    assert len(pacer.limits) == len(platform.server.seen) == 7
    assert pacer.most_inside == 1
    assert all(0 < limit <= 9000 for limit in pacer.limits)
    waits = [event for event in platform.events if isinstance(event, WaitFinished)]
    assert {wait.reason for wait in waits} == {"quota"}
    assert [wait.granted for wait in waits] == [True] * len(waits)


async def test_two_sessions_share_a_quota(platform: Platform) -> None:
    times: list[float] = []
    platform.server.respond = lambda _: times.append(platform.clock.now) or MODEL  # type: ignore[func-returns-value]
    quota = Quota(60, per_seconds=60, burst=1)
    pacer = LocalPacer(quota, clock=platform.clock, sleep=platform.clock.sleep)
    async with platform.session(pacer) as one, platform.session(pacer) as two:
        calls = [imodels.get_imodel(session, "m") for session in (one, two) for _ in range(10)]
        await platform.done(*calls)
    assert len(times) == 20
    assert min(after - before for before, after in itertools.pairwise(times)) >= 1
    assert pacer.rate == pytest.approx(1, abs=0.1)
    assert pacer.waiting == 0


async def test_a_hold_of_one_session_holds_the_other(platform: Platform) -> None:
    clock = platform.clock
    pacer = LocalPacer(clock=clock, sleep=clock.sleep)
    answers = iter([refusal(429, retry_after="30")])
    times: list[float] = []

    def respond(_: Seen) -> Any:
        times.append(clock.now)
        return next(answers, MODEL)

    platform.server.respond = respond
    async with platform.session(pacer) as one, platform.session(pacer) as two:
        first = asyncio.create_task(imodels.get_imodel(one, "m"))
        await until(lambda: one.stats().held_for)
        assert pacer.held_for == pytest.approx(one.stats().held_for)
        second = asyncio.create_task(imodels.get_imodel(two, "m"))
        await platform.done(first, second)
    assert len(times) == 3
    assert min(times[1:]) >= 1030


async def test_a_hold_is_told_with_the_age_of_its_call(platform: Platform) -> None:
    clock, answers = platform.clock, iter([refusal(429, retry_after="20")])
    pacer = Turnstile(clock, seconds=0)

    async def respond(_: Seen) -> Any:
        await clock.sleep(3)
        return next(answers, MODEL)

    platform.server.respond = respond
    async with platform.session(pacer) as session:
        call = asyncio.create_task(imodels.get_imodel(session, "m"))
        await until(lambda: clock._sleepers)
        await clock.advance(3)
        await until(lambda: pacer.holds)
        stats = session.stats()
        assert stats.held_for == pytest.approx(20, abs=2)
        assert stats.held_until is not None
        with pytest.raises(RateLimitError):
            await imodels.get_imodel(session.with_options(timeout=5), "m")
        await platform.done(call)
    ((seconds, age),) = pacer.holds
    assert (seconds, age) == (pytest.approx(20, abs=2), 3)
    assert [event.seconds for event in platform.events if isinstance(event, HoldStarted)] == [
        pytest.approx(seconds)
    ]
    waits = [event for event in platform.events if isinstance(event, WaitFinished)]
    assert [wait.reason for wait in waits] == ["hold"]


async def test_turns_and_priorities_stay_those_of_the_session(platform: Platform) -> None:
    async with platform.session(Turnstile(platform.clock)) as session:
        calls = []
        for user, count in {"ann": 5, "bob": 2, "cid": 1}.items():
            view = session.with_token(user)
            for _ in range(count):
                calls.append(asyncio.create_task(imodels.get_imodel(view, user)))
                await settle()
        urgent = session.with_token("dan").with_options(priority=5)
        calls.append(asyncio.create_task(imodels.get_imodel(urgent, "dan")))
        await settle()
        assert session.waiting >= 7
        await platform.done(*calls)
    order = [seen.token for seen in platform.server.seen]
    assert order[2:] == ["dan", "ann", "bob", "cid", "ann", "bob", "ann"]
    assert Counter(order) == {"ann": 5, "bob": 2, "cid": 1, "dan": 1}


async def test_a_turn_that_is_too_far_off_is_a_time_out(platform: Platform) -> None:
    pacer = Turnstile(platform.clock, seconds=100)
    async with platform.session(pacer, timeout=50) as session:
        await imodels.get_imodel(session, "m")
        with pytest.raises(TransportError) as caught:
            await imodels.get_imodel(session, "m")
        assert (caught.value.kind, caught.value.timeout, caught.value.sent) == (
            "waiting",
            True,
            False,
        )
        assert session.stats().in_use == session.waiting == 0
    assert len(platform.server.seen) == 1


@attrs.define(eq=False)
class Broken:
    """A pacer that fails."""

    on_enter: BaseException | None = None
    on_hold: BaseException | None = None
    on_accept: BaseException | None = None
    accepted: int = 0

    async def enter(self, wait_limit: float) -> bool:
        if self.on_enter is not None:
            raise self.on_enter
        return True

    def hold(self, seconds: float, age: float) -> None:
        if self.on_hold is not None:
            raise self.on_hold

    def accept(self, age: float) -> None:
        self.accepted += 1
        if self.on_accept is not None:
            raise self.on_accept


@asynccontextmanager
async def failing() -> AsyncIterator[TransportError]:
    error = TransportError("", sent=True)
    with pytest.raises(TransportError) as caught:
        yield error
    error.__dict__.update(caught.value.__dict__)
    error.__cause__ = caught.value.__cause__


@pytest.mark.parametrize("problem", [OSError("gone"), ValueError(), asyncio.CancelledError()])
async def test_a_pacer_that_fails_ends_the_call(platform: Platform, problem: BaseException) -> None:
    pacer = Broken(on_enter=problem)
    async with platform.session(pacer, max_connections=1) as session:
        for _ in range(2):
            async with failing() as error:
                await imodels.get_imodel(session, "m")
            assert (error.kind, error.sent, error.retryable) == ("pacer", False, False)
            assert (error.method, error.path) == ("GET", "/imodels/m")
            assert error.request_id
            assert error.__cause__ is (problem if isinstance(problem, Exception) else None)
        assert not platform.server.seen
        pacer.on_enter = None
        await imodels.get_imodel(session, "m")
        assert session.stats().in_use == 0


async def test_a_pacers_own_error_of_this_package_stays_what_it_is(platform: Platform) -> None:
    async with platform.session(Broken(on_enter=ConfigurationError("no"))) as session:
        with pytest.raises(ConfigurationError):
            await imodels.get_imodel(session, "m")


async def test_a_pacer_that_cannot_hold_ends_the_call(platform: Platform) -> None:
    platform.server.respond = lambda _: refusal(429, retry_after="1")
    async with platform.session(Broken(on_hold=OSError("gone"))) as session:
        async with failing() as error:
            await imodels.get_imodel(session, "m")
        assert (error.kind, error.method) == ("pacer", "GET")
        assert session.stats().in_use == 0


async def test_an_answer_is_not_lost_where_the_pacer_fails_behind_it(platform: Platform) -> None:
    pacer = Broken(on_accept=OSError("gone"))
    async with platform.session(pacer) as session:
        await imodels.get_imodel(session, "m")
        assert pacer.accepted == 1
        async with failing() as error:
            await imodels.get_imodel(session, "m")
        assert error.kind == "pacer"


async def test_a_call_that_is_cancelled_in_the_pacer_leaves_nothing(platform: Platform) -> None:
    pacer = Turnstile(platform.clock)
    async with platform.session(pacer) as session:
        await imodels.get_imodel(session, "m")
        calls = [asyncio.create_task(imodels.get_imodel(session, f"{n}")) for n in range(3)]
        await until(lambda: pacer.inside)
        calls[0].cancel()
        await platform.done(*calls)
        assert [call.cancelled() for call in calls] == [True, False, False]
        stats = session.stats()
        assert (stats.in_use, stats.waiting, pacer.inside) == (0, 0, 0)
        late = asyncio.create_task(imodels.get_imodel(session, "late"))
        await until(lambda: pacer.inside)
    with pytest.raises(ConfigurationError):  # as of any call that waits
        await late
    assert pacer.inside == 0


@pytest.mark.parametrize("quota", [5, "500/60", object(), Turnstile])
def test_what_cannot_pace_is_refused(quota: Any) -> None:
    with refused("quota"):
        Session("t", quota=quota)


def test_a_local_pacer_takes_only_a_quota() -> None:
    with refused("quota"):
        LocalPacer(500)  # type: ignore[arg-type]
    with refused("age"):
        LocalPacer().hold(1, -1)
    with refused("seconds"):
        LocalPacer().hold(float("nan"), 1)


async def test_a_local_pacer_belongs_to_one_loop() -> None:
    pacer = LocalPacer(Quota(500))

    async def enter() -> bool:
        return await pacer.enter(1)

    assert await asyncio.to_thread(asyncio.run, enter())
    assert await enter()  # the other loop is closed
    with pytest.raises(ConfigurationError):
        await asyncio.to_thread(asyncio.run, enter())
