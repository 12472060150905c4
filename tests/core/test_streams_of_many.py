"""Results and lists of many items as one stream: in order or not, and never more than asked for."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from doubles import CannedServer, Seen, refusal, refused, settle, strays, until

from itwin_async import (
    ConfigurationError,
    ITwinError,
    NotFoundError,
    RetryPolicy,
    ServerError,
    Session,
    bulk,
    imodels,
    itwins,
)
from itwin_async.emulator import Emulator

NO_RETRY = RetryPolicy(retries=0)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=10, imodels=60) as platform:
        yield platform


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async with Session(emulator.token, base_url=emulator.base_url, retry=NO_RETRY) as opened:
        yield opened


async def late(_: Session, item: int) -> int:
    await asyncio.sleep(0.001 * (item % 5))
    return item


async def as_items(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("concurrency", [1, 3, 200])
async def test_results_come_in_the_order_of_the_items(
    session: Session, kind: str, concurrency: int
) -> None:
    items = range(100) if kind == "plain" else as_items(100)
    results = bulk.map(late, session, items, concurrency=concurrency)
    pairs = [(results.item, result) async for result in results]
    assert pairs == [(number, number) for number in range(100)]
    assert await anext(results, None) is None
    assert strays() == []


async def test_or_as_they_come(session: Session) -> None:
    gates = [asyncio.Event() for _ in range(4)]

    async def wait(_: Session, number: int) -> int:
        await gates[number].wait()
        return number

    results = bulk.map(wait, session, range(4), ordered=False)
    order = []
    for number in (2, 0, 3, 1):
        gates[number].set()
        order.append(await anext(results))
        assert results.item == number
    assert order == [2, 0, 3, 1]
    assert await anext(results, None) is None


@pytest.mark.parametrize("ordered", [True, False])
async def test_results_that_nobody_takes_do_not_pile_up(session: Session, ordered: bool) -> None:
    begun: list[int] = []

    async def note(_: Session, item: int) -> int:
        begun.append(item)
        return item

    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    results = bulk.map(note, session, endless(), concurrency=5, ordered=ordered)
    for taken in range(1, 20):
        await anext(results)
        await settle()
        assert len(begun) <= taken + 5
    await results.aclose()
    assert strays() == []


async def test_the_first_failure_ends_it_unless_failures_are_collected(
    emulator: Emulator, session: Session
) -> None:
    known = list(emulator.state.imodels)[:6]
    ids = [*known[:3], "unknown", *known[3:]]
    results = bulk.map(imodels.get_imodel, session, ids, concurrency=2)
    assert [(await anext(results)).id for _ in range(3)] == known[:3]
    with pytest.raises(NotFoundError):
        await anext(results)
    assert results.item == "unknown"
    assert await anext(results, None) is None
    results = bulk.map(imodels.get_imodel, session, ids, concurrency=2, errors="collect")
    assert [imodel.id async for imodel in results] == known
    (failure,) = results.failures
    assert failure.item == "unknown"
    assert isinstance(failure.error, NotFoundError)


async def test_what_is_no_failure_of_a_call_is_raised_in_either_case(session: Session) -> None:
    async def broken(_: Session, item: int) -> int:
        raise ZeroDivisionError

    def items() -> Iterator[int]:
        yield 1
        raise KeyError("source")

    with pytest.raises(ZeroDivisionError):
        await anext(bulk.map(broken, session, [1], errors="collect"))
    results = bulk.map(late, session, items(), errors="collect")
    assert await anext(results) == 1
    with pytest.raises(KeyError):
        await anext(results)
    with pytest.raises(TypeError):
        await anext(bulk.map(itwin_lists, session, ["x"]))


def itwin_lists(session: Session, _: str) -> Any:
    return itwins.list_favorites(session)


@pytest.mark.parametrize("way", ["break", "cancel", "close"])
async def test_nothing_is_left_when_it_is_left(canned: CannedServer, way: str) -> None:
    async def answer(seen: Seen) -> dict[str, Any]:
        if not seen.target.endswith("/0"):
            await asyncio.sleep(60)
        return {"iModel": {"id": "m"}}

    canned.respond = answer
    async with Session("t", base_url=canned.base_url) as session:
        ids = (str(number) for number in range(1000))

        async def work() -> None:
            results = bulk.map(imodels.get_imodel, session, ids, concurrency=7)
            async for _ in results:
                if way == "break":
                    break
                if way == "close":
                    await results.aclose()
                    return

        task = asyncio.create_task(work())
        await until(lambda: task.done() or len(canned.seen) == 8)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.collect()
        await until(lambda: session.stats().in_use == 0)
        assert strays() == []
        assert len(canned.seen) <= 8


async def test_a_session_that_closes_ends_it_with_an_error(canned: CannedServer) -> None:
    canned.respond = lambda _: asyncio.sleep(60, {})
    session = Session("t", base_url=canned.base_url)
    await session.open()
    results = bulk.map(imodels.get_imodel, session, map(str, range(50)), concurrency=3)
    task = asyncio.create_task(anext(results))
    await until(lambda: len(canned.seen) == 3)
    await session.close()
    with pytest.raises(ITwinError):
        await task
    with pytest.raises(ConfigurationError):
        await anext(bulk.map(imodels.get_imodel, session, ["m"]))
    assert strays() == []


async def test_strange_arguments_are_refused(session: Session) -> None:
    options: dict[str, Any]
    for options in ({"concurrency": 0}, {"ordered": 1}, {"errors": "ignore"}):
        with refused(next(iter(options))):
            bulk.map(late, session, [1], **options)
        with refused(next(iter(options))):
            imodels.list_all_favorites(session, **options)
    with refused("items"):
        bulk.join(imodels.list_favorites, session, "one id")
    with refused("page_size"):
        imodels.list_all_imodels(session, page_size=1001)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("page_size", [1, 4, None])
async def test_every_imodel_of_every_itwin(
    emulator: Emulator, session: Session, ordered: bool, page_size: int | None
) -> None:
    every = imodels.list_all_imodels(session, page_size=page_size, ordered=ordered, concurrency=3)
    walk = aiter(every)
    found = [(walk.item, imodel) async for imodel in walk]
    assert Counter(imodel.id for _, imodel in found) == Counter(list(emulator.state.imodels))
    runs = [itwin.id for itwin, _ in found if not isinstance(itwin, str) and itwin]
    grouped = list(dict.fromkeys(runs))
    assert [one for one in grouped for _ in range(runs.count(one))] == runs  # lists are not mixed
    known = itwins.list_itwins(session, include_inactive=True)
    listed = [itwin.id async for itwin in known]
    if ordered:
        assert grouped == [one for one in listed if one in grouped]
    full = {imodel.id: imodel.itwin_id for imodel in emulator.state.imodels.values()}
    assert [full[imodel.id] for _, imodel in found] == runs
    assert session.stats().in_use == 0


async def test_favorites_and_recents_of_chosen_itwins(emulator: Emulator, session: Session) -> None:
    first, second = list(emulator.state.itwins)[:2]
    for list_all, list_one in (
        (imodels.list_all_favorites, imodels.list_favorites),
        (imodels.list_all_recents, imodels.list_recents),
    ):
        expected = [
            imodel.id
            for one in (second, first)
            for imodel in await list_one(session, one).collect()
        ]
        found = await list_all(session, [second, first]).collect()
        assert [imodel.id for imodel in found] == expected
    every = imodels.list_all_favorites(session, itwins.list_favorites(session), concurrency=2)
    assert len(await every.collect()) >= len(expected)
    assert len(await every.collect()) == len(await every.collect())  # each time from the start


async def test_lists_that_fail_are_noted_with_where_they_go_on(
    emulator: Emulator, session: Session
) -> None:
    ids = list(emulator.state.itwins)
    expected = await imodels.list_all_favorites(session, ids).collect()
    emulator.fail("GET /imodels/favorites", status=500, times=1, after=4)
    walk = aiter(imodels.list_all_favorites(session, ids, page_size=2, errors="collect"))
    found = [imodel.id async for imodel in walk]
    (failure,) = walk.failures
    assert isinstance(failure.error, ServerError)
    assert failure.item in ids
    rest = imodels.list_favorites(session, str(failure.item), cursor=failure.error.cursor)
    found += [imodel.id async for imodel in rest]
    assert sorted(found) == sorted(imodel.id for imodel in expected)
    emulator.fail("GET /imodels/favorites", status=500, times=1, after=4)
    with pytest.raises(ServerError):
        await imodels.list_all_favorites(session, ids, page_size=2).collect()
    await until(lambda: session.stats().in_use == 0)


async def test_a_long_list_is_never_held(canned: CannedServer) -> None:
    """Of each list a page or two, however long it is and however slow its reader."""

    def answer(seen: Seen) -> dict[str, Any]:
        itwin = seen.parameters["iTwinId"]
        number = int(seen.parameters.get("continuationToken") or 0)
        page = [{"id": f"{itwin}/{number}", "displayName": "x"}]
        following = (
            f"{canned.base_url}/imodels/favorites?iTwinId={itwin}&continuationToken={number + 1}"
        )
        return {"iModels": page, "_links": {"next": {"href": following}} if number < 999 else {}}

    canned.respond = answer
    guids = [f"00000000-0000-0000-0000-{number:012d}" for number in range(500)]
    async with Session("t", base_url=canned.base_url) as session:
        walk = aiter(imodels.list_all_favorites(session, guids, concurrency=4))
        for taken in range(1, 30):
            await anext(walk)
            await settle()
            assert len(canned.seen) <= 2 * 5 + taken + 1
        await walk.aclose()
    assert strays() == []


async def test_a_refused_itwin_is_a_failure_of_its_own(canned: CannedServer) -> None:
    bad = "00000000-0000-0000-0000-000000000002"

    def answer(seen: Seen) -> Any:
        if seen.parameters["iTwinId"] == bad:
            return refusal(403)
        return {"iModels": [{"id": seen.parameters["iTwinId"][-1]}]}

    canned.respond = answer
    guids = [f"00000000-0000-0000-0000-{number:012d}" for number in range(5)]
    async with Session("t", base_url=canned.base_url) as session:
        walk = aiter(imodels.list_all_imodels(session, [*guids, "no guid"], errors="collect"))
        assert [imodel.id async for imodel in walk] == ["0", "1", "3", "4"]
    assert [failure.item for failure in walk.failures] == [bad, "no guid"]


@pytest.mark.parametrize("name", ["list_all_imodels", "list_all_favorites", "list_all_recents"])
def test_an_unknown_keyword_is_reported_for_the_function_that_was_called(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        getattr(imodels, name)(Session("t"), cursor="a")
