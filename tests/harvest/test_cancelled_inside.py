"""Cancellations that are not the harvest's own: whatever a list waits for may be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from harvest_truth import expected, found
from made_lists import MadePager, Thing, made

from itwin_async import ITwinError, RetryPolicy, Session, harvest
from itwin_async.emulator import Emulator

KEYS = [f"{number}" for number in range(6)]


class OneRenewal:
    """A token provider with one renewal for all who wait."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.task: asyncio.Task[str] | None = None

    async def get_token(self) -> str:
        if self.task is None or self.task.cancelled():
            self.task = asyncio.create_task(asyncio.sleep(0.05, self._token))
        return await self.task

    def invalidate(self, token: str) -> None:
        self.task = None


async def test_a_shared_renewal_that_somebody_else_cancels(
    emulator: Emulator, tmp_path: Path
) -> None:
    provider = OneRenewal(emulator.token)
    keys = list(emulator.state.favorites["demo"].itwins)
    source, target = harvest.favorite_imodels(keys), tmp_path / "out.db"
    async with Session(provider, base_url=emulator.base_url) as session:
        work = asyncio.create_task(harvest.run(session, source, target, concurrency=len(keys)))
        while provider.task is None:  # noqa: ASYNC110 - the harvest is what makes it
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        provider.task.cancel()
        report = await asyncio.wait_for(work, 30)
        assert not report.complete
        assert report.progress.lists_done + len(report.failures) == len(keys)
        assert (await harvest.run(session, source, target)).complete
    assert found(target) == expected(emulator)


async def test_a_borrowed_client_session_that_its_owner_closes(
    emulator: Emulator, tmp_path: Path
) -> None:
    target = tmp_path / "out.db"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as borrowed:
        policy = RetryPolicy(base=0.0)
        async with Session(
            emulator.token, base_url=emulator.base_url, client_session=borrowed, retry=policy
        ) as session:

            def close(progress: harvest.Progress) -> None:
                if progress.lists_done and not borrowed.closed:
                    asyncio.get_running_loop().create_task(borrowed.close())

            try:
                report = await harvest.run(
                    session, harvest.favorite_imodels(), target, concurrency=2, on_progress=close
                )
            except ITwinError:
                return
    assert report.progress.items == len(expected(emulator)) or not report.complete


async def cancelled_future() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


async def raises_it() -> None:
    raise asyncio.CancelledError


async def cancels_its_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


INSIDE = [cancelled_future, cancelled_task, raises_it, cancels_its_task]


def cancelled_lists(
    what: Callable[[], Awaitable[None]], when: Sequence[int]
) -> harvest.Source[Thing]:
    number = 0

    class Pager(MadePager):
        async def pages(self, *, tolerant: bool = False) -> AsyncIterator[Any]:
            nonlocal number
            number += 1
            if number in when:
                await what()
            async for page in super().pages():
                yield page

    def inner(_: object, key: str, *, page_size: int, cursor: str | None) -> Any:
        return Pager([[Thing(f"a{key}"), Thing(f"b{key}")]])

    return harvest.Source("made", Thing, inner, keys=tuple(KEYS))


@pytest.mark.parametrize("what", INSIDE)
@pytest.mark.parametrize("concurrency", [1, 4])
async def test_it_is_a_failure_of_its_list(
    session: Session, tmp_path: Path, what: Callable[[], Awaitable[None]], concurrency: int
) -> None:
    source, target = cancelled_lists(what, (2, 5)), tmp_path / "out.ndjson"
    report = await harvest.run(session, source, target, concurrency=concurrency)
    assert report.finished
    assert not report.complete
    assert len(report.failures) == report.progress.lists_failed == 2
    assert report.progress.items == 2 * (len(KEYS) - 2)
    assert (await harvest.run(session, source, target)).complete
    assert len(list(harvest.read(target, Thing))) == 2 * len(KEYS)


@pytest.mark.parametrize("what", INSIDE)
async def test_with_fail_fast_it_is_raised(
    session: Session, tmp_path: Path, what: Callable[[], Awaitable[None]]
) -> None:
    source = cancelled_lists(what, (2,))
    with pytest.raises(ITwinError):
        await harvest.run(session, source, tmp_path / "out.db", fail_fast=True)


@pytest.mark.parametrize("what", INSIDE)
async def test_lists_that_are_always_cancelled_end_it(
    session: Session, tmp_path: Path, what: Callable[[], Awaitable[None]]
) -> None:
    source = cancelled_lists(what, range(100))
    with pytest.raises(ITwinError):
        await harvest.run(session, source, tmp_path / "out.db", concurrency=1)


@pytest.mark.parametrize("what", INSIDE)
async def test_in_the_list_of_lists_it_ends_it(
    session: Session, tmp_path: Path, what: Callable[[], Awaitable[None]]
) -> None:
    class Pager(MadePager):
        async def pages(self, *, tolerant: bool = False) -> AsyncIterator[Any]:
            async for page in super().pages():
                yield page
                if not tries:
                    tries.append(1)
                    await what()

    tries: list[int] = []
    outer = [[Thing(key)] for key in KEYS]
    source = made(
        {key: [[Thing(f"a{key}")]] for key in KEYS},
        outer=lambda _, *, page_size, cursor: Pager(outer, int(cursor or 0)),
    )
    with pytest.raises(ITwinError):
        await asyncio.wait_for(harvest.run(session, source, tmp_path / "out.db"), 30)
    assert not harvest.status(tmp_path / "out.db").finished
    report = await harvest.run(session, source, tmp_path / "out.db")
    assert report.complete
    assert report.progress.items == len(KEYS)


async def test_the_run_that_is_cancelled_itself_is_cancelled(
    session: Session, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(60)

    target = tmp_path / "out.db"
    work = asyncio.create_task(harvest.run(session, cancelled_lists(wait, (2,)), target))
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert harvest.status(target).lists_failed == 0


async def test_a_sweep_over_all_tasks_is_no_failure_of_lists(
    session: Session, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.sleep(60)

    target = tmp_path / "out.db"
    work = asyncio.create_task(harvest.run(session, cancelled_lists(wait, (2, 3)), target))
    await begun.wait()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "harvest" in repr(task):
            task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(work, 30)
    assert harvest.status(target).lists_failed == 0


async def test_an_observer_of_progress_that_raises_it(session: Session, tmp_path: Path) -> None:
    def show(_: harvest.Progress) -> None:
        raise asyncio.CancelledError

    source = made({key: [[Thing(f"a{key}")]] for key in KEYS})
    with pytest.raises(ITwinError):
        await asyncio.wait_for(
            harvest.run(session, source, tmp_path / "out.db", on_progress=show), 30
        )
