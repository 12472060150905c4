from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate

import pytest
from aiohttp import web
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
from hypothesis import given
from hypothesis import strategies as st

from itwin_async import (
    ApiError,
    ArgumentError,
    ITwinError,
    Quota,
    RateLimitError,
    Repeat,
    RetryPolicy,
    ServerError,
    Session,
    Timeout,
    TransportError,
    imodels,
    itwins,
    saved_views,
)
from itwin_async._http.error_mapping import parse_retry_after
from itwin_async.retry import Stop, Wait

Start = Callable[[Handler], Awaitable[RawServer]]

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
TAG = {"tag": {"id": "t1", "displayName": "x"}}


def policy(clock: FakeClock, **options: object) -> RetryPolicy:
    settings: dict[str, object] = {"rng": lambda: 1.0, "now": lambda: 1_700_000_000.0, **options}
    return RetryPolicy(clock=clock, sleep=clock.sleep, **settings)  # type: ignore[arg-type]


OPERATIONS: dict[str, tuple[Callable[[Session], Awaitable[object]], bool]] = {
    "get": (lambda s: s.request("GET", "/x"), True),
    "put": (lambda s: s.request("PUT", "/x"), True),
    "delete": (lambda s: s.request("DELETE", "/x"), True),
    "post": (lambda s: s.request("POST", "/x"), False),
    "patch": (lambda s: s.request("PATCH", "/x"), False),
    "post that is safe": (lambda s: s.request("POST", "/x", repeat=Repeat.SAFE), True),
    "put that is not": (lambda s: s.request("PUT", "/x", repeat=Repeat.UNSAFE), False),
    "imodels.add_favorite": (lambda s: imodels.add_favorite(s, GUID), True),
    "imodels.remove_favorite": (lambda s: imodels.remove_favorite(s, GUID), True),
    "imodels.add_recent": (lambda s: imodels.add_recent(s, GUID), True),
    "imodels.remove_recent": (lambda s: imodels.remove_recent(s, GUID), True),
    "itwins.add_favorite": (lambda s: itwins.add_favorite(s, GUID), True),
    "itwins.remove_favorite": (lambda s: itwins.remove_favorite(s, GUID), True),
    "itwins.add_recent": (lambda s: itwins.add_recent(s, GUID), True),
    "saved_views.create_tag": (lambda s: saved_views.create_tag(s, "x"), False),
    "saved_views.get_tag": (lambda s: saved_views.get_tag(s, "t1"), True),
    "saved_views.delete_tag": (lambda s: saved_views.delete_tag(s, "t1"), True),
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


@each_operation
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_are_repeated_where_that_is_safe(
    canned: CannedServer, clock: FakeClock, name: str, status: int
) -> None:
    call, safe = OPERATIONS[name]
    canned.script(status, status, TAG)
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        if safe:
            await call(session)
        else:
            with pytest.raises(ServerError):
                await call(session)
    assert len(canned.seen) == (3 if safe else 1)


@each_operation
async def test_429_is_repeated_always(canned: CannedServer, clock: FakeClock, name: str) -> None:
    call, _ = OPERATIONS[name]
    canned.script(refusal(429, retry_after="7"), refusal(429, retry_after="7"), TAG)
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        await call(session)
    assert len(canned.seen) == 3
    assert clock.now >= 1000 + 14


@each_operation
async def test_lost_connections_are_repeated_where_that_is_safe(
    raw_server: Start, clock: FakeClock, name: str
) -> None:
    call, safe = OPERATIONS[name]

    async def lose_two(exchange: Exchange) -> None:
        if exchange.number <= 2:
            exchange.close()
        else:
            await exchange.reply(b'{"tag":{"id":"t1","displayName":"x"}}')

    server = await raw_server(lose_two)
    async with Session("t", base_url=server.base_url, retry=policy(clock)) as session:
        if safe:
            await call(session)
        else:
            with pytest.raises(TransportError) as caught:
                await call(session)
            assert caught.value.sent
    assert len(server.requests) == (3 if safe else 1)


@each_operation
async def test_timeouts_are_repeated_where_that_is_safe(
    raw_server: Start, clock: FakeClock, name: str
) -> None:
    call, safe = OPERATIONS[name]

    async def hang_once(exchange: Exchange) -> None:
        if exchange.number == 1:
            skip_time(31)
            await asyncio.sleep(1000)
        await exchange.reply(b'{"tag":{"id":"t1","displayName":"x"}}')

    server = await raw_server(hang_once)
    timeout = Timeout(attempt=30)
    async with Session(
        "t", base_url=server.base_url, retry=policy(clock), timeout=timeout
    ) as session:
        if safe:
            await call(session)
        else:
            with pytest.raises(TransportError) as caught:
                await call(session)
            assert caught.value.timeout
            assert caught.value.sent
    assert len(server.requests) == (2 if safe else 1)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 415, 418, 422])
async def test_refusals_are_final(canned: CannedServer, clock: FakeClock, status: int) -> None:
    canned.script(status)
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        with pytest.raises(ApiError) as caught:
            await session.request("GET", "/x")
    assert caught.value.status == status
    assert len(canned.seen) == 1


async def test_the_backoff_doubles_up_to_its_cap(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(500)
    retry = policy(clock, retries=6, base=1.0, cap=10.0)
    async with Session("t", base_url=canned.base_url, retry=retry) as session:
        with pytest.raises(ServerError):
            await session.request("GET", "/x")
    assert clock.sleeps == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_no_retries(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(500)
    async with Session("t", base_url=canned.base_url, retry=policy(clock, retries=0)) as session:
        with pytest.raises(ServerError):
            await session.request("GET", "/x")
    assert len(canned.seen) == 1


@pytest.mark.parametrize("lost", ["cut", "503"])
async def test_a_deletion_whose_answer_was_lost_is_done_when_nothing_is_left(
    raw_server: Start, clock: FakeClock, lost: str
) -> None:
    async def answer(exchange: Exchange) -> None:
        if exchange.number > 1:
            await exchange.reply(status=404)
        elif lost == "503":
            await exchange.reply(status=503)
        else:
            exchange.close()

    server = await raw_server(answer)
    async with Session("t", base_url=server.base_url, retry=policy(clock)) as session:
        answer_ = await session.request("DELETE", "/x")
        assert answer_.status == 204
        with pytest.raises(ApiError):
            await session.request("DELETE", "/x")


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("3", 3, 3.25),
        ("3.5", 3.5, 3.75),
        (" 3 ", 3, 3.25),
        (formatdate(1_700_000_005, usegmt=True), 5, 5.25),
        ("Tue, 14 Nov 2023 22:13:25 -0000", 5, 5.25),
        (formatdate(1_600_000_000, usegmt=True), 0.25, 0.5),
        ("-5", 0.25, 0.5),
        ("0", 0.25, 0.5),
        (None, 0.25, 0.5),
        ("soon", 0.25, 0.5),
        ("1e3", 0.25, 0.5),
        ("nan", 0.25, 0.5),
        ("", 0.25, 0.5),
    ],
)
async def test_retry_after(
    canned: CannedServer, clock: FakeClock, header: str | None, least: float, most: float
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    canned.script(refusal(429, **headers), {})
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        await session.request("GET", "/x")
    assert least <= clock.now - 1000 <= most + 0.001


@pytest.mark.parametrize("header", ["99999999", "9" * 400, "3600", "Fri, 31 Dec 9999 23:59:59 GMT"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_beyond_reason_is_left_to_the_caller(
    canned: CannedServer, clock: FakeClock, header: str, status: int
) -> None:
    canned.script(refusal(status, retry_after=header))
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        with pytest.raises(ApiError) as caught:
            await session.request("GET", "/x")
    assert caught.value.retry_after is not None
    assert 3600 <= caught.value.retry_after <= 10 * 365 * 86400
    assert clock.sleeps == []
    assert len(canned.seen) == 1


@given(st.one_of(st.text(max_size=60), st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+.*")))
def test_no_header_breaks_the_parser(text: str) -> None:
    seconds = parse_retry_after(text, 1_700_000_000.0)
    assert seconds is None or 0 <= seconds <= 10 * 365 * 86400


@given(
    st.floats(0, 1, exclude_max=True), st.floats(0, 200), st.integers(1, 20), st.integers(1, 2000)
)
def test_decisions_are_bounded(chance: float, asked: float, failures: int, refusals: int) -> None:
    rules = RetryPolicy(rng=lambda: chance)
    error = RateLimitError("m", status=429, retry_after=asked)
    decision = rules.decide(error, repeat=Repeat.UNSAFE, failures=failures, rate_limited=refusals)
    if isinstance(decision, Stop):
        assert refusals > rules.rate_limit_retries or asked > rules.max_retry_after
    else:
        assert isinstance(decision, Wait)
        assert asked <= decision.seconds <= max(asked + 0.25, rules.cap)


@pytest.mark.parametrize(
    "options",
    [{"retries": -1}, {"retries": True}, {"retries": 1.5}, {"base": -1}, {"cap": "5"},
     {"max_retry_after": float("nan")}, {"rate_limit_retries": None}],
)  # fmt: skip
def test_policies_that_cannot_work(options: dict[str, int]) -> None:
    with pytest.raises(ArgumentError):
        RetryPolicy(**options)  # type: ignore[arg-type]


async def test_the_deadline_bounds_all_attempts(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(503)
    retry = policy(clock, retries=100, base=4.0, cap=4.0)
    async with Session("t", base_url=canned.base_url, retry=retry, timeout=10) as session:
        with pytest.raises(ServerError):
            await session.request("GET", "/x")
        assert len(canned.seen) == 3
        assert clock.now - 1000 <= 10
        with pytest.raises(ServerError):
            await session.request("GET", "/x", timeout=3)
    assert len(canned.seen) == 4


async def test_the_deadline_bounds_a_single_attempt(raw_server: Start) -> None:
    async def hang(_: Exchange) -> None:
        skip_time(31)
        await asyncio.sleep(1000)

    server = await raw_server(hang)
    retry = RetryPolicy(clock=lambda: asyncio.get_running_loop().time())
    async with Session("t", base_url=server.base_url, retry=retry, timeout=30) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert caught.value.timeout
    assert caught.value.sent
    assert len(server.requests) == 1


async def test_the_caller_gets_the_429_and_not_a_hang_where_the_deadline_is_nearer(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(refusal(429, retry_after="60"))
    async with Session("t", base_url=canned.base_url, retry=policy(clock), timeout=30) as session:
        with pytest.raises(RateLimitError) as caught:
            await session.request("GET", "/x")
    assert caught.value.retry_after == 60
    assert clock.sleeps == []


async def test_waiting_for_a_connection_is_not_counted_as_an_attempt(
    canned: CannedServer,
) -> None:
    async def slow(_: Seen) -> Answer:
        await settle()
        skip_time(3)
        return {}

    canned.respond = slow
    timeout = Timeout(attempt=30)
    async with Session(
        "t", base_url=canned.base_url, max_connections=2, timeout=timeout
    ) as session:
        await asyncio.gather(*(session.request("POST", "/x") for _ in range(20)))
    assert len(canned.seen) == 20
    assert canned.most_active == 2


async def test_waiting_for_a_connection_counts_for_the_deadline(canned: CannedServer) -> None:
    gate = asyncio.Event()

    async def slow(_: Seen) -> Answer:
        await gate.wait()
        return {}

    canned.respond = slow
    async with Session("t", base_url=canned.base_url, max_connections=1) as session:
        first = asyncio.create_task(session.request("GET", "/x"))
        await until(lambda: canned.seen)
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x", timeout=0.05)
        gate.set()
        await first
        assert not caught.value.sent
        assert caught.value.timeout
        await session.request("GET", "/x")  # the place of the one that gave up is not lost


@pytest.mark.parametrize("failure", [refusal(429, retry_after="5"), refusal(503)])
async def test_a_call_that_waits_holds_no_connection(
    canned: CannedServer, failure: web.Response
) -> None:
    clock = FakeClock(auto=False)
    busy = asyncio.Event()

    async def respond(seen: Seen) -> Answer:
        if seen.target == "/sick" and not busy.is_set():
            busy.set()
            return failure
        return {}

    canned.respond = respond
    options = {"retry": policy(clock), "max_connections": 1}
    async with Session("t", base_url=canned.base_url, **options) as session:  # type: ignore[arg-type]
        sick = asyncio.create_task(session.request("GET", "/sick"))
        await until(lambda: clock.sleeps)
        other = asyncio.create_task(session.request("GET", "/other"))
        if failure.status == 503:
            await other
            assert not sick.done()
        await clock.advance(60)
        await asyncio.gather(sick, other)


async def test_a_429_holds_the_whole_session(canned: CannedServer) -> None:
    clock = FakeClock(auto=False)
    times: list[float] = []

    async def respond(seen: Seen) -> Answer:
        times.append(clock.now)
        return refusal(429, retry_after="30") if len(times) == 1 else {}

    canned.respond = respond
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        view = session.with_token("other")
        first = asyncio.create_task(session.request("GET", "/first"))
        await until(lambda: clock.sleeps)
        rest = [
            asyncio.create_task(one.request("GET", "/rest"))
            for one in [session, view]
            for _ in range(50)
        ]
        await settle()
        await clock.advance(29.9)
        await asyncio.sleep(0.02)
        assert len(times) == 1
        pump = asyncio.create_task(_pump(clock))
        await asyncio.gather(first, *rest)
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
    assert len(times) == 102
    assert min(times[1:]) >= 1030


async def test_a_429_that_its_own_call_cannot_wait_for_holds_the_others(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(refusal(429, retry_after="60"), {})
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        with pytest.raises(RateLimitError):
            await session.request("GET", "/x", timeout=30)
        with pytest.raises(RateLimitError) as held:
            await session.request("GET", "/x", timeout=30)
        assert held.value.retry_after == pytest.approx(60, abs=1)
        assert len(canned.seen) == 1
        await session.request("GET", "/x", timeout=90)
    assert clock.now >= 1060
    assert len(canned.seen) == 2


async def test_a_quota_is_kept_when_calls_wait_for_connections_too(canned: CannedServer) -> None:
    clock = FakeClock(auto=False)
    gate, times = asyncio.Event(), list[float]()

    async def stall(_: Seen) -> Answer:
        times.append(clock.now)
        await gate.wait()
        return {}

    canned.respond = stall
    quota = Quota(10, per_seconds=10, burst=1)
    async with Session(
        "t", base_url=canned.base_url, retry=policy(clock), quota=quota, max_connections=2
    ) as session:
        calls = [asyncio.create_task(session.request("GET", "/x")) for _ in range(12)]
        await settle()
        await clock.advance(30)
        await until(lambda: len(times) == 2)
        gate.set()
        pump = asyncio.create_task(_pump(clock))
        await asyncio.gather(*calls)
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
    assert len(times) == 12
    assert all(sum(first <= time < first + 9.9 for time in times) <= 10 for first in times)
    assert times[-1] - times[2] >= 9 * 0.99


async def _pump(clock: FakeClock) -> None:
    while True:
        await clock.advance(0.05)
        await asyncio.sleep(0.001)


async def test_a_quota_and_a_deadline(canned: CannedServer, clock: FakeClock) -> None:
    quota = Quota(1, per_seconds=100, burst=1)
    async with Session(
        "t", base_url=canned.base_url, retry=policy(clock), quota=quota, timeout=50
    ) as session:
        await session.request("GET", "/x")
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert caught.value.timeout
    assert not caught.value.sent
    assert len(canned.seen) == 1


async def test_events(canned: CannedServer, clock: FakeClock) -> None:
    events: list[object] = []
    canned.script(503, {"a": 1})
    async with Session(
        "t", base_url=canned.base_url, retry=policy(clock), observers=[events.append]
    ) as session:
        answer = await session.request("GET", "/x?secret=1")
    shown = repr(events)
    assert [type(event).__name__ for event in events] == [
        "AttemptFinished",
        "WaitScheduled",
        "AttemptFinished",
    ]
    assert shown.count(answer.request_id) == 3
    assert "secret" not in shown


async def test_an_error_keeps_what_the_last_attempt_said(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(500, 502, refusal(503, "Busy"))
    async with Session("t", base_url=canned.base_url, retry=policy(clock)) as session:
        with pytest.raises(ITwinError, match="503 Busy"):
            await session.request("GET", "/x")
    assert len(canned.seen) == 5
