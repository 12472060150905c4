from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import pytest
from caller import Caller, error_of

from itwin_async.emulator import Emulator, EmulatorClock, RateLimit

LIST = "/itwins/favorites"
MISSING = {
    "error": {
        "code": "HeaderNotFound",
        "message": "Header Authorization was not found in the request. Access denied.",
    }
}


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "  "}])
async def test_no_token(call: Caller, headers: dict[str, str]) -> None:
    reply = await call.as_user(None)("GET", LIST, headers=headers)
    assert (reply.status, reply.json) == (401, MISSING)


@pytest.mark.parametrize("scheme", ["xyz", "Basic", "BearerX"])
async def test_wrong_scheme(call: Caller, scheme: str) -> None:
    reply = await call("GET", LIST, headers={"Authorization": f"{scheme} token"})
    assert (reply.status, reply.json) == (
        401,
        {
            "error": {
                "code": "InvalidAuthorizationScheme",
                "message": f"Authorization scheme '{scheme}' is not valid.",
            }
        },
    )


async def test_scheme_in_any_case(call: Caller, emulator: Emulator) -> None:
    header = {"Authorization": f"bEaReR {emulator.token}"}
    reply = await call("GET", LIST, headers=header)
    assert len(reply.json["iTwins"]) == 10
    assert (await call("GET", LIST, headers={"Authorization": "Bearer"})).status == 401


async def test_expired_tokens(call: Caller, emulator: Emulator) -> None:
    other = call.as_user(emulator.token_for("demo", fresh=True))
    emulator.expire(emulator.token)
    assert (await call("GET", LIST)).status == 401
    assert (await other("GET", LIST)).status == 200
    emulator.expire_tokens_after(2)
    assert [(await other("GET", LIST)).status for _ in range(3)] == [200, 200, 401]
    fresh = call.as_user(emulator.token_for("demo", fresh=True))
    assert [(await fresh("GET", LIST)).status for _ in range(3)] == [200, 200, 401]
    emulator.expire_tokens_after(None)
    assert (await fresh("GET", LIST)).status == 200
    emulator.reset()
    assert (await call("GET", LIST)).status == 200


async def test_tokens_are_stable(emulator: Emulator) -> None:
    async with Emulator(seed=9) as other:
        assert other.token == emulator.token
        assert other.token_for("ana") == emulator.token_for("ana")
    assert len({emulator.token_for("ana", fresh=True) for _ in range(5)}) == 5


async def make(session: aiohttp.ClientSession, **options: Any) -> tuple[Emulator, Caller]:
    emulator = Emulator(clock=EmulatorClock(1_000_000, frozen=True), **options)
    await emulator.__aenter__()
    return emulator, Caller(session, emulator.base_url, emulator.token)


async def test_window(session: aiohttp.ClientSession) -> None:
    limit = RateLimit(3, 60, header=True)
    emulator, call = await make(session, rate_limit=limit)
    left = [
        (await call("GET", LIST)).headers["iTwinPlatform-RateLimit-RemainingCalls"]
        for _ in range(3)
    ]
    assert left == ["2", "1", "0"]
    emulator.clock.advance(20.5)
    refused = await call("GET", LIST)
    assert (refused.status, refused.headers["retry-after"]) == (429, "40")
    assert refused.json == {
        "error": {
            "code": "TooManyRequests",
            "message": "More requests were received than the subscription rate-limit allows.",
        }
    }
    assert (await call.as_user("another")("GET", LIST)).status == 200
    emulator.clock.advance(39.4)
    assert (await call("GET", LIST)).status == 429
    emulator.clock.advance(0.1)
    assert (await call("GET", LIST)).status == 200
    await emulator.__aexit__(None, None, None)


async def test_words_of_the_imodels_api(session: aiohttp.ClientSession) -> None:
    limit = RateLimit(1, 60, shared=True, per_api=True, retry_after=False)
    emulator, call = await make(session, rate_limit=limit)
    itwin_id = next(iter(emulator.state.itwins))
    path = f"/iModels/favorites?iTwinId={itwin_id}"
    assert (await call("GET", path)).status == 200
    refused = await call.as_user("another")("GET", path)
    assert "retry-after" not in refused.headers
    assert refused.json == {
        "error": {
            "code": "RateLimitExceeded",
            "message": "The client sent more requests than allowed by this API for the current "
            "tier of the client.",
        }
    }
    assert (await call("GET", LIST)).status == 200
    emulator.rate_limit = None
    assert (await call("GET", path)).status == 200
    await emulator.__aexit__(None, None, None)


async def test_bucket(session: aiohttp.ClientSession) -> None:
    emulator, call = await make(session, rate_limit=RateLimit(10, 10, kind="bucket", burst=4))

    async def statuses(count: int) -> list[int]:
        return [(await call("GET", LIST)).status for _ in range(count)]

    assert await statuses(6) == [200, 200, 200, 200, 429, 429]
    emulator.clock.advance(2)
    assert await statuses(3) == [200, 200, 429]
    emulator.clock.advance(1000)
    assert (await statuses(5)).count(200) == 4
    await emulator.__aexit__(None, None, None)


@pytest.mark.parametrize(
    "wrong", [(0, 1), (-1, 1), (1, 0), ("x", 1), (1, 1, "leak"), (1, 1, "bucket", 0)]
)
def test_impossible_limits(wrong: tuple[Any, ...]) -> None:
    with pytest.raises((ValueError, TypeError)):
        RateLimit(*wrong)


async def test_latency(session: aiohttp.ClientSession) -> None:
    async with Emulator(latency=0.05) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.gather(*(call("GET", LIST) for _ in range(10)))
        assert 0.05 <= loop.time() - start < 0.4


@pytest.mark.parametrize("by_token", [False, True])
async def test_next_on_the_last_page(session: aiohttp.ClientSession, by_token: bool) -> None:
    async with Emulator(next_on_last_page=True) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        itwin_id = next(iter(emulator.state.itwins))
        more = "&$continuationToken=" if by_token else ""
        pages = await call.all_pages(f"/imodels/favorites?iTwinId={itwin_id}{more}", "iModels")
        assert [len(page) for page in pages] == [25, 0]
        pages = await call.all_pages(LIST, "iTwins")
        assert [len(page) for page in pages] == [10, 0]
        reply = await call("GET", LIST)
        assert reply.json["_links"]["prev"] == reply.json["_links"]["self"]


async def test_other_links(session: aiohttp.ClientSession) -> None:
    async with Emulator(
        links_origin="https://api.bentley.com", escape_ampersand=True, null_links=True
    ) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        itwin_id = next(iter(emulator.state.itwins))
        reply = await call("GET", f"/imodels/favorites?iTwinId={itwin_id}&$top=2", full=True)
        assert reply.json["_links"]["next"]["href"].startswith("https://api.bentley.com/imodels/")
        assert reply.json["iModels"][0]["_links"]["creator"]["href"].startswith("https://api.b")
        assert "&" not in reply.text
        assert "\\u0026$skip=2" in reply.text
        reply = await call("GET", LIST)
        assert reply.json["_links"]["next"] is None
    async with Emulator(null_links=False) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        reply = await call("GET", f"/imodels/favorites?iTwinId={itwin_id}")
        assert set(reply.json["_links"]) == {"self"}


async def test_hostile_tokens(session: aiohttp.ClientSession) -> None:
    async with Emulator(hostile_tokens=True) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        itwin_id = next(iter(emulator.state.itwins))
        target = f"/imodels/favorites?iTwinId={itwin_id}&$top=10&$continuationToken="
        pages = await call.all_pages(target, "iModels")
        assert [len(page) for page in pages] == [10, 10, 5]
        link = (await call("GET", target)).json["_links"]["next"]["href"]
        assert "%2B" in link
        assert (await call("GET", link.replace("%2B", "+"))).status == 422


async def test_compressed_answers(session: aiohttp.ClientSession) -> None:
    async with Emulator(compress=True) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        reply = await call("GET", LIST)
        assert reply.headers["Content-Encoding"] == "gzip"
        assert len(reply.json["iTwins"]) == 10
        plain = await call("GET", LIST, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        assert plain.json == reply.json


async def test_body_that_is_too_large(call: Caller) -> None:
    reply = await call("POST", "/savedviews/tags", data=io.BytesIO(b"x" * (2 << 20)))
    assert (reply.status, error_of(reply)["code"]) == (413, "RequestTooLarge")


async def test_links_name_the_host_that_was_asked(call: Caller, emulator: Emulator) -> None:
    port = emulator.base_url.rpartition(":")[2]
    reply = await call("GET", f"http://localhost:{port}{LIST}?$top=1")
    assert reply.json["_links"]["next"]["href"].startswith(f"http://localhost:{port}/iTwins/")


async def test_it_does_not_run() -> None:
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.base_url


async def test_only_known_tokens(session: aiohttp.ClientSession) -> None:
    async with Emulator(any_token=False) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        assert (await call("GET", LIST)).status == 200
        assert (await call.as_user(emulator.token_for("ana"))("GET", LIST)).status == 200
        refused = await call.as_user("any other")("GET", LIST)
        assert refused.status == 401
        assert error_of(refused) == {
            "code": "Unauthorized",
            "message": "Access denied due to invalid access_token. Make sure that issuer is "
            "correct, the token is not expired and is not corrupted.",
        }
