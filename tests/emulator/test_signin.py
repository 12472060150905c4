from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote_plus, urlencode, urlsplit

import aiohttp
import pytest
from caller import Caller, Reply

from itwin_async.emulator import Emulator, EmulatorClock

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CALLBACK = "http://localhost:3301/signin-callback"
VERIFIER = "v" * 50
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
LIST = "/itwins/favorites"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(clock=EmulatorClock(1_800_000_000, frozen=True)) as emulator:
        yield emulator


@pytest.fixture
async def server(emulator: Emulator, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, emulator.base_url, None)


def basic(client_id: str, secret: str) -> dict[str, str]:
    text = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return {**FORM, "Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


async def ask(server: Caller, headers: dict[str, str] | None = None, **form: str) -> Reply:
    return await server("POST", "/connect/token", data=urlencode(form), headers=headers or FORM)


def claims_of(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_discovery(server: Caller) -> None:
    found = (await server("GET", "/.well-known/openid-configuration")).json
    assert found["issuer"] == server.base_url
    assert found["token_endpoint"] == f"{server.base_url}/connect/token"
    assert (await server("GET", found["jwks_uri"])).json == {"keys": []}
    assert (await server("GET", "/connect/odd")).status == 404


async def test_service(server: Caller, emulator: Emulator) -> None:
    emulator.add_client("a b", "s+e:c&r%t", scopes=["itwin-platform", "other"])
    headers = basic("a b", "s+e:c&r%t")
    reply = await ask(
        server, headers, grant_type="client_credentials", scope="itwin-platform other"
    )
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.json["token_type"] == "Bearer"
    assert reply.json["expires_in"] == 3600
    claims = claims_of(reply.json["access_token"])
    assert claims["scope"] == ["itwin-platform", "other"]
    assert claims["exp"] == 1_800_003_600
    assert (claims["client_id"], claims["sub"]) == ("a b", "a b")
    assert claims["name"] == "a b@apps.imsoidc.bentley.com"
    service = server.as_user(reply.json["access_token"])
    assert (await service("GET", LIST)).status == 200
    assert emulator.requests[-1].user == "a b@apps.imsoidc.bentley.com"
    emulator.clock.advance(3599)
    assert (await service("GET", LIST)).status == 200
    emulator.clock.advance(1)
    assert (await service("GET", LIST)).status == 401
    emulator.token_lifetime = 5
    again = await ask(server, headers, grant_type="client_credentials")
    assert (again.json["expires_in"], again.json["scope"]) == (5, "itwin-platform")
    assert again.json["access_token"] != reply.json["access_token"]
    assert [row.grant for row in emulator.token_requests] == ["client_credentials"] * 2
    assert emulator.request_count == 3


@pytest.mark.parametrize(
    ("headers", "form", "status", "error"),
    [
        (basic("demo-service", "wrong"), {}, 401, "invalid_client"),
        (basic("nobody", "demo-secret"), {}, 401, "invalid_client"),
        ({**FORM, "Authorization": "Basic !"}, {}, 401, "invalid_client"),
        ({**FORM, "Authorization": "Bearer x"}, {}, 401, "invalid_client"),
        (FORM, {"client_id": "demo-service", "client_secret": "x"}, 400, "invalid_client"),
        (FORM, {}, 400, "invalid_client"),
        (FORM, {"client_id": "demo-native"}, 400, "unauthorized_client"),
        (basic("demo-service", "demo-secret"), {"scope": "openid"}, 400, "invalid_scope"),
        (basic("demo-service", "demo-secret"), {"scope": "email x"}, 400, "invalid_scope"),
        (basic("demo-service", "demo-secret"), {"scope": "organization"}, 400, "invalid_scope"),
        (basic("demo-service", "demo-secret"), {"scope": "profile"}, 400, "invalid_scope"),
        (basic("demo-service", "demo-secret"), {"scope": "odd"}, 400, "invalid_scope"),
        (
            basic("demo-service", "demo-secret"),
            {"grant_type": "password"},
            400,
            "unsupported_grant_type",
        ),
        ({"Content-Type": "application/json"}, {}, 400, "invalid_request"),
    ],
)
async def test_refusals(
    server: Caller,
    emulator: Emulator,
    headers: dict[str, str],
    form: dict[str, str],
    status: int,
    error: str,
) -> None:
    reply = await ask(server, headers, **{"grant_type": "client_credentials", **form})
    assert (reply.status, reply.json["error"]) == (status, error)
    assert reply.json["error_description"]
    assert ("WWW-Authenticate" in reply.headers) is (status == 401)
    assert emulator.token_requests[-1].error == error


async def test_secret_in_the_form(server: Caller) -> None:
    reply = await ask(
        server,
        grant_type="client_credentials",
        client_id="demo-service",
        client_secret="demo-secret",
        scope="itwin-platform",
    )
    assert reply.status == 200


def authorize(**changes: str) -> str:
    query = {
        "client_id": "demo-native",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "itwin-platform offline_access",
        "state": "st ate",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return "/connect/authorize?" + urlencode({key: value for key, value in query.items() if value})


async def sent_back(server: Caller, **changes: str) -> dict[str, str]:
    reply = await server("GET", authorize(**changes))
    assert reply.status == 302, reply.text
    location = reply.headers["Location"]
    assert location.startswith(CALLBACK + "?")
    return dict(parse_qsl(urlsplit(location).query))


async def exchange(server: Caller, code: str, **changes: str) -> Reply:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "client_id": "demo-native",
        "code_verifier": VERIFIER,
        **changes,
    }
    return await ask(server, **form)


async def refresh(server: Caller, token: str, **changes: str) -> Reply:
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "demo-native"}
    return await ask(server, **{**form, **changes})


async def test_person(server: Caller, emulator: Emulator) -> None:
    back = await sent_back(server, user="ana")
    assert back["state"] == "st ate"
    reply = await exchange(server, back["code"])
    assert reply.status == 200
    claims = claims_of(reply.json["access_token"])
    assert (claims["name"], claims["sub"]) == ("ana", emulator.state.users["ana"].id)
    ana = server.as_user(reply.json["access_token"])
    assert (await ana("GET", LIST)).json["iTwins"] == []
    hinted = await sent_back(server, login_hint="demo@example.com", scope="itwin-platform openid")
    reply = await exchange(server, hinted["code"])
    assert "refresh_token" not in reply.json
    assert claims_of(reply.json["id_token"])["aud"] == "demo-native"
    demo = server.as_user(reply.json["access_token"])
    assert len((await demo("GET", LIST)).json["iTwins"]) == 10


async def test_page_lists_the_users(server: Caller, emulator: Emulator) -> None:
    emulator.add_user("o'brien <b>")
    page = await server("GET", authorize())
    assert page.status == 200
    assert 'id="user-demo"' in page.text
    assert "<b>" not in page.text
    href = page.text.partition('id="user-demo"')[0].rpartition('href="')[2].partition('"')[0]
    followed = await server("GET", href.replace("&amp;", "&"))
    assert followed.status == 302
    assert "code=" in followed.headers["Location"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"denied": "1"}, "access_denied"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "odd"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_refusals_are_sent_back(server: Caller, changes: dict[str, str], error: str) -> None:
    back = await sent_back(server, **changes)
    assert (back["error"], back["state"]) == (error, "st ate")
    assert back["error_description"]


@pytest.mark.parametrize("changes", [{"client_id": "x"}, {"redirect_uri": "http://evil.example"}])
async def test_refusals_that_are_not_sent_anywhere(server: Caller, changes: dict[str, str]) -> None:
    reply = await server("GET", authorize(user="demo", **changes))
    assert reply.status == 400
    assert "Location" not in reply.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "x"},
        {"redirect_uri": "http://localhost:3000/signin-callback"},
        {"code_verifier": "w" * 50},
        {"code_verifier": ""},
        {"client_id": "demo-service", "client_secret": "demo-secret"},
    ],
)
async def test_wrong_exchange(server: Caller, changes: dict[str, str]) -> None:
    back = await sent_back(server, user="demo")
    reply = await exchange(server, **{"code": back["code"], **changes})
    assert (reply.status, reply.json["error"]) == (400, "invalid_grant")


async def test_code_is_good_for_one_minute_and_one_use(server: Caller, emulator: Emulator) -> None:
    late = await sent_back(server, user="demo")
    emulator.clock.advance(61)
    assert (await exchange(server, late["code"])).json["error"] == "invalid_grant"
    back = await sent_back(server, user="demo")
    first = await exchange(server, back["code"])
    assert (await exchange(server, back["code"])).json["error"] == "invalid_grant"
    demo = server.as_user(first.json["access_token"])
    assert (await demo("GET", LIST)).status == 401
    assert (await refresh(server, first.json["refresh_token"])).status == 400


async def test_refresh_tokens_rotate(server: Caller, emulator: Emulator) -> None:
    back = await sent_back(server, user="demo")
    first = (await exchange(server, back["code"])).json
    other = (await exchange(server, (await sent_back(server, user="demo"))["code"])).json
    second = (await refresh(server, first["refresh_token"])).json
    assert second["refresh_token"] != first["refresh_token"]
    demo = server.as_user(second["access_token"])
    assert (await demo("GET", LIST)).status == 200
    assert (await refresh(server, first["refresh_token"])).json["error"] == "invalid_grant"
    assert (await demo("GET", LIST)).status == 401
    assert (await refresh(server, second["refresh_token"])).json["error"] == "invalid_grant"
    assert (await server.as_user(other["access_token"])("GET", LIST)).status == 200
    assert (await refresh(server, other["refresh_token"], scope="email")).status == 400
    emulator.clock.advance(31 * 24 * 3600)
    assert (await refresh(server, other["refresh_token"])).json["error"] == "invalid_grant"


async def test_revocation(server: Caller) -> None:
    back = await sent_back(server, user="demo")
    tokens = (await exchange(server, back["code"])).json

    async def revoke(token: str) -> int:
        form = urlencode({"token": token, "client_id": "demo-native"})
        return (await server("POST", "/connect/revocation", data=form, headers=FORM)).status

    assert await revoke("unknown") == 200
    assert await revoke(tokens["access_token"]) == 200
    demo = server.as_user(tokens["access_token"])
    assert (await demo("GET", LIST)).status == 401
    tokens = (await refresh(server, tokens["refresh_token"])).json
    assert await revoke(tokens["refresh_token"]) == 200
    assert (await refresh(server, tokens["refresh_token"])).status == 400
    reply = await server("POST", "/connect/revocation", data="token=x", headers=FORM)
    assert reply.json["error"] == "invalid_client"


async def test_token_without_the_scope(server: Caller, emulator: Emulator) -> None:
    emulator.add_client("narrow", "s", scopes=["other"])
    reply = await ask(server, basic("narrow", "s"), grant_type="client_credentials", scope="other")
    assert (await server.as_user(reply.json["access_token"])("GET", LIST)).status == 401


async def test_faults_and_reset(server: Caller, emulator: Emulator) -> None:
    emulator.fail("*", status=500)
    emulator.fail("POST /connect/token", status=503, retry_after=1)
    form = {"grant_type": "client_credentials"}
    headers = basic("demo-service", "demo-secret")
    down = await ask(server, headers, **form)
    assert (down.status, down.headers["retry-after"]) == (503, "1")
    assert (await ask(server, headers, **form)).status == 200
    emulator.add_client("mine")
    emulator.reset()
    assert sorted(emulator.clients) == ["demo-native", "demo-service"]
    assert emulator.token_requests == []


async def test_end_of_the_session(server: Caller) -> None:
    target = f"/connect/endsession?post_logout_redirect_uri={quote_plus(CALLBACK)}"
    assert (await server("GET", target)).headers["Location"] == CALLBACK
    page = await server("GET", "/connect/endsession?post_logout_redirect_uri=http://evil.example")
    assert (page.status, "Signed out" in page.text) == (200, True)


async def test_codes_do_not_mix_with_other_queries(server: Caller, emulator: Emulator) -> None:
    emulator.add_client("web", "s", redirect_uris=["http://localhost:1/cb?x=1"])
    reply = await server(
        "GET",
        authorize(
            client_id="web",
            redirect_uri="http://localhost:1/cb?x=1",
            user="demo",
            code_challenge="",
            code_challenge_method="",
        ),
    )
    query = parse_qs(urlsplit(reply.headers["Location"]).query)
    assert query["x"] == ["1"]
    form = {"redirect_uri": "http://localhost:1/cb?x=1", "client_id": "web", "client_secret": "s"}
    assert (await exchange(server, query["code"][0], **form)).status == 200
