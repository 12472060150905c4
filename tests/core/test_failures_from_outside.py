"""What callers, observers, providers and collectors do wrong must not harm others."""

from __future__ import annotations

import asyncio
import gc
import math
from typing import Any

import aiohttp
import attrs
import pytest
from doubles import Answer, CannedServer, FakeClock, Seen, refusal, until

from itwin_async import (
    ArgumentError,
    ITwinError,
    Quota,
    RateLimitError,
    RetryPolicy,
    Session,
    Timeout,
    TransportError,
    bulk,
    imodels,
    itwins,
)
from itwin_async.events import Event
from itwin_async.operations import Api

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"


def token_pages(count: int) -> Any:
    async def respond(seen: Seen) -> Answer:
        at = int(seen.target.partition("$continuationToken=")[2] or 0)
        href = f"/imodels/favorites?iTwinId={GUID}&$continuationToken={at + 1}"
        links = {"next": {"href": href}} if at + 1 < count else {}
        return {"iModels": [{"id": f"i{at}"}], "_links": links}

    return respond


@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_an_observer_that_fails_harms_nothing(
    canned: CannedServer, caplog: pytest.LogCaptureFixture, prefetch: int, at: int
) -> None:
    canned.respond = token_pages(5)
    events: list[Event] = []

    def observer(event: Event) -> None:
        events.append(event)
        if len(events) == at:
            raise RuntimeError("the metrics backend is away")

    async with Session("t", base_url=canned.base_url, observers=[observer]) as session:
        pager = imodels.list_favorites(session, GUID, prefetch=prefetch)
        assert [one.id for one in await pager.collect()] == ["i0", "i1", "i2", "i3", "i4"]
    assert len(events) == 5
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "RuntimeError" in caplog.text


async def test_a_foreign_error_while_a_page_is_prefetched_is_raised_once(
    canned: CannedServer,
) -> None:
    canned.respond = token_pages(4)
    calls = 0

    async def fail_once(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ZeroDivisionError

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(fail_once)
    async with Session("t", base_url=canned.base_url, trace_configs=[trace]) as session:
        items, found, errors = aiter(imodels.list_favorites(session, GUID)), [], 0
        while errors < 3:
            try:
                found.append((await anext(items)).id)
            except ZeroDivisionError:
                errors += 1
            except StopAsyncIteration:
                break
    assert (found, errors) == (["i0", "i1", "i2", "i3"], 1)


async def test_iterators_may_be_collected_in_another_thread(canned: CannedServer) -> None:
    asked, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.set_debug(True)  # notices calls from another thread

    async def respond(seen: Seen) -> Answer:
        if len(canned.seen) > 1:
            asked.set()
            await asyncio.sleep(100)
        return await token_pages(3)(seen)

    canned.respond = respond
    async with Session("t", base_url=canned.base_url) as session:
        gc.collect()
        gc.disable()
        try:
            pages = imodels.list_favorites(session, GUID).pages()
            await anext(pages)
            circle: list[Any] = [pages]
            circle.append(circle)
            del pages, circle
            await asked.wait()
            assert await asyncio.to_thread(gc.collect)
            await until(lambda: not session._internals.client.tasks)
        finally:
            gc.enable()
            loop.set_debug(False)


class Rotating:
    """Gives a new token after each one that was refused; the first answer may be held back."""

    def __init__(self) -> None:
        self.number = 1
        self.held = asyncio.Event()
        self.slow = True
        self.told: list[str] = []

    async def get_token(self) -> str:
        if self.slow:
            self.slow = False
            await self.held.wait()
        return f"token-{self.number}"

    def invalidate(self, token: str) -> None:
        self.told.append(token)
        if token == f"token-{self.number}":
            self.number += 1


async def test_a_token_that_came_out_of_a_renewal_can_be_renewed_too(canned: CannedServer) -> None:
    good = {"/first": {"token-3"}, "/second": {"token-2", "token-3"}}

    async def respond(seen: Seen) -> Answer:
        return 204 if seen.token in good[seen.target] else 401

    canned.respond = respond
    provider = Rotating()
    async with Session(provider, base_url=canned.base_url) as session:
        first = asyncio.create_task(session.request("GET", "/first"))
        await until(lambda: not provider.slow)
        await session.request("GET", "/second")
        provider.held.set()
        await first
    assert provider.told == ["token-1", "token-2"]


@pytest.mark.parametrize("connections", [1, 5, 100])
async def test_tokens_with_short_lives_under_load(canned: CannedServer, connections: int) -> None:
    """Each token is good for a few calls; the provider knows no more than what was refused."""
    uses: dict[str, int] = {}

    async def respond(seen: Seen) -> Answer:
        uses[seen.token] = uses.get(seen.token, 0) + 1
        await asyncio.sleep(0)
        return 204 if uses[seen.token] <= 150 else 401

    canned.respond = respond
    provider = Rotating()
    provider.slow = False
    async with Session(provider, base_url=canned.base_url, max_connections=connections) as session:
        report = await bulk.each(
            lambda session, number: session.request("PUT", f"/x/{number}"),
            session,
            range(600),
            concurrency=100,
        )
    assert (report.done, report.failures) == (600, [])


async def test_what_a_provider_waits_for_may_be_cancelled(canned: CannedServer) -> None:
    renewal = asyncio.get_running_loop().create_future()

    async def source() -> str:
        return str(await renewal)

    async with Session(source, base_url=canned.base_url) as session:
        call = asyncio.create_task(session.request("GET", "/x"))
        await asyncio.sleep(0)
        renewal.cancel()
        with pytest.raises(TransportError) as caught:
            await call
    assert not caught.value.sent
    assert not call.cancelled()


async def test_a_borrowed_session_that_its_owner_closes(canned: CannedServer) -> None:
    async def respond(_: Seen) -> Answer:
        await asyncio.sleep(100)
        return 204

    canned.respond = respond
    async with (
        aiohttp.ClientSession() as http,
        Session("t", base_url=canned.base_url, client_session=http) as session,
    ):
        call = asyncio.create_task(session.request("GET", "/x"))
        await until(lambda: canned.seen)
        await http.close()
        with pytest.raises(ITwinError):
            await call
        assert not call.cancelled()


async def test_an_untrusted_certificate_is_told_with_the_setting_that_helps(
    tls_server: str,
) -> None:
    async with Session("t", base_url=tls_server) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    text = str(caught.value)
    assert tls_server.removeprefix("https://") in text
    assert "ssl=" in text
    assert not caught.value.sent
    assert not caught.value.retryable


async def test_a_wrong_fingerprint(tls_server: str) -> None:
    pinned = aiohttp.Fingerprint(b"0" * 32)
    async with Session("t", base_url=tls_server, ssl=pinned) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert "fingerprint" in str(caught.value)
    assert not caught.value.retryable


async def test_a_host_that_is_not_known(clock: FakeClock) -> None:
    policy = RetryPolicy(clock=clock, sleep=clock.sleep, retries=1)
    async with Session("t", base_url="https://nobody.invalid", retry=policy) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert "nobody.invalid" in str(caught.value)
    assert not caught.value.sent


async def test_a_hold_of_one_user_is_no_time_out_of_another(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(refusal(429, retry_after="60"), 204)
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    async with Session("t", base_url=canned.base_url, retry=policy, timeout=30) as session:
        with pytest.raises(RateLimitError):
            await session.request("GET", "/x")
        with pytest.raises(RateLimitError) as caught:
            await session.with_token("u").request("GET", "/x")
    assert caught.value.retry_after == pytest.approx(60, abs=1)
    assert len(canned.seen) == 1


SETTINGS: dict[str, list[Any]] = {
    "retry": [3, "twice", {}],
    "quota": [(5, 60), 5],
    "ssl": ["ca.pem", None, 1],
    "client_session": ["a session", 5],
    "connector": [5],
    "timeout": ["5", 0, -1, math.nan, True, 10**400],
    "max_connections": [0, "5", 1.5],
    "max_body_size": [0, "5", math.inf],
    "rewrite_links": ["yes", 1],
    "trust_env": [1],
    "pause_collector": [None],
    "converter": ["none", 0],
    "user_agent": ["a\nb", 5],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values]
)
def test_settings_of_a_wrong_kind(name: str, value: Any) -> None:
    with pytest.raises(ArgumentError):
        Session("t", **{name: value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 0, "5", True, 10**400])
def test_numbers_at_the_edge_of_a_quota(value: Any) -> None:
    for make in (lambda: Quota(value), lambda: Quota(5, per_seconds=value)):
        with pytest.raises(ArgumentError):
            make()


@pytest.mark.parametrize("field", ["total", "attempt", "connect"])
@pytest.mark.parametrize("value", [math.nan, 0, -1, "5", True, None, 10**400])
def test_numbers_at_the_edge_of_time_outs(field: str, value: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        Timeout(**{field: value})
    assert caught.value.argument == field


async def test_no_limit_is_honoured(canned: CannedServer) -> None:
    forever = Timeout(total=math.inf, attempt=math.inf)
    async with Session("t", base_url=canned.base_url, timeout=forever) as session:
        await session.request("GET", "/x")


@attrs.frozen
class Position:
    latitude: float


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        {"a": -math.inf},
        [1.0, [math.nan]],
        (math.inf,),
        {"a": {"b": [{"c": math.nan}]}},
        Position(math.nan),
    ],
)
async def test_numbers_that_json_cannot_hold(canned: CannedServer, value: Any) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ArgumentError) as caught:
            await session.request("PUT", "/x", json=value)
    assert caught.value.argument == "json"
    assert canned.seen == []


async def test_null_is_a_value_that_json_holds(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        await session.request("PUT", "/x", json={"a": None, "b": [1.5, None, "null"]})
    assert canned.seen[0].body == b'{"a":null,"b":[1.5,null,"null"]}'


@pytest.mark.parametrize("items", ["abc", b"abc", 5, None])
async def test_items_of_bulk_that_are_none(canned: CannedServer, items: Any) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ArgumentError) as caught:
            await bulk.each(imodels.add_favorite, session, items)
    assert caught.value.argument == "items"
    assert canned.seen == []


async def test_a_list_function_is_no_function_for_bulk(canned: CannedServer) -> None:
    canned.script({"iModels": []})
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(TypeError, match="pager"):
            await bulk.each(imodels.list_favorites, session, [GUID])


ODD_MOMENTS = [
    "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:59.9999999",
    "9999-12-31T23:59:59.9999999+00:00",
    "9999-12-31T23:59:59.9999999-08:00",
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00.0000000Z",
    "0001-01-01T00:00:00+14:00",
    "2026-10-27",
    "2026-10-27T01:02Z",
    "2026-10-27 01:02:03.1234567Z",
    "2026-10-27t01:02:03z",
    "2026-10-27T01:02:03,5Z",
    "2026-10-27T01:02:03+0000",
]


@pytest.mark.parametrize("text", ODD_MOMENTS)
async def test_moments_at_the_edges_of_time(canned: CannedServer, text: str) -> None:
    rows = [{"id": "a"}, {"id": "b", "createdDateTime": text}]
    canned.script({"iModels": rows, "iTwins": rows})
    async with Session("t", base_url=canned.base_url) as session:
        for pager in (
            imodels.list_favorites(session, GUID).full(),
            itwins.list_favorites(session).full(),
        ):
            first, second = await pager.collect()
            assert (first.id, second.id) == ("a", "b")
            assert second.created_date_time is not None
            assert second.created_date_time.tzinfo is not None
            assert str(second.created_date_time.year).zfill(4) == text[:4]


async def test_a_list_of_ones_own_is_as_safe(canned: CannedServer) -> None:
    api = Api("mine", "/mine", "application/json")
    listed = api.list("list_things", "GET /", "List", Position, key="things", paging="skip")
    canned.script({"things": [{"latitude": 1}]})
    async with Session("t", base_url=canned.base_url) as session:
        assert await listed(session, {}, {}).collect() == [Position(1.0)]
    assert canned.seen[0].target == "/mine"
