"""A loop that is left in any way leaves no task, no connection and no warning."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from typing import Any

import pytest
from doubles import Reply, Seen, settle, strays, until
from lists import (
    Desk,
    OpenDesk,
    SkipList,
    Thing,
    ids,
    pager_of,
    skip_listing,
    token_list,
    token_listing,
)

from itwin_async import ConfigurationError, ITwinError, Pager, Session


class Stuck:
    """A list whose pages from one on do not come until they are let go."""

    def __init__(self, inner: Any, start: int) -> None:
        self.inner, self.start, self.count = inner, start, 0
        self.gate = asyncio.Event()

    async def __call__(self, seen: Seen) -> Reply:
        self.count += 1
        if self.count > self.start:
            await self.gate.wait()
        reply = self.inner(seen)
        assert isinstance(reply, Reply)
        return reply


async def rest_is_silence(desk: Desk) -> None:
    await until(lambda: not strays())
    gc.collect()
    # Connections that waited for an answer nobody wants any more were closed, the others reused.
    if isinstance(desk.server.respond, Stuck):
        desk.server.respond.gate.set()
    await until(lambda: desk.server.open_connections <= 1)
    desk.server.respond = token_list(1)
    assert len(await desk.things().collect()) == 1


Options = dict[str, Any]
SHAPES: list[Options] = [
    {"prefetch": 1},
    {"prefetch": 3},
    {"listing": skip_listing(), "concurrency": 4},
]


@pytest.fixture(params=SHAPES, ids=["one ahead", "three ahead", "four at once"])
async def stuck(request: pytest.FixtureRequest, open_desk: OpenDesk) -> tuple[Desk, Pager[Thing]]:
    options = dict(request.param)
    inner = SkipList(40) if "listing" in options else token_list(40)
    desk = await open_desk(Stuck(inner, 1), timeout=30)
    return desk, desk.things(page_size=2, **options)


async def one_ahead(desk: Desk) -> None:
    await until(lambda: len(desk.server.seen) > 1)


async def test_break(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    async for _ in pager:
        await one_ahead(desk)
        break
    await rest_is_silence(desk)


async def test_break_out_of_pages(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    async for _ in pager.pages():
        await one_ahead(desk)
        break
    await rest_is_silence(desk)


async def test_an_exception_in_the_loop(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    with contextlib.suppress(ZeroDivisionError):
        async for _ in pager:
            await one_ahead(desk)
            _ = 1 // 0
    await rest_is_silence(desk)


async def test_dropping_a_walk(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    walk = aiter(pager)
    await anext(walk)
    await one_ahead(desk)
    del walk
    await rest_is_silence(desk)


async def test_closing_a_walk(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    async with contextlib.aclosing(aiter(pager)) as walk:
        await anext(walk)
        await one_ahead(desk)
    assert not strays()
    with pytest.raises(StopAsyncIteration):
        await anext(walk)
    await walk.aclose()
    await rest_is_silence(desk)


async def test_cancelling_the_consumer(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    found: list[Thing] = []

    async def consume() -> None:
        async for thing in pager:
            found.append(thing)  # noqa: PERF401 - what came before it was cancelled

    task = asyncio.create_task(consume())
    await one_ahead(desk)
    await settle()
    assert ids(found) == [0, 1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await rest_is_silence(desk)


async def test_a_walk_goes_on_after_a_timeout(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    walk = aiter(pager)
    assert ids([await anext(walk), await anext(walk)]) == [0, 1]
    await one_ahead(desk)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(walk)
    assert isinstance(desk.server.respond, Stuck)
    desk.server.respond.gate.set()
    assert ids([thing async for thing in walk]) == list(range(2, 40))


async def test_closing_from_another_task_ends_the_walk(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    walk = aiter(pager)
    await anext(walk)
    await anext(walk)
    await one_ahead(desk)
    waiting = asyncio.create_task(anext(walk, Thing("ended")))
    await settle()
    await walk.aclose()
    assert await waiting == Thing("ended")
    with pytest.raises(StopAsyncIteration):
        await anext(walk)
    await rest_is_silence(desk)


async def test_closing_the_session_under_a_walk(stuck: tuple[Desk, Pager[Thing]]) -> None:
    desk, pager = stuck
    walk = aiter(pager)
    assert ids([await anext(walk), await anext(walk)]) == [0, 1]
    await one_ahead(desk)
    await desk.session.close()
    assert not strays()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="closed") as caught:
            await anext(walk)
        assert caught.value.cursor == walk.cursor
    assert isinstance(desk.server.respond, Stuck)
    desk.server.respond.gate.set()
    await until(lambda: desk.server.open_connections == 0)


async def test_closing_the_session_under_a_waiting_consumer(
    stuck: tuple[Desk, Pager[Thing]],
) -> None:
    desk, pager = stuck
    walk = aiter(pager)
    await anext(walk)
    await anext(walk)
    waiting = asyncio.ensure_future(anext(walk))
    await one_ahead(desk)
    await settle()
    await desk.session.close()
    with pytest.raises(ITwinError) as caught:
        await waiting
    assert caught.value.cursor == walk.cursor
    assert not strays()


async def test_a_closed_session_says_so(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(3))
    pager = desk.things()
    await desk.session.close()
    for use in (pager.collect(), pager.first(), anext(aiter(pager)), anext(pager.pages())):
        with pytest.raises(ConfigurationError, match="the session is closed"):
            await use


async def test_views_share_the_tasks(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(9))
    view = desk.session.with_token("other")
    walk = aiter(pager_of(view, token_listing(), page_size=2))
    await anext(walk)
    await until(lambda: len(desk.server.seen) == 2)
    assert {seen.headers["authorization"] for seen in desk.server.seen} == {"Bearer other"}
    await walk.aclose()


async def test_many_walks_at_once(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(20), max_connections=3)

    async def read() -> list[int]:
        return ids([thing async for thing in desk.things(page_size=3)])

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read()) for _ in range(20)]
    assert all(task.result() == list(range(20)) for task in tasks)
    assert desk.server.open_connections <= 3


PROGRAM = """
    import asyncio, contextlib, gc, logging, sys
    import attrs
    from itwin_async import Pager, Session
    from itwin_async.paging import List

    logging.basicConfig(level=logging.WARNING)

    @attrs.frozen
    class Thing:
        id: str

    listing = List(
        operation="tests.things", path="/things", query=(("kind", "odd"),), key="things",
        item=Thing, accept="application/json", headers={}, mode="token",
    )

    async def leave(pager, way, session):
        walk = aiter(pager)
        if way == "break":
            async for _ in pager:
                await asyncio.sleep(0.001)
                break
        elif way == "raise":
            with contextlib.suppress(ZeroDivisionError):
                async for _ in pager:
                    1 / 0
        elif way == "cancel":
            async def consume():
                async for _ in pager:
                    pass
            task = asyncio.create_task(consume())
            await asyncio.sleep(0.001)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        elif way == "close":
            await anext(walk)
            await walk.aclose()
        elif way == "hold":
            await anext(walk)
            return walk
        elif way == "session":
            await anext(walk)
            await session.close()

    async def main(way):
        asyncio.get_running_loop().slow_callback_duration = 3600  # a busy machine is no fault
        async with Session("secret", base_url=sys.argv[1]) as session:
            pager = Pager(session, listing, {'page_size': 2, 'prefetch': 3})
            held = await leave(pager, way, session)
        return held

    for way in ("break", "raise", "cancel", "close", "hold", "session", "never"):
        held = asyncio.run(main(way))
        del held
        gc.collect()

    async def abandon():
        session = Session("secret", base_url=sys.argv[1])
        await session.open()
        walk = aiter(Pager(session, listing, {'page_size': 2}))
        await anext(walk)
        await session.close()
        return walk

    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = 3600
    walk = loop.run_until_complete(abandon())
    loop.close()
    del walk
    gc.collect()
"""


async def test_nothing_is_said_in_development_mode(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(40))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-X", "dev", "-W", "error", "-c", textwrap.dedent(PROGRAM), desk.server.base_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out.decode(), err.decode()) == (0, "", "")
    assert len(desk.server.seen) > 10


async def test_an_async_generator_around_a_walk(open_desk: OpenDesk) -> None:
    desk = await open_desk(Stuck(token_list(9), 1))

    async def names(session: Session) -> AsyncIterator[str]:
        async for thing in pager_of(session, token_listing(), page_size=2):
            yield thing.id

    async with contextlib.aclosing(names(desk.session)) as generator:  # type: ignore[type-var]
        assert await anext(generator) == "0"
        await one_ahead(desk)
    await rest_is_silence(desk)
