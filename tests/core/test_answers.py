from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable

import pytest
from doubles import Exchange, Handler, RawServer, settle, skip_time

from itwin_async import (
    ApiError,
    AuthenticationError,
    DecodeError,
    InvalidRequestError,
    ITwinError,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Session,
    Timeout,
    TransportError,
    imodels,
    saved_views,
)

Start = Callable[[Handler], Awaitable[RawServer]]

ONCE = RetryPolicy(retries=0, rate_limit_retries=0)
ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
PAGE = b'{"iModels": [], "_links": {}}'


def says(data: bytes, *, close: bool = True) -> Handler:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(data)
        if close:
            exchange.close()

    return answer


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return "\r\n".join(
        ["HTTP/1.1 200 OK", f"Content-Length: {size}", *headers, "", ""]
    ).encode() + (body)


async def outcome(start: Start, data: bytes, **options: object) -> ITwinError:
    """Ask a server that says this for one page, and give the error."""
    server = await start(says(data))
    settings = {"retry": ONCE, "timeout": Timeout(total=5, attempt=2), **options}
    async with Session("t", base_url=server.base_url, **settings) as session:  # type: ignore[arg-type]
        with pytest.raises(ITwinError) as caught:
            await imodels.list_favorites(session, ITWIN)
        assert session._internals.client.slots._free == 100  # no place is lost
        assert not session._internals.client.ready().http.connector._acquired  # type: ignore[union-attr]
    error = caught.value
    assert error.cursor is not None
    assert server.requests[0].header("X-Correlation-Id") in str(error)
    assert error.__cause__ is None
    return error


BROKEN = {
    "closed at once": b"",
    "closed in the status line": b"HTTP/1.1 20",
    "closed in the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "closed in the body": ok(PAGE[:10], length=len(PAGE)),
    "length too long": ok(PAGE, length=1000),
    "chunk cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{",
    "chunk size is no number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 100_000,
    "length is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
    "gzip garbage": ok(b"this is no gzip at all", "Content-Encoding: gzip"),
    "deflate garbage": ok(b"\xff\xff\xff\xff", "Content-Encoding: deflate"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_answers_are_transport_errors(raw_server: Start, name: str) -> None:
    error = await outcome(raw_server, BROKEN[name])
    assert isinstance(error, TransportError)
    assert error.sent
    assert error.retryable
    assert not error.timeout


CUT = {
    "half a json": ok(PAGE[:-5]),
    "half a json, in chunks": ok(PAGE[:-5])
    .replace(b"Content-Length: %d" % len(PAGE[:-5]), b"Transfer-Encoding: chunked")
    .replace(PAGE[:-5], b"%x\r\n%s\r\n0\r\n\r\n" % (len(PAGE) - 5, PAGE[:-5])),
    "half a json, to the end of the connection": b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n\r\n" + PAGE[:-5],
    "nothing, to the end of the connection": b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n\r\n",
    "cut gzip": ok(gzip.compress(PAGE * 9)[:-20], "Content-Encoding: gzip"),
    "cut gzip trailer": ok(gzip.compress(PAGE)[:-1], "Content-Encoding: gzip"),
    "cut deflate": ok(zlib.compress(PAGE)[:-1], "Content-Encoding: deflate"),
    "second member cut": ok(
        gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:])[:-9], "Content-Encoding: gzip"
    ),
}


@pytest.mark.parametrize("name", CUT)
async def test_a_part_of_an_answer_is_a_lost_connection(raw_server: Start, name: str) -> None:
    error = await outcome(raw_server, CUT[name])
    assert isinstance(error, TransportError)
    assert error.sent
    assert error.retryable


WHOLE = {
    "two gzip members": (gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:]), "gzip"),
    "gzip by its old name": (gzip.compress(PAGE), "x-gzip"),
    "deflate": (zlib.compress(PAGE), "deflate"),
    "deflate without header": (zlib.compress(PAGE)[2:-4], "deflate"),
    "gzip twice": (gzip.compress(gzip.compress(PAGE)), "gzip, gzip"),
    "identity": (PAGE, "identity"),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_every_form_of_compression(raw_server: Start, name: str) -> None:
    body, encoding = WHOLE[name]
    server = await raw_server(says(ok(body, f"Content-Encoding: {encoding}")))
    async with Session("t", base_url=server.base_url) as session:
        assert (await session.request("GET", "/x")).body == PAGE


async def test_an_encoding_that_was_not_asked_for(raw_server: Start) -> None:
    error = await outcome(raw_server, ok(PAGE, "Content-Encoding: br"))
    assert isinstance(error, TransportError)
    assert not error.retryable


async def test_a_small_answer_that_decompresses_to_a_large_one(raw_server: Start) -> None:
    data = ok(gzip.compress(b"[" + b" " * 1_000_000 + b"]"), "Content-Encoding: gzip")
    error = await outcome(raw_server, data, max_body_size=100_000)
    assert isinstance(error, TransportError)
    assert not error.retryable


SENSELESS = {
    "html": (ok(b"<html><body>Welcome to the hotel</body></html>"), "$", "begins with '<html>"),
    "empty": (ok(b""), "$", "no body"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "$", "no body"),
    "wrong key": (ok(b'{"models": []}'), "$", "'iModels' is missing; found models"),
    "null list": (ok(b'{"iModels": null}'), "$.iModels", "expected a list, got null"),
    "list at the top": (ok(b"[]"), "$", "expected an object"),
    "a number": (ok(b"5"), "$", "expected an object"),
    "null item": (ok(b'{"iModels": [null]}'), "$.iModels[0]", ""),
    "not unicode": (ok(b'{"iModels": "\xff\xfe"}'), "$", "not JSON"),
    "deep": (ok(b"[" * 100_000), "$", "not JSON"),
    "two values": (ok(PAGE + PAGE), "$", "not JSON"),
}


@pytest.mark.parametrize("name", SENSELESS)
async def test_answers_that_make_no_sense_are_decode_errors(raw_server: Start, name: str) -> None:
    data, place, words = SENSELESS[name]
    error = await outcome(raw_server, data)
    assert isinstance(error, DecodeError)
    assert error.json_path == place
    assert error.status in {200, 204}
    assert error.method == "GET"
    assert words in str(error)


async def test_compressed_answers(raw_server: Start) -> None:
    async def answer(exchange: Exchange) -> None:
        kind = "gzip" if exchange.number == 1 else "deflate"
        body = gzip.compress(PAGE) if kind == "gzip" else zlib.compress(PAGE)
        await exchange.reply(body, headers=[f"Content-Encoding: {kind}"])

    server = await raw_server(answer)
    async with Session("t", base_url=server.base_url) as session:
        for _ in range(2):
            assert (await session.request("GET", "/x")).body == PAGE


@pytest.mark.parametrize("size", [999, 1000])
async def test_a_body_up_to_the_limit_is_read(raw_server: Start, size: int) -> None:
    async def in_pieces(exchange: Exchange) -> None:
        await exchange.send(ok(b"a" * (size // 2), length=size))
        await asyncio.sleep(0.01)
        await exchange.send(b"b" * (size - size // 2))

    server = await raw_server(in_pieces)
    async with Session("t", base_url=server.base_url, max_body_size=1000) as session:
        assert len((await session.request("GET", "/x")).body) == size


@pytest.mark.parametrize(
    "data",
    [
        ok(b"a" * 1001),
        ok(b"a" * 5000, length=10**12),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"100\r\n" + b"a" * 256 + b"\r\n"
        b"800\r\n" + b"a" * 2048 + b"\r\n",
        ok(gzip.compress(b"a" * 3_000_000), "Content-Encoding: gzip"),
    ],
    ids=["no length", "length", "chunked", "gzip"],
)
async def test_an_oversized_body_is_an_error_and_is_not_asked_for_again(
    raw_server: Start, data: bytes
) -> None:
    server = await raw_server(says(data, close=False))
    async with Session("t", base_url=server.base_url, max_body_size=1000) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert not caught.value.retryable
    assert len(server.requests) == 1


ENVELOPE = {
    "error": {
        "code": "InvalidiTwinsRequest",
        "message": "Cannot get iTwins.",
        "target": None,
        "details": [
            {"code": "InvalidValue", "message": "Bad.", "target": "$top"},
            {"code": "X", "innerError": {"code": "Y"}},
            {"innererror": {}},
            5,
        ],
        "_seqUrl": "u",
    }
}

INVALID = InvalidRequestError

REFUSALS: dict[str, tuple[int, bytes, type[ApiError], str | None, str]] = {
    "envelope": (422, json.dumps(ENVELOPE).encode(), INVALID, "InvalidiTwinsRequest", "Cannot get"),
    "no body": (404, b"", NotFoundError, None, "no message"),
    "text": (404, b"Page not found.", NotFoundError, None, "Page not found."),
    "html": (502, b"<html>\n  <b>Bad</b></html>", ServerError, None, "<html> <b>Bad</b></html>"),
    "unwrapped": (
        401,
        b'{"code":"Unauthorized","message":"No."}',
        AuthenticationError,
        "Unauthorized",
        "No.",
    ),
    "three megabytes": (500, b"<p>" * 1_000_000, ServerError, None, "<p><p>"),
    "error is a text": (403, b'{"error":"invalid"}', ApiError, None, "invalid"),
    "error is null": (400, b'{"error":null}', INVALID, None, "null"),
    "members are null": (
        400,
        b'{"error":{"code":null,"message":null,"details":null}}',
        INVALID,
        None,
        "null",
    ),
    "members are numbers": (
        400,
        b'{"error":{"code":5,"message":[],"details":{}}}',
        INVALID,
        None,
        "",
    ),
    "list": (400, b"[1]", INVALID, None, "[1]"),
    "half": (400, b'{"error":{"co', INVALID, None, "error"),
    "not unicode": (400, b"\xff\xfe\x00", INVALID, None, ""),
    "deep": (400, b"[" * 100_000, INVALID, None, "[["),
    "rate limit": (
        429,
        b'{"code":"TooManyRequests","message":"Slow."}',
        RateLimitError,
        "TooManyRequests",
        "Slow.",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_refusals_are_classified_by_status(raw_server: Start, name: str) -> None:
    status, body, cls, code, words = REFUSALS[name]
    data = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    error = await outcome(raw_server, data)
    assert isinstance(error, cls)
    assert error.status == status
    assert error.code == code
    assert words in error.message
    assert len(error.message) <= 300
    assert "None" not in str(error)
    assert str(status) in str(error)


async def test_all_of_an_error(raw_server: Start) -> None:
    body = json.dumps(ENVELOPE).encode()
    data = b"HTTP/1.1 422 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    error = await outcome(raw_server, data)
    assert isinstance(error, InvalidRequestError)
    assert error.message == "Cannot get iTwins."
    assert error.target is None
    first, second, third = error.details
    assert (first.code, first.message, first.target) == ("InvalidValue", "Bad.", "$top")
    assert (second.inner_code, second.target, third.inner_code) == ("Y", None, None)
    assert error.extra == {"_seqUrl": "u"}
    assert "$top: Bad." in str(error)


@pytest.mark.parametrize(
    "tail",
    [
        b"Content-Length: 1000\r\n\r\ncut",
        b"Content-Length: 8\r\nContent-Encoding: gzip\r\n\r\ngarbage!",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_a_broken_error_page_does_not_hide_its_status(raw_server: Start, tail: bytes) -> None:
    async def answer(exchange: Exchange) -> None:
        head, _, body = tail.partition(b"\r\n\r\n")
        await exchange.send(b"HTTP/1.1 404 X\r\n" + head + b"\r\n\r\n")
        await settle()
        await exchange.send(body)
        exchange.close()
        await settle()
        skip_time(31)

    server = await raw_server(answer)
    timeout = Timeout(attempt=30)
    async with Session("t", base_url=server.base_url, retry=ONCE, timeout=timeout) as session:
        with pytest.raises(NotFoundError):
            await session.request("GET", "/x")


async def test_an_endless_error_page_does_not_hide_its_status(raw_server: Start) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 422 X\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(200):
            await exchange.send(b"a")
            await settle()
            skip_time(1)

    server = await raw_server(endless)
    timeout = Timeout(attempt=30)
    async with Session("t", base_url=server.base_url, timeout=timeout) as session:
        with pytest.raises(InvalidRequestError):
            await session.request("POST", "/x")
    assert len(server.requests) == 1


async def test_a_trickle_ends_with_the_attempt(raw_server: Start) -> None:
    async def trickle(exchange: Exchange) -> None:
        await exchange.send(ok(b"", length=1000))
        for _ in range(200):
            await exchange.send(b"a")
            await settle()
            skip_time(1)

    server = await raw_server(trickle)
    timeout = Timeout(attempt=30)
    async with Session("t", base_url=server.base_url, timeout=timeout, retry=ONCE) as session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    assert caught.value.timeout
    assert caught.value.sent


async def test_broken_answers_are_repeated_where_that_is_safe(raw_server: Start) -> None:
    async def half(exchange: Exchange) -> None:
        if exchange.number == 1:
            await exchange.send(ok(PAGE, length=1000))
            exchange.close()
        else:
            await exchange.reply(PAGE)

    server = await raw_server(half)
    policy = RetryPolicy(base=0)
    async with Session("t", base_url=server.base_url, retry=policy) as session:
        assert (await session.request("GET", "/x")).body == PAGE
    assert len(server.requests) == 2


async def test_a_tag_that_may_exist_is_not_created_again(raw_server: Start) -> None:
    server = await raw_server(says(ok(PAGE, length=1000)))
    async with Session("t", base_url=server.base_url) as session:
        with pytest.raises(TransportError) as caught:
            await saved_views.create_tag(session, "x")
    assert caught.value.sent
    assert len(server.requests) == 1


async def test_the_accept_header_is_named_where_it_may_be_the_fault(raw_server: Start) -> None:
    body = b'{"error":{"code":"ResourceNotFound","message":"Not there."}}'
    data = b"HTTP/1.1 404 X\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert "Accept" in str(await outcome(raw_server, data))
