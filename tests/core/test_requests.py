from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Awaitable, Callable
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web
from doubles import CannedServer, Exchange, FakeClock, Handler, RawServer, Seen, refusal, refused
from yarl import URL

import itwin_async
from itwin_async import (
    ApiError,
    ArgumentError,
    ConfigurationError,
    DecodeError,
    ITwinError,
    NotFoundError,
    RetryPolicy,
    Session,
    TransportError,
)

Start = Callable[[Handler], Awaitable[RawServer]]


async def ok(exchange: Exchange) -> None:
    await exchange.reply()


async def test_headers_of_every_request(raw_server: Start) -> None:
    server = await raw_server(ok)
    async with Session("t", base_url=server.base_url, user_agent="shop/3") as session:
        answer = await session.request("GET", "/x")
        await session.request("GET", "/x", accept="application/vnd.x+json", headers={"Prefer": "p"})
    first, second = server.requests
    product = f"itwin-async/{itwin_async.__version__} aiohttp/{aiohttp.__version__}"
    assert first.headers("User-Agent") == [f"shop/3 {product}"]
    assert first.headers("Accept") == ["application/json"]
    assert first.headers("X-Correlation-Id") == [answer.request_id]
    assert first.headers("Cookie") == []
    assert second.headers("Accept") == ["application/vnd.x+json"]
    assert second.headers("Prefer") == ["p"]
    assert second.header("X-Correlation-Id") != answer.request_id


async def test_one_correlation_id_for_a_call_also_on_its_error(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(503, 503, refusal(404))
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    async with Session("t", base_url=canned.base_url, retry=policy) as session:
        with pytest.raises(NotFoundError) as caught:
            await session.request("GET", "/a/b", params={"q": "1"})
    ids = {seen.headers["X-Correlation-Id"] for seen in canned.seen}
    assert ids == {caught.value.request_id}
    assert len(canned.seen) == 3
    assert (caught.value.method, caught.value.path) == ("GET", "/a/b")
    assert caught.value.request_id in str(caught.value)


async def test_a_correlation_id_of_the_caller_is_the_one_that_errors_name(
    canned: CannedServer,
) -> None:
    canned.script(404)
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(NotFoundError) as caught:
            await session.request("GET", "/x", headers={"x-correlation-id": "mine"})
    assert canned.seen[0].headers.getall("X-Correlation-Id") == ["mine"]
    assert caught.value.request_id == "mine"


async def test_headers_of_the_caller_replace_ours_in_any_case(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        await session.request("GET", "/x", headers={"accept": "a/b", "user-agent": "me"})
    assert canned.seen[0].headers.getall("Accept") == ["a/b"]
    assert canned.seen[0].headers.getall("User-Agent") == ["me"]


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
async def test_the_token_comes_from_the_session_alone(canned: CannedServer, name: str) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with refused("headers"):
            await session.request("GET", "/x", headers={name: "Bearer other"})
    assert canned.seen == []


@pytest.mark.parametrize(
    "headers", [{"X": "a\r\nEvil: b"}, {"X\n": "a"}, {"X": 5}, {"X": None}, {5: "a"}]
)
async def test_headers_that_cannot_be_sent_are_refused(
    canned: CannedServer, headers: dict[str, str]
) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ArgumentError) as caught:
            await session.request("GET", "/x", headers=headers)
        with pytest.raises(ITwinError):
            await session.request("GET", "/x", accept="a\r\nEvil: b")
    assert caught.value.argument.startswith("headers")
    assert canned.seen == []


@pytest.mark.parametrize("method", ["", "G T", "GET\r\n", "GÉT", "GET /evil HTTP/1.1\r\nX: "])
async def test_methods_that_cannot_be_sent_are_refused(canned: CannedServer, method: str) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with refused("method"):
            await session.request(method, "/x")
    assert canned.seen == []


async def test_a_method_in_small_letters_is_the_same_method(
    canned: CannedServer, clock: FakeClock
) -> None:
    canned.script(503, {})
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    async with Session("t", base_url=canned.base_url, retry=policy) as session:
        assert (await session.request("get", "/x")).method == "GET"
    assert len(canned.seen) == 2


@pytest.mark.parametrize(
    "path",
    ["", "x", "//evil.example/x", "https://evil.example/x", "/a b", "/a\nb", "/a\r\nX: y", "/a\\b",
     "/a#b", "/a\x00b", "/\ud800"],
)  # fmt: skip
async def test_paths_that_cannot_be_sent_are_refused(canned: CannedServer, path: str) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with refused("path"):
            await session.request("GET", path)
    assert canned.seen == []


async def test_a_path_is_sent_as_it_is(raw_server: Start) -> None:
    server = await raw_server(ok)
    target = "/a/../b/./%2F%7e?$top=5&x=%2B+%24=&y=a;b:@!'()*,"
    async with Session("t", base_url=server.base_url) as session:
        await session.request("GET", target)
        await session.request("GET", "/a%2Fb/../%7e")
    assert [request.target for request in server.requests] == [target, "/a%2Fb/../%7e"]


async def test_queries_are_added_to_those_of_the_path(raw_server: Start) -> None:
    server = await raw_server(ok)
    async with Session("t", base_url=server.base_url) as session:
        await session.request("GET", "/x", params={"$skip": "", "q": "a b&c=d+é"})
        await session.request("GET", "/x?a=1", params=[("b", "2"), ("b", "3")])
        await session.request("GET", "/x?", params={"b": "2"})
    assert [request.target for request in server.requests] == [
        "/x?$skip=&q=a%20b%26c%3Dd%2B%C3%A9",
        "/x?a=1&b=2&b=3",
        "/x?b=2",
    ]


async def test_values_of_queries_that_are_no_texts(raw_server: Start) -> None:
    server = await raw_server(ok)
    own = UUID("7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11")
    async with Session("t", base_url=server.base_url) as session:
        await session.request("GET", "/x", params={"$top": 1, "deep": True, "flat": False})
        await session.request("GET", "/x", params=[("at", 1.5), ("at", 2), ("itwin", own)])
    assert [request.target for request in server.requests] == [
        "/x?$top=1&deep=true&flat=false",
        f"/x?at=1.5&at=2&itwin={own}",
    ]


@pytest.mark.parametrize(
    "params",
    [{"a": None}, [("a", ["b"])], {5: "a"}, {"a": "\ud800"}, {"a": math.nan}, {"a": b"1"}, 5],
)
async def test_queries_that_are_no_texts_are_refused(
    canned: CannedServer, params: dict[str, str]
) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with refused("params"):
            await session.request("GET", "/x", params=params)
    assert canned.seen == []


async def test_bodies(raw_server: Start) -> None:
    server = await raw_server(ok)
    async with Session("t", base_url=server.base_url) as session:
        await session.request("POST", "/x", json={"a": "é"})
        await session.request("PUT", "/x", body=b"\x00png", headers={"Content-Type": "image/png"})
        await session.request("POST", "/x")
        await session.request("PUT", "/x")
    as_json, as_bytes, *empty = server.requests
    assert as_json.body == '{"a":"é"}'.encode()
    assert as_json.headers("Content-Type") == ["application/json"]
    assert as_bytes.body == b"\x00png"
    assert as_bytes.headers("Content-Type") == ["image/png"]
    assert [request.headers("Content-Length") for request in empty] == [["0"], ["0"]]


async def test_a_value_that_json_cannot_say_is_refused(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with refused("json"):
            await session.request("POST", "/x", json={"a": object()})
        with refused("json"):
            await session.request("POST", "/x", json={}, body=b"")
    assert canned.seen == []


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("nan")])
async def test_a_timeout_that_is_none_is_refused(
    canned: CannedServer,
    timeout: float,  # noqa: ASYNC109 - it is the very subject
) -> None:
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ArgumentError):
            await session.request("GET", "/x", timeout=timeout)
    with pytest.raises(ArgumentError):
        Session("t", timeout=timeout)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_a_success(canned: CannedServer, status: int) -> None:
    canned.script(web.Response(status=status))
    async with Session("t", base_url=canned.base_url) as session:
        answer = await session.request("GET", "/x")
    assert answer.status == status
    assert answer.body == b""
    assert answer.json() is None


async def test_an_answer(canned: CannedServer) -> None:
    canned.script(web.Response(body=b"not json", headers={"X-Thing": "1"}))
    async with Session("t", base_url=canned.base_url) as session:
        answer = await session.request("GET", "/x?y=1")
    assert answer.headers["x-thing"] == "1"
    assert (answer.method, answer.path) == ("GET", "/x")
    with pytest.raises(DecodeError) as caught:
        answer.json()
    assert caught.value.request_id == answer.request_id
    assert "not json" not in repr(answer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(canned: CannedServer, status: int) -> None:
    async with CannedServer() as other:
        place = f"{other.base_url}/y"
        canned.script(web.Response(status=status, headers={"Location": place}))
        async with Session("t", base_url=canned.base_url) as session:
            with pytest.raises(ApiError, match="redirect") as caught:
                await session.request("GET", "/x")
        assert caught.value.status == status
        assert type(caught.value) is ApiError
        assert len(canned.seen) == 1
        assert other.seen == []


async def test_cookies_of_one_user_are_not_sent_for_another() -> None:
    async with CannedServer(host="localhost") as server:
        server.script(web.Response(headers={"Set-Cookie": "who=first; Path=/"}))
        async with Session("one", base_url=server.base_url) as session:
            await session.request("GET", "/x")
            await session.with_token("two").request("GET", "/x")
            await session.request("GET", "/x")
        assert [seen.token for seen in server.seen] == ["one", "two", "one"]
        assert ["Cookie" in seen.headers for seen in server.seen] == [False] * 3


async def test_compression_is_asked_for_where_it_helps(raw_server: Start) -> None:
    server = await raw_server(ok)
    for compress in (None, True, False):
        async with Session("t", base_url=server.base_url, compress=compress) as session:
            await session.request("GET", "/x")
    assert [request.headers("Accept-Encoding") for request in server.requests] == [
        ["identity"],
        ["gzip, deflate"],
        ["identity"],
    ]


async def test_a_dead_pooled_connection_is_no_reason_to_create_twice(raw_server: Start) -> None:
    async def answer_once(exchange: Exchange) -> None:
        if exchange.number == 1:
            await exchange.reply()
        else:
            exchange.close()

    server = await raw_server(answer_once)
    policy = RetryPolicy(retries=0)
    async with Session("t", base_url=server.base_url, retry=policy) as session:
        await session.request("GET", "/warm")
        with pytest.raises(TransportError) as caught:
            await session.request("POST", "/tags", json={})
    assert caught.value.sent
    assert [request.method for request in server.requests] == ["GET", "POST"]


async def test_settings_go_through_to_aiohttp(raw_server: Start) -> None:
    started: list[str] = []
    trace = aiohttp.TraceConfig()

    async def note(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        started.append(params.method)

    trace.on_request_start.append(note)
    server = await raw_server(ok)
    async with Session(
        "t",
        base_url="http://localhost:1",
        proxy=f"http://user:secret@127.0.0.1:{server.port}",
        trace_configs=[trace],
    ) as session:
        await session.request("GET", "/x")
    assert started == ["GET"]
    assert server.requests[0].target == "http://localhost:1/x"
    assert server.requests[0].header("Proxy-Authorization")


async def test_proxies_come_from_the_environment_when_asked_for(
    raw_server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await raw_server(ok)
    monkeypatch.setenv("http_proxy", server.base_url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with Session("t", base_url="http://localhost:1", trust_env=True) as session:
        await session.request("GET", "/x")
    assert server.requests[0].target == "http://localhost:1/x"


async def test_a_netrc_file_does_not_get_in_the_way_of_the_token(
    canned: CannedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    path = f"{tmp_path}/netrc"
    with open(path, "w", encoding="ascii") as file:  # noqa: ASYNC230, PTH123 - it is tiny
        file.write("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", path)
    async with Session("t", base_url=canned.base_url, trust_env=True) as session:
        await session.request("GET", "/x")
    assert canned.seen[0].token == "t"


async def test_a_connector_of_the_caller_is_used(canned: CannedServer) -> None:
    connector = aiohttp.TCPConnector(limit=3)
    async with Session("t", base_url=canned.base_url, connector=connector) as session:
        await session.request("GET", "/x")
    assert connector.closed


async def test_tls_that_fails_is_not_tried_again() -> None:
    async def no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 X\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(no_tls, "127.0.0.1", 0) as server:
        base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Session("t", base_url=base, retry=RetryPolicy(sleep=never)) as session:
            with pytest.raises(TransportError) as caught:
                await session.request("GET", "/x")
    assert not caught.value.sent
    assert not caught.value.retryable


async def never(_: float) -> None:
    raise AssertionError("there is nothing to wait for")


async def test_nobody_listens(clock: FakeClock, unused_tcp_port: int) -> None:
    policy = RetryPolicy(clock=clock, sleep=clock.sleep, retries=2)
    base = f"http://127.0.0.1:{unused_tcp_port}"
    async with Session("t", base_url=base, retry=policy) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("POST", "/x")
    assert not caught.value.sent
    assert caught.value.retryable
    assert len(clock.sleeps) == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("api.bentley.com", "scheme"),
        ("", "scheme"),
        ("https://", "base_url"),
        ("ftp://api.bentley.com", "scheme"),
        ("http://api.bentley.com", "https unless its host is loopback"),
        ("https://api.bentley.com/imodels", "must not have a path"),
        ("https://api.bentley.com?x=1", "query"),
        ("https://api.bentley.com/#x", "fragment"),
        ("https://user:pw@api.bentley.com", "user information"),
        ("user:pw@api.bentley.com", "base_url"),
        ("https://api.bentley.com:99999", "not a URL"),
        ("https://api.bentley .com", "base_url"),
        ("https://api.bentley.com\n", "blanks"),
        ("https://[::1", "not a URL"),
        ("https://[::1]@", "not a URL"),
        (None, "not a URL"),
        (5, "not a URL"),
    ],
)
def test_base_urls_that_are_refused(value: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        Session("t", base_url=value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://api.bentley.com", "https://api.bentley.com/"),
        ("https://api.bentley.com/", "https://api.bentley.com/"),
        ("HTTPS://QA-API.Bentley.com:443/", "https://qa-api.bentley.com/"),
        ("http://localhost:8000", "http://localhost:8000/"),
        ("http://127.0.0.2:8000", "http://127.0.0.2:8000/"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
        (URL("https://dev-api.bentley.com"), "https://dev-api.bentley.com/"),
    ],
)
def test_base_urls(value: str | URL, shown: str) -> None:
    assert str(Session("t", base_url=value).base_url) == shown


async def test_a_base_url_with_ipv6() -> None:
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    async with (
        CannedServer(host="::1") as server,
        Session("t", base_url=server.base_url) as session,
    ):
        assert (await session.request("GET", "/x")).status == 200


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("option", ["max_connections", "max_body_size"])
@pytest.mark.parametrize("value", [0, -1, True, "10", 1.5])
def test_sizes_that_cannot_work_are_refused(option: str, value: int) -> None:
    with refused(option):
        Session("t", **{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["a\r\nX: y", "é", "\x00"])
def test_a_user_agent_that_cannot_be_sent_is_refused(value: str) -> None:
    with refused("user_agent"):
        Session("t", user_agent=value)


async def test_raw_access_has_the_same_errors_as_an_operation(canned: CannedServer) -> None:
    async def respond(seen: Seen) -> web.Response:
        return refusal(404, "iTwinNotFound")

    canned.respond = respond
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(NotFoundError, match="iTwinNotFound"):
            await asyncio.wait_for(session.request("PATCH", "/itwins/x", json={}), 5)
