from __future__ import annotations

import asyncio
import gc
import sys
import textwrap
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress

import aiohttp
import pytest
from doubles import (
    Answer,
    CannedServer,
    Exchange,
    FakeClock,
    Handler,
    RawServer,
    Seen,
    refusal,
    settle,
    skip_time,
    until,
)

from itwin_async import (
    ConfigurationError,
    ITwinError,
    RetryPolicy,
    Session,
    Timeout,
    TransportError,
    imodels,
    itwins,
)

Start = Callable[[Handler], Awaitable[RawServer]]

ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"


async def hang(_: Seen) -> Answer:
    await asyncio.sleep(100)
    return {}


async def test_a_session_that_was_never_opened(canned: CannedServer) -> None:
    asked: list[int] = []

    async def source() -> str:
        asked.append(1)
        return "t"

    for token in ("t", source):
        session = Session(token, base_url=canned.base_url)
        assert session.closed
        with pytest.raises(ConfigurationError, match=r"not open.*async with"):
            await session.request("GET", "/x")
        with pytest.raises(ConfigurationError, match="not open"):
            await session.with_token("u").request("GET", "/x")
        with pytest.raises(ConfigurationError, match="not open"):
            await imodels.list_favorites(session, ITWIN)
    assert asked == []
    assert canned.seen == []


async def test_a_closed_session(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        view = session.with_token("u")
        assert not view.closed
    assert session.closed
    assert view.closed
    for one in (session, view, session.with_token("v")):
        with pytest.raises(ConfigurationError, match="closed"):
            await one.request("GET", "/x")
    await session.close()
    await view.close()
    assert "closed" in repr(session)


async def test_a_session_cannot_be_opened_twice_at_once(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ConfigurationError, match="open already"):
            await session.open()
        await session.request("GET", "/x")


async def test_a_session_can_be_opened_again(canned: CannedServer) -> None:
    session = Session("t", base_url=canned.base_url)
    for _ in range(2):
        async with session:
            await session.request("GET", "/x")
    assert len(canned.seen) == 2


async def test_a_connector_cannot_be_used_again(canned: CannedServer) -> None:
    connector = aiohttp.TCPConnector()
    session = Session("t", base_url=canned.base_url, connector=connector)
    async with session:
        await session.request("GET", "/x")
    with pytest.raises(ConfigurationError, match=r"connector.*closed"):
        await session.open()


async def test_views_need_no_closing_and_close_nothing(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        async with session.with_token("u") as view:
            await view.request("GET", "/x")
        await view.request("GET", "/x")
        await session.request("GET", "/x")
    with pytest.raises(ConfigurationError):
        await view.open()
    assert [seen.token for seen in canned.seen] == ["u", "u", "t"]


async def test_views_are_small(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        count = 2000
        views: list[Session | None] = [None] * count
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for index in range(count):
                views[index] = session.with_token("a-token-of-a-user")
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert grown / count < 2000


async def test_another_loop_is_told_so(canned: CannedServer) -> None:
    canned.respond = hang
    async with Session("t", base_url=canned.base_url, max_connections=1) as session:

        async def use() -> None:
            with pytest.raises(ConfigurationError, match="another event loop"):
                await session.request("GET", "/x", timeout=1)

        await asyncio.to_thread(asyncio.run, use())
        busy = asyncio.create_task(session.request("GET", "/x"))
        await until(lambda: canned.seen)
        await asyncio.to_thread(asyncio.run, use())
        busy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await busy


async def test_a_session_may_live_in_one_loop_after_the_other(canned: CannedServer) -> None:
    answers = iter([refusal(429, retry_after="0.1"), {}] * 2)

    async def respond(seen: Seen) -> Answer:
        return next(answers) if seen.target == "/first" else {}

    canned.respond = respond
    session = Session("t", base_url=canned.base_url)

    async def use() -> None:
        async with session:
            first = asyncio.create_task(session.request("GET", "/first"))
            await asyncio.sleep(0.05)
            await asyncio.gather(*(session.request("GET", "/x") for _ in range(5)), first)

    for _ in range(2):
        await asyncio.to_thread(asyncio.run, use())
    assert len(canned.seen) == 14


async def test_two_sessions_in_two_loops_at_once(canned: CannedServer) -> None:
    async def use(name: str) -> None:
        async with Session(name, base_url=canned.base_url) as session:
            await asyncio.gather(*(session.request("GET", "/x") for _ in range(20)))

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, use(name)) for name in ("a", "b")))
    assert sorted(seen.token for seen in canned.seen) == ["a"] * 20 + ["b"] * 20


async def test_a_borrowed_session_stays_open(canned: CannedServer) -> None:
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}) as http:
        async with Session("t", base_url=canned.base_url, client_session=http) as session:
            await session.request("GET", "/x")
        assert not http.closed
        async with http.get(canned.base_url) as answer:
            assert answer.status == 200
    ours, theirs = canned.seen
    assert ours.headers["X-Mine"] == "1"
    assert ours.headers["User-Agent"].startswith("itwin-async/")
    assert ours.token == "t"
    assert theirs.token == ""


async def test_a_borrowed_session_that_was_closed(canned: CannedServer) -> None:
    http = aiohttp.ClientSession()
    async with Session("t", base_url=canned.base_url, client_session=http) as session:
        await http.close()
        with pytest.raises(ConfigurationError, match="client_session is closed"):
            await session.request("GET", "/x")


async def test_settings_of_a_borrowed_session_are_its_owner_s() -> None:
    async with aiohttp.ClientSession() as http:
        for options in (
            {"connector": http.connector},
            {"trace_configs": [aiohttp.TraceConfig()]},
            {"trust_env": True},
        ):
            with pytest.raises(ConfigurationError, match="client_session"):
                Session("t", client_session=http, **options)  # type: ignore[arg-type]


async def test_a_borrowed_session_with_few_connections(canned: CannedServer) -> None:
    async def slow(_: Seen) -> Answer:
        await settle()
        skip_time(3)
        return {}

    canned.respond = slow
    connector = aiohttp.TCPConnector(limit=2)
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        Session(
            "t", base_url=canned.base_url, client_session=http, timeout=Timeout(attempt=30)
        ) as session,
    ):
        await asyncio.gather(*(session.request("POST", "/x") for _ in range(20)))
    assert len(canned.seen) == 20


@pytest.mark.parametrize("borrowed", [False, True])
async def test_closing_ends_what_is_under_way(canned: CannedServer, borrowed: bool) -> None:
    canned.respond = hang
    http = aiohttp.ClientSession() if borrowed else None
    retry = RetryPolicy(base=100, rng=lambda: 1.0)
    session = Session("t", base_url=canned.base_url, client_session=http, retry=retry)
    await session.open()
    sent = [asyncio.create_task(session.request("GET", "/x")) for _ in range(3)]
    await until(lambda: len(canned.seen) == 3)
    await session.close()
    results = await asyncio.wait_for(asyncio.gather(*sent, return_exceptions=True), 60)
    for result in results:
        assert isinstance(result, TransportError)
        assert "session was closed" in str(result)
        assert result.sent
    if http is not None:
        await http.close()


async def test_closing_ends_those_that_wait(canned: CannedServer) -> None:
    canned.respond = hang
    session = Session("t", base_url=canned.base_url, max_connections=1)
    await session.open()
    first = asyncio.create_task(session.request("GET", "/x"))
    await until(lambda: canned.seen)
    rest = [asyncio.create_task(session.request("GET", "/x")) for _ in range(3)]
    await settle()
    await session.close()
    results = await asyncio.wait_for(asyncio.gather(first, *rest, return_exceptions=True), 60)
    assert isinstance(results[0], TransportError)
    assert all(isinstance(result, ConfigurationError) for result in results[1:])
    assert len(canned.seen) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_closing_ends_those_that_will_try_again(canned: CannedServer, status: int) -> None:
    canned.script(refusal(status, retry_after="60"))
    session = Session("t", base_url=canned.base_url)
    await session.open()
    tasks = [asyncio.create_task(session.request("GET", "/x")) for _ in range(3)]
    await until(lambda: len(canned.seen) == 3 and not canned.active)
    await settle()
    await session.close()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
    assert all(isinstance(result, ConfigurationError) for result in results)


async def test_closing_while_a_name_is_looked_up(canned: CannedServer) -> None:
    asked = asyncio.Event()

    class Slow(aiohttp.abc.AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[object]:  # type: ignore[override]
            asked.set()
            await asyncio.sleep(1000)
            return []

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=Slow())
    base = canned.base_url.replace("127.0.0.1", "localhost")
    session = Session("t", base_url=base, connector=connector)
    await session.open()
    task = asyncio.create_task(session.request("GET", "/x"))
    await asked.wait()
    await session.close()
    result = (await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 60))[0]
    assert isinstance(result, ITwinError)


async def test_a_close_that_is_cancelled_closes_all_the_same(canned: CannedServer) -> None:
    session = Session("t", base_url=canned.base_url)
    await session.open()
    http = session._internals.client.ready().http

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(100)
        await asyncio.sleep(0.05)

    task = session._internals.client.spawn(stubborn())
    await settle()
    closing = asyncio.create_task(session.close())
    await settle()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert http.closed
    await asyncio.gather(task, return_exceptions=True)


async def test_a_task_of_the_session_may_close_it(canned: CannedServer) -> None:
    session = Session("t", base_url=canned.base_url)
    await session.open()
    await asyncio.wait_for(session._internals.client.spawn(session.close()), 60)
    assert session.closed


async def test_a_timeout_of_the_caller_is_not_taken_for_ours(canned: CannedServer) -> None:
    canned.respond = hang
    async with Session(
        "t", base_url=canned.base_url, timeout=Timeout(attempt=0.05), retry=RetryPolicy(base=0.01)
    ) as session:
        for shift in (-0.0005, 0.0, 0.0005):
            loop = asyncio.get_running_loop()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout_at(loop.time() + 0.05 + shift):
                    await session.request("GET", "/x")
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0


async def test_a_cancellation_in_the_same_instant_as_the_timeout_wins(
    canned: CannedServer,
) -> None:
    canned.respond = hang
    async with Session("t", base_url=canned.base_url, timeout=Timeout(attempt=0.05)) as session:
        for first in (True, False):
            before = len(canned.seen)
            task = asyncio.create_task(session.request("GET", "/x"))
            await until(lambda before=before: len(canned.seen) > before)  # type: ignore[misc]
            watch = session._internals.client.ready().deadlines
            if first:
                task.cancel()
            watch._cancel(task)  # type: ignore[arg-type]
            if not first:
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


class Steps:
    """Drives a coroutine and throws a cancellation at its n-th pause."""

    def __init__(self, work: Coroutine[object, object, object], at: int) -> None:
        self.work, self.at, self.count, self.hit = work, at, 0, False

    def __await__(self) -> Generator[object, object, object]:
        value = None
        while True:
            try:
                waiting = self.work.send(value)
            except StopIteration as done:
                return done.value
            if self.count == self.at:
                self.hit = True
                asyncio.current_task().cancel()  # type: ignore[union-attr]
            self.count += 1
            try:
                value = yield waiting
            except BaseException as error:  # noqa: BLE001 - handed on to whom it belongs
                self.work.throw(error)
                raise AssertionError("a cancellation was swallowed") from None


async def test_a_cancellation_anywhere_leaves_nothing(clock: FakeClock) -> None:
    async def respond(seen: Seen) -> Answer:
        respond.count += 1  # type: ignore[attr-defined]
        script: list[Answer] = [refusal(401), refusal(503), refusal(429, retry_after="1"), {}]
        return script[min(respond.count, 3)]  # type: ignore[attr-defined]

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        await asyncio.sleep(0.002)

    class Provider:
        number = 1

        async def get_token(self) -> str:
            await asyncio.sleep(0)
            return f"t{self.number}"

        def invalidate(self, _: str) -> None:
            self.number += 1

    policy = RetryPolicy(clock=clock, sleep=sleep)
    for at in range(200):
        async with CannedServer() as server:
            respond.count = -1  # type: ignore[attr-defined]
            server.respond = respond
            async with Session(
                Provider(), base_url=server.base_url, retry=policy, max_connections=1
            ) as session:
                steps = Steps(session.request("GET", "/x"), at)

                async def drive(steps: Steps = steps) -> object:
                    return await steps

                task = asyncio.create_task(drive())
                await asyncio.wait([task])
                deadlines = session._internals.client.ready().deadlines
                assert not deadlines._running
                assert not deadlines._late
                respond.count = 3  # type: ignore[attr-defined]
                clock.now += 100
                assert (await session.request("GET", "/after")).status == 200
        if not steps.hit:
            assert task.result() is not None
            break
        assert task.cancelled()
    assert 8 < at < 199


async def test_cancelled_requests_close_their_connections(raw_server: Start) -> None:
    async def stall(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
        while True:  # until nobody reads
            await exchange.send(b"a")
            await asyncio.sleep(0.001)

    server = await raw_server(stall)
    async with Session("t", base_url=server.base_url) as session:
        task = asyncio.create_task(session.request("GET", "/x"))
        await until(lambda: server.requests)
        await settle()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not server.open_connections)


async def test_nobody_refers_to_a_closed_session(canned: CannedServer) -> None:
    import weakref

    async def use() -> weakref.ref[Session]:
        async with Session("t", base_url=canned.base_url) as session:
            await asyncio.gather(*(session.request("GET", "/x") for _ in range(3)))
            async for _ in itwins.list_favorites(session).pages():
                break
            return weakref.ref(session)

    canned.script({"iTwins": [], "_links": {}})
    left = await use()
    gc.collect()
    assert left() is None


SCRIPTS = {
    "break": "async for item in itwins.list_favorites(s, page_size=2):\n    break",
    "exception": """
        try:
            async for item in itwins.list_favorites(s, page_size=2):
                raise KeyError
        except KeyError:
            pass""",
    "cancel": """
        async def walk():
            async for item in itwins.list_favorites(s, page_size=1):
                await asyncio.sleep(0.001)
        task = asyncio.create_task(walk())
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)""",
    "dropped walk": "walk = aiter(itwins.list_favorites(s, page_size=1))\nawait anext(walk)",
    "unused pager": "itwins.list_favorites(s)",
    "cancelled request": """
        task = asyncio.create_task(s.request("GET", "/itwins/favorites"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)""",
    "abandoned task": """
        await asyncio.wait([asyncio.create_task(s.request("GET", "/itwins/favorites"))])""",
    "timeout": """
        try:
            await s.request("GET", "/itwins/favorites", timeout=0.0001)
        except Exception:
            pass""",
    "closed early": """
        task = asyncio.create_task(s.request("GET", "/itwins/favorites"))
        await asyncio.sleep(0)
        await s.close()
        await asyncio.gather(task, return_exceptions=True)""",
    "never opened": "from itwin_async import Session\nSession('x').with_token('y')",
}

FRAME = """
import asyncio, gc
from itwin_async import Session, itwins
from itwin_async.emulator import Emulator

async def use(s):
{body}

async def main():
    asyncio.get_running_loop().slow_callback_duration = 3600  # a busy machine is no fault
    async with Emulator() as emulator:
        async with Session(emulator.token, base_url=emulator.base_url) as s:
            await use(s)
            gc.collect()
            await asyncio.sleep(0.02)
    gc.collect()

asyncio.run(main(), debug=True)
gc.collect()
"""


@pytest.mark.parametrize("name", SCRIPTS)
async def test_programs_end_in_silence(name: str) -> None:
    body = textwrap.indent(textwrap.dedent(SCRIPTS[name]).strip("\n"), "    ")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-X", "dev", "-W", "error", "-c", FRAME.format(body=body),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
