"""What failed, where no usable answer came: told by an attribute, not by a text."""

from __future__ import annotations

import asyncio
import pickle
import socket

import pytest
from doubles import CannedServer, Exchange, RawServer

from itwin_async import (
    AuthenticationError,
    RetryPolicy,
    Session,
    Timeout,
    TransportError,
)
from itwin_async.auth import ClientCredentials

ONCE = RetryPolicy(retries=0)


async def kind_of(session: Session) -> str:
    async with session:
        with pytest.raises(TransportError) as caught:
            await session.request("GET", "/x")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert copied.kind == caught.value.kind
    return copied.kind


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def test_a_connection_that_cannot_be_opened(tls_server: str) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    assert await kind_of(Session("t", base_url=gone, retry=ONCE)) == "connection"
    assert await kind_of(Session("t", base_url=tls_server, retry=ONCE)) == "tls"
    nowhere = "https://nowhere.invalid"
    assert await kind_of(Session("t", base_url=nowhere, retry=ONCE)) == "dns"
    assert await kind_of(Session("t", base_url=nowhere, proxy=gone, retry=ONCE)) == "proxy"


@pytest.mark.parametrize("status", [403, 407, 503])
async def test_a_proxy_that_refuses(status: int) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.reply(b"", status)

    async with RawServer(refuse) as proxy:
        session = Session("t", base_url="https://nowhere.invalid", proxy=proxy.base_url, retry=ONCE)
        assert await kind_of(session) == "proxy"


async def test_an_answer_that_does_not_come(canned: CannedServer) -> None:
    async def hang_up(exchange: Exchange) -> None:
        exchange.close()

    async with RawServer(hang_up) as server:
        assert await kind_of(Session("t", base_url=server.base_url, retry=ONCE)) == "answer"
    canned.respond = lambda _: asyncio.sleep(30, {})
    limits = Timeout(attempt=0.05)
    session = Session("t", base_url=canned.base_url, retry=ONCE, timeout=limits)
    assert await kind_of(session) == "answer"


async def test_a_turn_that_does_not_come(canned: CannedServer) -> None:
    canned.respond = lambda _: asyncio.sleep(30, {})
    async with Session("t", base_url=canned.base_url, max_connections=1) as session:
        first = asyncio.create_task(session.request("GET", "/x"))
        await asyncio.sleep(0.05)
        with pytest.raises(TransportError) as caught:
            await session.with_options(timeout=0.05).request("GET", "/x")
        assert caught.value.kind == "waiting"
        assert not caught.value.sent
    with pytest.raises(TransportError) as closed:
        await first
    assert closed.value.kind == "closed"


async def test_a_token_provider_that_fails(canned: CannedServer) -> None:
    async def broken() -> str:
        raise OSError("no store")

    async def unreachable() -> str:
        raise TransportError("its own platform is away", sent=True, kind="dns")

    async def slow() -> str:
        await asyncio.sleep(30)
        return ""

    service = ClientCredentials(
        "id", "secret", issuer=f"http://127.0.0.1:{free_port()}", retry=ONCE
    )
    for source in (broken, unreachable, slow, service):
        session = Session(source, base_url=canned.base_url, timeout=0.2, retry=ONCE)
        assert await kind_of(session) == "token provider"

    async def signed_out() -> str:
        raise AuthenticationError("revoked", status=401)

    async with Session(signed_out, base_url=canned.base_url) as session:
        with pytest.raises(AuthenticationError):
            await session.request("GET", "/x")
    assert canned.seen == []
