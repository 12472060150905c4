from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import leaks as search
import pytest
from aiohttp import web
from doubles import CannedServer, Exchange, Handler, RawServer, Seen, refusal, skip_time, until
from leaks import spellings

from itwin_async import (
    ConfigurationError,
    ITwinError,
    PaginationError,
    RetryPolicy,
    Session,
    Timeout,
    TransportError,
    imodels,
    saved_views,
)
from itwin_async._http.credentials import Secret

Start = Callable[[Handler], Awaitable[RawServer]]

TOKEN = "eyJhbGciOi.THE-SECRET-OF-THE-TEST.c2lnbmF0dXJl"
ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
FAST = RetryPolicy(retries=1, rate_limit_retries=1, base=0)


def token() -> str:
    # No frame of a test holds the token, so that whatever is found is a leak of the package.
    return TOKEN


def leaks(error: BaseException) -> list[str]:
    return search.leaks(search.texts_of(error), spellings(TOKEN))


async def reply_echo(exchange: Exchange) -> None:
    # A proxy that quotes the request, headers and all.
    body = exchange.head
    await exchange.reply(body, status=502)


async def close(exchange: Exchange) -> None:
    exchange.close()


async def nonsense(exchange: Exchange) -> None:
    await exchange.send(b"Echo " + exchange.head)
    exchange.close()


async def cut(exchange: Exchange) -> None:
    await exchange.reply(b"{", length=100)
    exchange.close()


async def half_json(exchange: Exchange) -> None:
    await exchange.reply(b"{")


async def hang(_: Exchange) -> None:
    skip_time(31)
    await asyncio.sleep(1000)


async def loop(exchange: Exchange) -> None:
    link = exchange.target
    await exchange.reply(b'{"iModels": [], "_links": {"next": {"href": "%s"}}}' % link.encode())


async def foreign(exchange: Exchange) -> None:
    await exchange.reply(b'{"iModels": [], "_links": {"next": {"href": "https://evil.example/"}}}')


async def unauthorized(exchange: Exchange) -> None:
    await exchange.reply(exchange.head, status=401)


async def limited(exchange: Exchange) -> None:
    await exchange.reply(exchange.head, status=429, headers=["Retry-After: 5000"])


async def redirect(exchange: Exchange) -> None:
    await exchange.reply(exchange.head, status=302, headers=["Location: https://evil.example/"])


HANDLERS = [
    reply_echo, close, nonsense, cut, half_json, hang, loop, foreign, unauthorized, limited,
    redirect,
]  # fmt: skip


async def provide() -> str:
    return token()


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("form", ["text", "callable"])
async def test_no_error_holds_the_token(
    raw_server: Start, handler: Handler, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[object] = []
    server = await raw_server(handler)
    async with Session(
        token() if form == "text" else provide,
        base_url=server.base_url,
        retry=FAST,
        timeout=Timeout(attempt=30),
        observers=[events.append],
    ) as session:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: imodels.list_favorites(session, ITWIN).collect(),
            lambda: saved_views.create_tag(session, "x"),
            lambda: session.request("DELETE", "/x"),
        ]
        found: list[list[str]] = []
        for call in calls:
            try:
                await call()
            except ITwinError as error:
                found.append(leaks(error))
        assert found[0] == []  # a list fails with each of the handlers, a deletion does not
        assert not any(found)
        assert server.requests[0].header("Authorization") == f"Bearer {TOKEN}"
        assert TOKEN not in repr(session) + repr(session._credentials) + repr(
            vars(session._internals.client)
        )
    assert TOKEN not in caplog.text + repr(events) + repr([vars(item) for item in caplog.records])


@pytest.mark.parametrize("how", ["cancel", "timeout", "group"])
@pytest.mark.parametrize("handler", [hang, cut])
async def test_a_cancellation_does_not_carry_the_token(
    raw_server: Start, handler: Handler, how: str
) -> None:
    async def stall(exchange: Exchange) -> None:
        if handler is cut:
            await exchange.reply(b"{", length=100)
        if how != "cancel":
            skip_time(11)
        await asyncio.sleep(1000)

    server = await raw_server(stall)
    async with Session(provide, base_url=server.base_url) as session:
        try:
            if how == "timeout":
                async with asyncio.timeout(10):
                    await session.request("GET", "/x")
            elif how == "group":
                async with asyncio.timeout(10), asyncio.TaskGroup() as group:
                    group.create_task(session.request("GET", "/x"))
            else:
                task = asyncio.create_task(session.request("GET", "/x"))
                await until(lambda: server.requests)
                task.cancel()
                await task
        except (asyncio.CancelledError, TimeoutError) as error:
            found = leaks(error)
        else:
            pytest.fail("it was not cancelled")
        assert found == []
    assert server.requests


async def test_errors_of_the_network_do_not_carry_the_token(unused_tcp_port: int) -> None:
    server_tls = ssl.create_default_context()
    for options in (
        {"base_url": f"http://127.0.0.1:{unused_tcp_port}"},
        {"base_url": f"https://127.0.0.1:{unused_tcp_port}", "ssl": server_tls},
        {
            "base_url": "http://localhost:1",
            "proxy": f"http://u:{TOKEN}@127.0.0.1:{unused_tcp_port}",
        },
        {"base_url": "http://no-such-host.localhost:1"},
    ):
        async with Session(token(), retry=FAST, **options) as session:  # type: ignore[arg-type]
            with pytest.raises(ITwinError) as caught:
                await session.request("GET", "/x")
        shown = [place for place in leaks(caught.value) if "options" not in place]
        assert [place for place in shown if "traceback" not in place] == []


async def test_faults_of_the_caller_do_not_carry_the_token(canned: CannedServer) -> None:
    async with Session(token(), base_url=canned.base_url) as session:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: session.request("GET", "/x", headers={"X": "a\r\nb"}),
            lambda: session.request("GET", "/x", accept="a\r\nb"),
            lambda: session.request("G T", "/x"),
            lambda: session.request("GET", "x y"),
            lambda: session.request("POST", "/x", json=object()),
        ]
        for call in calls:
            with pytest.raises(ITwinError) as caught:
                await call()
            assert leaks(caught.value) == []
    with pytest.raises(ConfigurationError) as closed:
        await session.request("GET", "/x")
    assert leaks(closed.value) == []
    assert canned.seen == []


BAD_TOKENS: list[Callable[[], object]] = [
    lambda: f"{TOKEN}\n",
    lambda: f"a {TOKEN}",
    TOKEN.encode,
    lambda: f"{TOKEN}é",
]


@pytest.mark.parametrize("number", range(len(BAD_TOKENS)))
async def test_bad_tokens_are_not_shown(canned: CannedServer, number: int) -> None:
    make = BAD_TOKENS[number]

    async def source() -> str:
        return make()  # type: ignore[return-value]

    with pytest.raises(ConfigurationError) as caught:
        Session(make())  # type: ignore[arg-type]
    assert leaks(caught.value) == []
    async with Session(source, base_url=canned.base_url) as session:
        with pytest.raises(ConfigurationError) as caught:
            await session.request("GET", "/x")
        assert leaks(caught.value) == []
        with pytest.raises(ConfigurationError) as caught:
            session.with_token(make())  # type: ignore[arg-type]
        assert leaks(caught.value) == []


async def test_a_callable_that_is_not_async_does_not_show_the_token(canned: CannedServer) -> None:
    async with Session(token, base_url=canned.base_url) as session:  # type: ignore[arg-type]
        with pytest.raises(ITwinError) as caught:
            await session.request("GET", "/x")
    assert leaks(caught.value) == []


def test_bad_settings_do_not_show_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Session(token(), base_url="ftp://x")
    assert leaks(caught.value) == []
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("ITWIN_BASE_URL", "http://evil.example")
    with pytest.raises(ConfigurationError) as caught:
        Session.from_env()
    assert leaks(caught.value) == []


async def test_a_token_is_not_sent_where_a_link_leads(raw_server: Start) -> None:
    async def elsewhere(exchange: Exchange) -> None:
        body = f'{{"iModels": [], "_links": {{"next": {{"href": "{other.base_url}/x"}}}}}}'
        await exchange.reply(body.encode())

    async def ok(exchange: Exchange) -> None:
        await exchange.reply(b'{"iModels": []}')

    other = await raw_server(ok)
    server = await raw_server(elsewhere)
    async with Session(token(), base_url=server.base_url) as session:
        with pytest.raises(PaginationError, match="another origin"):
            await imodels.list_favorites(session, ITWIN).collect()
    assert other.connections == 0


def test_secrets_do_not_show_themselves() -> None:
    secret = Secret(TOKEN)
    assert TOKEN not in repr(secret) + str(secret) + f"{secret}" + repr([secret])
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copier(secret)
    assert not hasattr(secret, "__dict__")


def test_a_session_does_not_pickle_its_token() -> None:
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(Session(TOKEN))


@pytest.fixture
async def echo() -> AsyncIterator[CannedServer]:
    async def respond(seen: Seen) -> web.Response:
        return refusal(404, seen.headers["Authorization"])

    async with CannedServer() as server:
        server.respond = respond
        yield server


async def test_a_token_that_the_server_quotes_is_masked(echo: CannedServer) -> None:
    async with Session(provide, base_url=echo.base_url) as session:
        with pytest.raises(ITwinError) as caught:
            await session.request("GET", "/x")
    assert "Bearer ***" in str(caught.value)
    assert leaks(caught.value) == []


async def test_what_a_provider_raises_is_kept_but_not_its_token(canned: CannedServer) -> None:
    async def source() -> str:
        raise aiohttp.ClientConnectionError("sign-in is down")

    async with Session(source, base_url=canned.base_url) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert "sign-in is down" in str(caught.value.__cause__)
