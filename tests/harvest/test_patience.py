"""A platform that is away is waited for; lists do not fail for its sake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harvest_truth import expected, found

from itwin_async import (
    ArgumentError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Session,
    TransportError,
    harvest,
)
from itwin_async.emulator import Emulator, EmulatorThread, Fault

SOURCE = harvest.favorite_imodels()
LISTS = "GET /imodels/favorites"


class Clock:
    """Time that passes only while something sleeps."""

    def __init__(self, then: Callable[[float], Awaitable[None]] | None = None) -> None:
        self.now = 0.0
        self._then = then

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)
        if self._then is not None:
            await self._then(self.now)

    def policy(self, **options: Any) -> RetryPolicy:
        return RetryPolicy(clock=self.monotonic, sleep=self.sleep, **options)


def session_of(emulator: Emulator | EmulatorThread, policy: RetryPolicy) -> Session:
    return Session(emulator.token, base_url=emulator.base_url, retry=policy, timeout=10_000)


@pytest.mark.parametrize("concurrency", [1, 4, 16])
async def test_a_platform_that_fails_for_all_lists_is_waited_for(
    emulator: Emulator, tmp_path: Path, concurrency: int
) -> None:
    emulator.fail(LISTS, status=503, times=45, after=4)
    clock, target = Clock(), tmp_path / "out.ndjson"
    async with session_of(emulator, clock.policy()) as session:
        report = await harvest.run(
            session, SOURCE, target, page_size=10, concurrency=concurrency, wait_for_server=300
        )
    assert report.complete
    assert found(target) == expected(emulator)
    assert report.progress.errors == 45
    assert report.progress.retried > 0
    assert 5 < clock.now < 300


async def test_the_list_of_lists_is_waited_for_too(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fail("GET /itwins/favorites", status=502, times=17)
    async with session_of(emulator, Clock().policy()) as session:
        report = await harvest.run(session, SOURCE, tmp_path / "out.db", wait_for_server=300)
    assert report.complete


async def test_it_ends_after_the_time_that_was_given_and_can_be_resumed(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.fail(LISTS, status=503, times=None, after=7)
    clock, target = Clock(), tmp_path / "out.db"
    async with session_of(emulator, clock.policy()) as session:
        with pytest.raises(ServerError):
            await harvest.run(session, SOURCE, target, page_size=10, wait_for_server=120)
        assert 120 <= clock.now < 240  # the calls take time, too
        kept = harvest.status(target)
        assert kept.items > 0
        assert kept.lists_failed == 0
        emulator.clear_faults()
        report = await harvest.run(session, SOURCE, target, page_size=10)
    assert report.complete
    assert found(target) == expected(emulator)


async def test_a_platform_that_cannot_be_reached_comes_back(tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    with EmulatorThread(itwins=9, imodels=35, seed=3) as emulator:
        wanted, down = expected(emulator), False

        starting = asyncio.Lock()

        async def come_back(now: float) -> None:
            nonlocal down
            async with starting:  # time stands still meanwhile
                if down and now > 15:
                    await asyncio.to_thread(emulator.start)
                    down = False

        def go_away(progress: harvest.Progress) -> None:
            nonlocal down
            if progress.new_items and not clock.now:
                down, clock.now = True, 0.001
                emulator.stop()

        clock = Clock(come_back)
        async with session_of(emulator, clock.policy()) as session:
            report = await harvest.run(
                session,
                SOURCE,
                target,
                page_size=5,
                concurrency=4,
                on_progress=go_away,
                wait_for_server=60,
            )
        assert report.complete
        assert found(target) == wanted
        assert clock.now > 15


async def test_a_list_with_a_fault_of_its_own_fails_and_holds_nobody_up(
    emulator: Emulator, tmp_path: Path
) -> None:
    bad = list(emulator.state.favorites["demo"].itwins)[2]
    fault = Fault(match=LISTS, query={"iTwinId": bad}, status=500, times=None)
    emulator.fault(fault)
    clock = Clock()
    async with session_of(emulator, clock.policy()) as session:
        report = await harvest.run(
            session, SOURCE, tmp_path / "out.db", concurrency=1, wait_for_server=300
        )
    assert [(failure.key, failure.kind) for failure in report.failures] == [(bad, "ServerError")]
    assert report.progress.lists_done == 8
    assert clock.now < 20


async def test_a_fault_that_passes_costs_no_list(emulator: Emulator, tmp_path: Path) -> None:
    one = list(emulator.state.favorites["demo"].itwins)[2]
    emulator.fault(Fault(match=LISTS, query={"iTwinId": one}, status=500, times=6))
    async with session_of(emulator, Clock().policy()) as session:
        report = await harvest.run(session, SOURCE, tmp_path / "out.db", wait_for_server=300)
    assert report.complete


async def test_what_no_waiting_helps_against_is_not_waited_for(
    emulator: Emulator, tmp_path: Path
) -> None:
    emulator.fail(LISTS, status=403)
    clock = Clock()
    async with session_of(emulator, clock.policy()) as session:
        report = await harvest.run(session, SOURCE, tmp_path / "out.db", wait_for_server=300)
    assert report.progress.lists_failed == 1
    assert clock.now == 0


async def test_a_hold_that_is_longer_than_calls_wait(emulator: Emulator, tmp_path: Path) -> None:
    def run(name: str) -> Any:
        return harvest.run(session, SOURCE, tmp_path / name, concurrency=1, wait_for_server=300)

    clock = Clock()
    async with session_of(emulator, clock.policy()) as session:
        emulator.fail(LISTS, status=429, headers={"Retry-After": "200"}, times=1)
        assert (await run("out.db")).complete
        assert 200 <= clock.now < 300
        emulator.fail(LISTS, status=429, headers={"Retry-After": "400"}, times=1)
        with pytest.raises(RateLimitError):
            await run("next.db")
    assert clock.now < 300


@pytest.mark.parametrize("wait", [0, 60])
async def test_progress_says_until_when_and_why(
    emulator: Emulator, tmp_path: Path, wait: float
) -> None:
    emulator.fail("GET /itwins/favorites", status=503, times=20)
    seen: list[harvest.Progress] = []
    told = asyncio.Event()

    async def show(progress: harvest.Progress) -> None:
        await asyncio.sleep(0)
        seen.append(progress)
        if progress.waiting_until is not None:
            told.set()

    async def until_told(_: float) -> None:
        if wait:
            await asyncio.sleep(0.01)

    async with session_of(emulator, Clock(until_told).policy(base=0.0)) as session:
        work = harvest.run(
            session, SOURCE, tmp_path / "out.db", on_progress=show, wait_for_server=wait
        )
        if not wait:
            with pytest.raises(ServerError):
                await work
            return
        running = asyncio.create_task(work)
        await asyncio.wait_for(told.wait(), 30)
        waiting = next(one for one in seen if one.waiting_until is not None)
        assert waiting.waiting_until is not None
        left = waiting.waiting_until - datetime.now(UTC)
        assert timedelta(0) < left <= timedelta(seconds=wait)
        assert "503" in waiting.waiting_for
        report = await running
    assert report.complete
    assert report.progress.waiting_until is None
    assert report.progress.waiting_for == ""


async def test_a_cancellation_ends_the_wait_at_once(tmp_path: Path) -> None:
    waits, target = asyncio.Event(), tmp_path / "out.db"

    async def sleep(seconds: float) -> None:
        if seconds >= 0.5:
            waits.set()
            await asyncio.Event().wait()

    policy = RetryPolicy(base=0.0, sleep=sleep)
    async with Session("token", base_url="http://127.0.0.1:9", retry=policy) as session:
        work = asyncio.create_task(
            harvest.run(session, SOURCE, target, wait_for_server=600, concurrency=4)
        )
        await asyncio.wait_for(waits.wait(), 30)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(work, 10)
    assert not harvest.status(target).finished
    assert len(asyncio.all_tasks()) == 1


async def test_a_certificate_that_is_not_trusted_ends_it_at_once(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    clock = Clock()
    async with Emulator(tls=True) as emulator:
        ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(100)]
        async with session_of(emulator, clock.policy()) as session:
            with pytest.raises(TransportError) as refused:
                await harvest.run(
                    session,
                    harvest.favorite_imodels(ids),
                    tmp_path / "out.db",
                    wait_for_server=300,
                )
    assert refused.value.kind == "tls"
    assert clock.now == 0
    assert harvest.status(tmp_path / "out.db").lists_failed == 0


@pytest.mark.parametrize("bad", [-1, True, "5m", float("nan"), float("inf"), None])
async def test_strange_waits(session: Session, tmp_path: Path, bad: Any) -> None:
    with pytest.raises(ArgumentError, match="wait_for_server"):
        await harvest.run(session, SOURCE, tmp_path / "x.db", wait_for_server=bad)
    assert not list(tmp_path.iterdir())


async def test_on_progress_may_be_a_coroutine_function(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    seen: list[harvest.Progress] = []
    at_once = 0

    async def show(progress: harvest.Progress) -> None:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        await asyncio.sleep(0.01)
        at_once -= 1
        seen.append(progress)

    report = await harvest.run(session, SOURCE, tmp_path / "out.db", page_size=5, on_progress=show)
    assert seen[-1] == report.progress
    assert report.progress.finished

    async def fail(_: harvest.Progress) -> None:
        await asyncio.sleep(0)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await harvest.run(session, SOURCE, tmp_path / "next.db", page_size=5, on_progress=fail)
