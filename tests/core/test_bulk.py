"""One operation for many items: nothing is lost, and every failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import Answer, CannedServer, Seen, refused, skip_time, until

from itwin_async import (
    ConfigurationError,
    ITwinError,
    RetryPolicy,
    Session,
    bulk,
    imodels,
    itwins,
)
from itwin_async.emulator import Emulator

NO_RETRY = RetryPolicy(retries=0)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=10, imodels=1) as platform:
        yield platform


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async with Session(emulator.token, base_url=emulator.base_url, retry=NO_RETRY) as opened:
        yield opened


async def wait_a_turn(_: Session, item: int) -> int:
    await asyncio.sleep(0)
    return item


async def test_failures_are_noted_and_the_rest_goes_on(
    emulator: Emulator, session: Session
) -> None:
    known = list(emulator.state.imodels)
    results: list[str] = []
    report = await bulk.each(
        imodels.add_recent,
        session,
        [*known, "unknown"],
        concurrency=4,
        on_result=lambda item, _: results.append(item),
    )
    assert report.done == len(known)
    assert [failure.item for failure in report.failures] == ["unknown"]
    assert sorted(results) == sorted(known)


@pytest.mark.parametrize("fail_fast", [False, True])
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("error", [ITwinError("the source broke"), ValueError("the source broke")])
async def test_calls_for_what_a_source_gave_before_it_broke_are_finished(
    session: Session, kind: str, error: Exception, fail_fast: bool
) -> None:
    def plain() -> Iterator[int]:
        yield from range(10)
        raise error

    async def asynchronous() -> AsyncIterator[int]:
        for item in plain():
            yield item

    report: bulk.Report[int] = bulk.Report()
    with pytest.raises(type(error), match="the source broke"):
        await bulk.each(
            wait_a_turn,
            session,
            plain() if kind == "plain" else asynchronous(),
            concurrency=4,
            fail_fast=fail_fast,
            report=report,
        )
    assert report.done == 10
    assert report.failures == []


async def test_a_pager_that_fails_can_be_gone_on_with(emulator: Emulator, session: Session) -> None:
    emulator.fail("GET /itwins/favorites", status=403, times=1, after=1)
    done: list[str] = []

    async def work(_: Session, itwin: itwins.ITwinSummary) -> None:
        await asyncio.sleep(0.01)
        done.append(itwin.id)

    with pytest.raises(ITwinError) as caught:
        await bulk.each(work, session, itwins.list_favorites(session, page_size=4), concurrency=3)
    assert len(done) == 4
    rest = itwins.list_favorites(session, page_size=4, cursor=caught.value.cursor)
    await bulk.each(work, session, rest, concurrency=3)
    assert done == [itwin.id async for itwin in itwins.list_favorites(session)]


async def test_a_call_that_something_else_cancelled_is_a_failure(session: Session) -> None:
    async def work(_: Session, item: int) -> None:
        inner = asyncio.ensure_future(asyncio.sleep(0 if item % 5 else 60))
        if item % 5 == 0:
            inner.cancel()
        await inner

    report = await bulk.each(work, session, range(100), concurrency=4)
    assert report.done == 80
    assert [failure.item for failure in report.failures] == list(range(0, 100, 5))
    with pytest.raises(ITwinError, match="cancelled by something"):
        await bulk.each(work, session, range(100), concurrency=4, fail_fast=True)


@pytest.mark.parametrize("where", ["function", "on_result"])
async def test_a_mistake_of_the_caller_comes_as_it_is(session: Session, where: str) -> None:
    async def work(_: Session, item: int) -> int:
        await asyncio.sleep(0)
        return 1 // item if where == "function" else item

    with pytest.raises(ZeroDivisionError):
        await bulk.each(work, session, [1, 0, 2], on_result=lambda _, result: 1 // result)


async def test_the_first_error_ends_everything_where_that_is_wished(
    emulator: Emulator, session: Session
) -> None:
    async def work(_: Session, itwin: itwins.ITwinSummary) -> None:
        await asyncio.sleep(0)
        raise ITwinError(itwin.id)

    walked = itwins.list_favorites(session, page_size=2)
    with pytest.raises(ITwinError) as caught:
        await bulk.each(work, session, walked, concurrency=2, fail_fast=True)
    # The page that was requested ahead is given up, though the error is still at hand.
    assert not [task for task in asyncio.all_tasks() if "fetch" in repr(task.get_coro())]
    assert str(caught.value) in emulator.state.itwins


async def test_a_walk_of_the_caller_is_left_open(session: Session) -> None:
    async def work(_: Session, itwin: itwins.ITwinSummary) -> None:
        raise ITwinError(itwin.id)

    walk = aiter(itwins.list_favorites(session, page_size=2))
    with pytest.raises(ITwinError):
        await bulk.each(work, session, walk, concurrency=1, fail_fast=True)
    rest = [itwin.id async for itwin in walk]
    assert rest == [itwin.id async for itwin in itwins.list_favorites(session)][1:]


async def test_cancelling_leaves_nothing_and_what_is_done_is_told(canned: CannedServer) -> None:
    async def answer(seen: Seen) -> Answer:
        if seen.target.endswith("/2"):
            skip_time(11)
            await asyncio.sleep(1000)
        return {}

    canned.respond = answer
    report: bulk.Report[str] = bulk.Report()

    async def work(session: Session, item: str) -> None:
        await session.request("GET", f"/x/{item}")

    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await bulk.each(work, session, ["0", "1", "2"], concurrency=1, report=report)
    assert report.done == 2
    assert report.failures == []


@pytest.mark.parametrize("concurrency", [0, -1, True, "4"])
async def test_strange_concurrency(session: Session, concurrency: int) -> None:
    with refused("concurrency"):
        await bulk.each(wait_a_turn, session, [1], concurrency=concurrency)


async def test_a_task_that_had_a_failed_group_is_not_taken_for_cancelled(
    canned: CannedServer,
) -> None:
    """Older task groups leave a mark on the task that opened them."""
    hanging = asyncio.Event()

    async def answer(seen: Seen) -> Answer:
        if seen.method == "PUT":
            return 404
        if "skip" in seen.target:
            hanging.set()
            await asyncio.sleep(60)
        following = {"next": {"href": f"{canned.base_url}/itwins/favorites?$skip=1&$top=1"}}
        return {"iTwins": [{"id": "one"}], "_links": following}

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def walk() -> None:
        with pytest.raises(ITwinError):
            await bulk.each(imodels.add_favorite, session, ["no"] * 5, fail_fast=True)
        mine = asyncio.current_task()
        assert mine is not None
        assert mine.cancelling() == 0
        with pytest.raises(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
        async for _ in itwins.list_favorites(session, page_size=1):
            pass

    canned.respond = answer
    session = Session("t", base_url=canned.base_url, retry=NO_RETRY)
    await session.open()
    task = asyncio.ensure_future(walk())
    await until(lambda: hanging.is_set() or task.done())
    await session.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await task


async def test_calls_that_cancel_their_own_task_are_failures(session: Session) -> None:
    async def call(_: Session, number: int) -> int:
        if number % 3 == 0:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await asyncio.sleep(0)
        return number

    report = await bulk.each(call, session, range(20), concurrency=4)
    assert sorted(failure.item for failure in report.failures) == [0, 3, 6, 9, 12, 15, 18]
    assert report.done == 13


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_source_that_is_cancelled_from_inside_is_an_error(
    session: Session, kind: str
) -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        yield from range(5)
        raise asyncio.CancelledError

    async def async_items() -> AsyncIterator[int]:
        for number in items():
            yield number

    async def call(_: Session, number: int) -> None:
        done.append(number)

    source = items() if kind == "sync" else async_items()
    with pytest.raises(ITwinError):
        await bulk.each(call, session, source, concurrency=2)
    assert sorted(done) == [0, 1, 2, 3, 4]


async def test_on_result_that_raises_a_cancellation_loses_nothing_silently(
    session: Session,
) -> None:
    async def call(_: Session, number: int) -> int:
        return number

    def on_result(_: int, number: int) -> None:
        if number == 4:
            raise asyncio.CancelledError

    with pytest.raises(ITwinError):
        await bulk.each(call, session, range(20), concurrency=2, on_result=on_result)
