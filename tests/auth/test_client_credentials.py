from __future__ import annotations

import asyncio
import base64
import pickle
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

import aiohttp.abc
import pytest
from aiohttp import web
from doubles import Exchange, FakeClock, RawServer, skip_time, until

from itwin_async import (
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Session,
    Timeout,
    TransportError,
    itwins,
)
from itwin_async.auth import ClientCredentials
from itwin_async.emulator import Emulator, EmulatorThread, Fault

TOKEN = "POST /connect/token"
DISCOVERY = "GET /.well-known/openid-configuration"


@pytest.fixture
def asked(emulator: Emulator) -> Callable[[str], int]:
    """How often something was asked of the sign-in server, failures included."""
    counters = {
        match: emulator.fault(Fault(match=match, times=None, after=10**9, status=500))
        for match in (TOKEN, DISCOVERY)
    }
    return lambda match: counters[match].matched


@pytest.fixture
def service(emulator: Emulator, policy: RetryPolicy) -> ClientCredentials:
    return ClientCredentials(
        "demo-service", "demo-secret", issuer=f"{emulator.base_url}/", retry=policy
    )


async def test_a_session_works_with_a_service(
    asked: Callable[[str], int], emulator: Emulator, service: ClientCredentials
) -> None:
    async with Session(service, base_url=emulator.base_url) as session:
        for _ in range(3):
            await itwins.list_favorites(session).collect()
    assert [(one.grant, one.status) for one in emulator.token_requests] == [
        ("client_credentials", 200)
    ]
    assert asked(DISCOVERY) == 1


async def test_a_thousand_tasks_share_one_request(
    asked: Callable[[str], int], emulator: Emulator, service: ClientCredentials
) -> None:
    emulator.fail(TOKEN, status=503)
    tokens = await asyncio.gather(*(service.get_token() for _ in range(1000)))
    assert len(set(tokens)) == 1
    assert [one.status for one in emulator.token_requests] == [200]
    assert asked(TOKEN) == 2


async def test_a_thousand_tasks_share_one_request_again_after_expiry(
    emulator: Emulator, service: ClientCredentials, clock: FakeClock
) -> None:
    first = await service.get_token()
    clock.now += 3600 - 59  # given up a minute before its end
    tokens = set(await asyncio.gather(*(service.get_token() for _ in range(1000))))
    assert len(tokens) == 1
    assert first not in tokens
    assert len(emulator.token_requests) == 2


async def test_ahead_of_the_end_one_renews_and_the_others_go_on(
    emulator: Emulator, service: ClientCredentials, clock: FakeClock
) -> None:
    first = await service.get_token()
    clock.now += 3600 - 601
    assert await service.get_token() == first
    clock.now += 2
    tokens = await asyncio.gather(*(service.get_token() for _ in range(100)))
    assert sorted(token == first for token in tokens) == [False] + [True] * 99
    assert len(emulator.token_requests) == 2
    assert await service.get_token() != first
    assert len(emulator.token_requests) == 2


async def test_a_failed_early_renewal_disturbs_nobody(
    asked: Callable[[str], int], emulator: Emulator, service: ClientCredentials, clock: FakeClock
) -> None:
    first = await service.get_token()
    clock.now += 3100
    emulator.fail(TOKEN, status=503, times=2)
    before = clock.now
    assert {await service.get_token() for _ in range(5)} == {first}
    assert clock.now == before, "nobody waits while the token is good"
    assert asked(TOKEN) == 2
    clock.now += 31
    assert await service.get_token() == first
    clock.now += 31
    assert await service.get_token() != first


async def test_a_short_life_is_used_for_most_of_its_length(
    emulator: Emulator, service: ClientCredentials, clock: FakeClock
) -> None:
    emulator.token_lifetime = 10
    first = await service.get_token()
    clock.now += 7.9
    assert await service.get_token() == first
    clock.now += 1.7
    assert await service.get_token() != first


async def test_nothing_happens_while_nobody_asks(
    emulator: Emulator, service: ClientCredentials, clock: FakeClock
) -> None:
    tasks = asyncio.all_tasks()
    await service.get_token()
    clock.now += 86400
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == tasks
    assert len(emulator.token_requests) == 1


async def test_a_refused_token_is_replaced_once(
    emulator: Emulator, service: ClientCredentials
) -> None:
    async with Session(service, base_url=emulator.base_url) as session:
        emulator.expire(await service.get_token())
        await asyncio.gather(*(itwins.list_favorites(session).first() for _ in range(50)))
    assert len(emulator.token_requests) == 2


async def test_refusing_an_old_token_changes_nothing(
    emulator: Emulator, service: ClientCredentials
) -> None:
    first = await service.get_token()
    service.invalidate(first)
    second = await service.get_token()
    service.invalidate(first)
    assert await service.get_token() == second
    assert len(emulator.token_requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
async def test_failures_of_the_server_are_waited_out(
    asked: Callable[[str], int],
    emulator: Emulator,
    service: ClientCredentials,
    clock: FakeClock,
    status: int,
) -> None:
    emulator.fail(TOKEN, status=status, times=3)
    emulator.fail(DISCOVERY, status=status, times=1)
    assert await service.get_token()
    assert asked(TOKEN) == 4
    assert len(clock.sleeps) >= 4
    assert sum(clock.sleeps) < 10


async def test_what_the_server_asks_to_wait_is_waited(
    emulator: Emulator, service: ClientCredentials, clock: FakeClock
) -> None:
    emulator.fail(TOKEN, status=503, retry_after=7)
    await service.get_token()
    assert 7 <= clock.sleeps[0] < 8


async def test_endless_failures_end_in_an_error_for_each_and_one_burst_for_all(
    asked: Callable[[str], int], emulator: Emulator, service: ClientCredentials
) -> None:
    emulator.fail(TOKEN, status=503, times=1000)
    found = await asyncio.gather(*(service.get_token() for _ in range(200)), return_exceptions=True)
    assert {type(one) for one in found} == {ServerError}
    assert len({id(one) for one in found}) == 200
    assert asked(TOKEN) == 5
    emulator.clear_faults()
    assert await service.get_token()


async def test_a_server_that_cannot_be_reached_is_a_transport_error(policy: RetryPolicy) -> None:
    service = ClientCredentials("a", "b", issuer="http://127.0.0.1:9", retry=policy)
    with pytest.raises(TransportError) as caught:
        await service.get_token()
    assert not caught.value.sent


async def by_provider(service: ClientCredentials) -> None:
    await service.get_token()


async def by_session(service: ClientCredentials) -> None:
    async with Session(service, base_url="http://127.0.0.1:9") as session:
        await session.request("GET", "/x")


WAYS = pytest.mark.parametrize("way", [by_provider, by_session])
Way = Callable[[ClientCredentials], Awaitable[None]]


@WAYS
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (302, ""), (403, "<html>"), (404, "<html>"), (405, ""), (408, ""), (500, "<html>"),
        (503, ""),
        (503, {"error": "invalid_client"}), (400, {"error": "temporarily_unavailable"}),
        (400, {"error": "server_error"}),
    ],
)  # fmt: skip
async def test_an_outage_is_not_a_rejection(
    policy: RetryPolicy, way: Way, status: int, answer: object
) -> None:
    async with Strange(answer) as server:
        server.token_status = status
        with pytest.raises(ServerError) as caught:
            await way(ClientCredentials("a", "b", issuer=server.url, retry=policy))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("status", "answer"),
    [(400, {"error": "invalid_grant"}), (400, ""), (401, ""), (404, {"error": "invalid_client"})],
)  # fmt: skip
async def test_a_rejection_is_an_authentication_error(
    policy: RetryPolicy, status: int, answer: object
) -> None:
    async with Strange(answer) as server:
        server.token_status = status
        with pytest.raises(AuthenticationError) as caught:
            await ClientCredentials("a", "b", issuer=server.url, retry=policy).get_token()
    assert caught.value.status == status


class NoSuchHost(aiohttp.abc.AbstractResolver):
    async def resolve(self, *_: object, **__: object) -> list[aiohttp.abc.ResolveResult]:
        raise OSError("no such host")

    async def close(self) -> None: ...


@WAYS
async def test_a_name_that_cannot_be_resolved_is_a_transport_error(
    policy: RetryPolicy, way: Way
) -> None:
    connector = aiohttp.TCPConnector(resolver=NoSuchHost())
    async with aiohttp.ClientSession(connector=connector) as client:
        service = ClientCredentials(
            "a", "b", issuer="https://sign-in.example", retry=policy, client_session=client
        )
        with pytest.raises(TransportError):
            await way(service)


@WAYS
async def test_a_server_that_never_answers_is_a_transport_error(way: Way) -> None:
    async def never(exchange: Exchange) -> None:
        await asyncio.sleep(5)

    async with RawServer(never) as server:
        service = ClientCredentials(
            "a", "b", issuer=server.base_url, timeout=Timeout(total=0.2, attempt=0.1)
        )
        with pytest.raises(TransportError) as caught:
            await way(service)
    assert caught.value.timeout


async def test_a_slow_server_is_left_and_asked_again(
    asked: Callable[[str], int], emulator: Emulator
) -> None:
    service = ClientCredentials(
        "demo-service",
        "demo-secret",
        issuer=emulator.base_url,
        retry=RetryPolicy(base=0),
        timeout=Timeout(total=200, attempt=30),
    )
    emulator.fault(Fault(match=TOKEN, times=1, latency=20))
    token = asyncio.create_task(service.get_token())
    await until(lambda: asked(TOKEN))
    skip_time(31)
    assert await token
    assert asked(TOKEN) == 2


async def test_whoever_waits_may_leave_and_the_next_goes_on(
    asked: Callable[[str], int], emulator: Emulator, service: ClientCredentials
) -> None:

    emulator.fault(Fault(match=TOKEN, times=1, latency=0.3))
    leader = asyncio.create_task(service.get_token())
    await until(lambda: asked(TOKEN))
    others = [asyncio.create_task(service.get_token()) for _ in range(20)]
    await asyncio.sleep(0)
    leader.cancel()
    assert len(set(await asyncio.gather(*others))) == 1
    assert leader.cancelled()


@pytest.mark.parametrize(
    ("client_id", "secret", "scopes", "code"),
    [
        ("demo-service", "wrong", "itwin-platform", "invalid_client"),
        ("unknown", "demo-secret", "itwin-platform", "invalid_client"),
        ("demo-service", "demo-secret", "imodels:read", "invalid_scope"),
    ],
)
async def test_a_rejection_has_a_code_and_is_not_repeated(
    asked: Callable[[str], int],
    emulator: Emulator,
    policy: RetryPolicy,
    client_id: str,
    secret: str,
    scopes: str,
    code: str,
) -> None:
    service = ClientCredentials(
        client_id, secret, scopes=scopes, issuer=emulator.base_url, retry=policy
    )
    with pytest.raises(AuthenticationError) as caught:
        await service.get_token()
    assert caught.value.code == code
    assert caught.value.path == "/connect/token"
    assert asked(TOKEN) == 1
    async with Session(service, base_url=emulator.base_url) as session:
        with pytest.raises(AuthenticationError) as again:
            await itwins.list_favorites(session)
        assert again.value.code == code
    assert not emulator.calls("GET /itwins/**")


@pytest.mark.parametrize("scope", ["openid", "email", "profile", "organization"])
async def test_scopes_of_a_person_are_refused_before_any_request(
    emulator: Emulator, scope: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        ClientCredentials(
            "demo-service", "demo-secret", ["itwin-platform", scope], emulator.base_url
        )
    assert caught.value.argument == "scopes"
    assert emulator.request_count == 0


@pytest.mark.parametrize("scopes", [(), "", ["a b"], [""], [5], None, 7])
def test_nonsense_is_no_scope(scopes: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        ClientCredentials("a", "b", scopes)  # type: ignore[arg-type]
    assert caught.value.argument == "scopes"


@pytest.mark.parametrize("client_id", ["", " ", None, "a\nb"])
def test_nonsense_is_no_client_id(client_id: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        ClientCredentials(client_id, "b")  # type: ignore[arg-type]
    assert caught.value.argument == "client_id"


@pytest.mark.parametrize("secret", ["", None, b"x", "\ud800"])
def test_nonsense_is_no_secret(secret: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        ClientCredentials("a", secret)  # type: ignore[arg-type]
    assert caught.value.argument == "client_secret"


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [("a:b", "c d+e%"), ("ü@x", "p&q=r/~*'(:)"), ("plain", "%20%20  ++"), ("x y", "ä:ö\u2603")],
)
async def test_id_and_secret_are_form_encoded_each(
    emulator: Emulator, client_id: str, secret: str
) -> None:
    emulator.add_client(client_id, secret)
    service = ClientCredentials(client_id, secret, issuer=emulator.base_url)
    assert await service.get_token()
    assert emulator.token_requests[-1].client_id == client_id


async def test_blanks_become_plus_signs_and_the_secret_is_not_in_the_form() -> None:
    async with Strange({"access_token": "x"}) as server:
        await ClientCredentials("a b", "c d e", issuer=server.url).get_token()
    kind, _, value = server.headers[-1]["Authorization"].partition(" ")
    assert (kind, base64.b64decode(value)) == ("Basic", b"a+b:c+d+e")
    assert server.forms == [{"grant_type": "client_credentials", "scope": "itwin-platform"}]
    assert "Authorization" not in server.headers[0], "whoever asks for addresses shows no secret"


async def test_one_provider_serves_one_loop_after_another(policy: RetryPolicy) -> None:
    def run() -> set[str]:

        with EmulatorThread() as emulator:
            service = ClientCredentials("demo-service", "demo-secret", issuer=emulator.base_url)

            async def all_of_them() -> list[str]:
                return await asyncio.gather(*(service.get_token() for _ in range(5)))

            first = asyncio.run(all_of_them())
            service.invalidate(first[0])
            return {*first, *asyncio.run(all_of_them())}

    assert len(await asyncio.to_thread(run)) == 2


def test_a_provider_shows_and_pickles_no_secret() -> None:
    service = ClientCredentials("me", "a-secret-of-mine")
    assert repr(service) == "<ClientCredentials 'me' at 'https://ims.bentley.com'>"
    with pytest.raises(TypeError):
        pickle.dumps(service)


class Strange:
    """A sign-in server with an answer of the test's choice."""

    def __init__(self, answer: object, **document: object) -> None:
        self.answer = answer
        self.token_status = 200
        self.document = document
        self.asked: list[str] = []
        self.url = ""
        self.headers: list[Mapping[str, str]] = []
        self.forms: list[dict[str, object]] = []

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        self.headers.append(request.headers)
        if request.path == "/t":
            self.forms.append(dict(await request.post()))
            if isinstance(self.answer, str):
                return web.Response(status=self.token_status, text=self.answer)
            return web.json_response(self.answer, status=self.token_status)
        if self.document.get("status"):
            return web.Response(status=int(str(self.document["status"])), text="<html>")
        if self.document.get("text"):
            return web.Response(text=str(self.document["text"]))
        return web.json_response(
            {"issuer": self.url, "token_endpoint": f"{self.url}/t"} | self.document
        )

    async def __aenter__(self) -> Self:
        self.runner = web.ServerRunner(web.Server(self))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


@pytest.mark.parametrize(
    "answer",
    [
        "nonsense", [], {}, {"access_token": ""}, {"access_token": 5}, {"access_token": "a\nb"},
        {"access_token": "a", "token_type": "mac"}, {"access_token": "a", "token_type": 1},
    ],
)  # fmt: skip
async def test_an_answer_without_a_token_is_a_decode_error(answer: object) -> None:
    async with Strange(answer) as server:
        with pytest.raises(DecodeError) as caught:
            await ClientCredentials("a", "b", issuer=server.url).get_token()
    assert caught.value.path == "/t"


@pytest.mark.parametrize(
    ("said", "still_good_after"),
    [(None, 2900), ("nonsense", 2900), (-5, 2900), ("120", 90), (120, 90), (120.5, 90)],
)
async def test_a_life_that_is_not_said_is_an_hour(
    clock: FakeClock, policy: RetryPolicy, said: object, still_good_after: float
) -> None:
    answer = {"access_token": "opaque", "token_type": "bearer", "expires_in": said}
    async with Strange(answer) as server:
        service = ClientCredentials("a", "b", issuer=server.url, retry=policy)
        await service.get_token()
        clock.now += still_good_after
        await service.get_token()
        assert server.asked.count("POST /t") == 1
        clock.now += still_good_after
        await service.get_token()
        assert server.asked.count("POST /t") == 2


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"issuer": "https://other.example"}, ConfigurationError),
        ({"issuer": None}, ConfigurationError),
        ({"token_endpoint": "http://example.com/t"}, ConfigurationError),
        ({"token_endpoint": "https://u:p@example.com/t"}, ConfigurationError),
        ({"token_endpoint": "/t"}, ConfigurationError),
        ({"token_endpoint": 5}, DecodeError),
        ({"token_endpoint": ""}, DecodeError),
        ({"text": "<html>"}, DecodeError),
        ({"status": 404}, ConfigurationError),
        ({"status": 302}, ConfigurationError),
        ({"status": 401}, ConfigurationError),
        ({"status": 500}, ServerError),
        ({"status": 429}, RateLimitError),
    ],
)
async def test_a_secret_goes_nowhere_that_is_not_safe(
    policy: RetryPolicy, document: dict[str, object], error: type[Exception]
) -> None:
    async with Strange({"access_token": "a"}, **document) as server:
        with pytest.raises(error):
            await ClientCredentials("a", "b", issuer=server.url, retry=policy).get_token()
        assert "POST /t" not in server.asked


@pytest.mark.parametrize(
    "issuer",
    ["http://ims.bentley.com", "ims.bentley.com", "", "https://u:p@x.com", "https://x.com/?a=1",
     "ftp://127.0.0.1", "https://x.com/#f", "https://x .com", "https://x.com:99999"],
)  # fmt: skip
def test_an_issuer_must_be_safe(issuer: str) -> None:
    with pytest.raises(ConfigurationError, match="issuer"):
        ClientCredentials("a", "b", issuer=issuer)
