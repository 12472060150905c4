from __future__ import annotations

import io

import aiohttp
import pytest
from caller import Caller

from itwin_async.emulator import Emulator, Fault, RateLimit

LIST = "/itwins/favorites"
PAGE = {"Origin": "http://localhost:3000"}
ASKS = {
    **PAGE,
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization,prefer,x-odd",
}


@pytest.mark.parametrize(
    "path", ["/imodels/favorites/x", LIST, "/savedviews/tags", "/connect/token"]
)
async def test_preflight(call: Caller, emulator: Emulator, path: str) -> None:
    emulator.rate_limit = RateLimit(1, 60)
    emulator.fail("*", status=503)
    reply = await call.as_user(None)("OPTIONS", path, headers=ASKS)
    assert (reply.status, reply.text) == (204, "")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in reply.headers["Access-Control-Allow-Methods"].split(", ")
    assert reply.headers["Access-Control-Allow-Headers"] == "authorization,prefer,x-odd"
    assert int(reply.headers["Access-Control-Max-Age"]) > 0
    assert emulator.requests == []
    assert emulator.faults[0].matched == 0


async def test_a_preflight_without_headers_names_what_may_be_sent(call: Caller) -> None:
    asks = {**PAGE, "Access-Control-Request-Method": "GET"}
    reply = await call("OPTIONS", LIST, headers=asks)
    allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Accept", "Prefer", "Content-Type"} <= set(allowed)


async def test_options_without_a_preflight_is_a_request(call: Caller, emulator: Emulator) -> None:
    assert (await call("OPTIONS", LIST, headers=PAGE)).status == 405
    assert [str(request) for request in emulator.requests] == [f"OPTIONS {LIST} -> 405"]


async def test_any_page_may_read_every_answer(call: Caller, emulator: Emulator) -> None:
    anonymous = call.as_user(None)
    replies = [
        await call("GET", LIST, headers=PAGE),
        await call("GET", LIST),
        await anonymous("GET", LIST, headers=PAGE),
        await call("GET", "/nothing", headers=PAGE),
        await call("GET", f"{LIST}?$top=0", headers=PAGE),
        await call("POST", "/savedviews/tags", data=io.BytesIO(b"x" * (2 << 20)), headers=PAGE),
        await anonymous("GET", "/.well-known/openid-configuration", headers=PAGE),
        await anonymous("POST", "/connect/token", headers=PAGE),
    ]
    for fault in (Fault(status=503), Fault(trickle=500, tick=0), Fault(content_type="text/html")):
        emulator.fault(fault)
        replies.append(await call("GET", LIST, headers=PAGE))
    emulator.rate_limit = RateLimit(1, 60)
    replies += [await call("GET", LIST, headers=PAGE) for _ in range(2)]
    assert [reply.status for reply in replies] == [
        *(200, 200, 401, 404, 422, 413, 200, 400, 503, 200, 200, 200, 429)
    ]
    for reply in replies:
        assert reply.headers.getall("Access-Control-Allow-Origin") == ["*"]
        exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"Location", "Retry-After", "X-Correlation-Id", "X-Max-Return"} <= set(exposed)
        assert "iTwinPlatform-RateLimit-RemainingCalls" in exposed


async def test_compressed_answers_too(session: aiohttp.ClientSession) -> None:
    async with Emulator(compress=True) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        reply = await call("GET", LIST, headers=PAGE)
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_fault_may_close_the_platform_to_pages(call: Caller, emulator: Emulator) -> None:
    emulator.fault(Fault(headers={"access-control-allow-origin": "https://other.example"}))
    reply = await call("GET", LIST, headers=PAGE)
    assert reply.headers.getall("Access-Control-Allow-Origin") == ["https://other.example"]


async def test_pages_of_others_do_not_control_the_emulator(call: Caller) -> None:
    reply = await call("OPTIONS", "/_emulator/reset", headers=ASKS)
    assert reply.status == 404
    state = await call("GET", "/_emulator/state", headers=PAGE)
    assert "Access-Control-Allow-Origin" not in state.headers
