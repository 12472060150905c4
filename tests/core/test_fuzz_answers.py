"""
Whole answers over HTTP, cut and mutated: only typed errors, nothing lost, nothing made up.

A long run: ``pytest tests/core/test_fuzz_answers.py --hypothesis-profile=long``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from doubles import Exchange, RawServer
from hypothesis import given, settings
from hypothesis import strategies as st

from itwin_async import ITwinError, RetryPolicy, Session, Timeout, TransportError, imodels

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
IDS = [f"id-{number}" for number in range(7)]
PAGE = json.dumps(
    {
        "iModels": [{"id": name, "displayName": f"Brücke {name}"} for name in IDS],
        "_links": {"self": {"href": "/imodels/favorites"}, "prev": None, "next": None},
    }
).encode()
LINKS_FIRST = json.dumps(dict(reversed(json.loads(PAGE).items()))).encode()

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
}


def framed(body: bytes, framing: str, encoding: str) -> bytes:
    """Write an answer of 200 with this body."""
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Encoding: {encoding}"]
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        middle = len(body) // 2
        parts = [part for part in (body[:middle], body[middle:]) if part]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask(data: bytes) -> list[str] | ITwinError:
    """Let a server say this and hang up; give the ids of the page, or the error."""

    async def handler(exchange: Exchange) -> None:
        await exchange.send(data)
        exchange.close()

    settings: Any = {
        "retry": RetryPolicy(retries=0, rate_limit_retries=0),
        "timeout": Timeout(total=20, attempt=10),
    }
    async with (
        RawServer(handler) as server,
        Session("a-token", base_url=server.base_url, **settings) as session,
    ):
        try:
            return [one.id for one in await imodels.list_favorites(session, GUID).collect(limit=50)]
        except ITwinError as error:
            return error


bodies = st.sampled_from([PAGE, LINKS_FIRST])
encodings = st.sampled_from(sorted(COMPRESS))
framings = st.sampled_from(["length", "chunked", "close"])


@settings(deadline=None)
@given(bodies, framings, encodings, st.floats(0, 1, exclude_max=True))
async def test_a_cut_answer_is_whole_or_lost(
    body: bytes, framing: str, encoding: str, share: float
) -> None:
    whole = framed(COMPRESS[encoding](body), framing, encoding)
    assert await ask(whole) == IDS
    cut = whole[: int(len(whole) * share)]
    outcome = await ask(cut)
    assert outcome == IDS or isinstance(outcome, TransportError), (cut, outcome)


@settings(deadline=None)
@given(bodies, framings, encodings, st.floats(0, 1, exclude_max=True))
async def test_a_cut_body_that_is_framed_as_whole(
    body: bytes, framing: str, encoding: str, share: float
) -> None:
    packed = COMPRESS[encoding](body)
    outcome = await ask(framed(packed[: int(len(packed) * share)], framing, encoding))
    assert isinstance(outcome, ITwinError), outcome


@settings(deadline=None)
@given(
    bodies,
    framings,
    encodings,
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=3)), min_size=1),
)
async def test_a_mutated_answer_is_read_or_a_typed_error(
    body: bytes, framing: str, encoding: str, changes: list[tuple[float, bytes]]
) -> None:
    data = bytearray(framed(COMPRESS[encoding](body), framing, encoding))
    for share, piece in changes:
        at = int(len(data) * share)
        data[at : at + 1] = piece
    outcome = await ask(bytes(data))
    if isinstance(outcome, ITwinError):
        assert "a-token" not in str(outcome)
    else:
        assert len(outcome) <= len(IDS)


@pytest.mark.parametrize("value", [b"1e999", b"-1e999", b"1" * 400, b"NaN", b"Infinity"])
async def test_numbers_that_a_double_cannot_hold(value: bytes) -> None:
    body = PAGE.replace(b'"id": "id-3"', b'"id": "id-3", "containersEnabled": ' + value)
    outcome = await ask(framed(body, "length", "identity"))
    assert outcome == IDS or isinstance(outcome, ITwinError)
