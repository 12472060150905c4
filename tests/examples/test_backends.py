from __future__ import annotations

import asyncio
import importlib
import json
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from backends import FRAMEWORKS, LIST, SMALL, Backend, connections, path_of, running
from doubles import until

from itwin_async import ConfigurationError, RetryPolicy, Timeout, TransportError
from itwin_async.emulator import EmulatorThread, Fault

PATIENT = 100.0  # seconds that nothing here may really last
ONCE = RetryPolicy(retries=0, rate_limit_retries=0)

pytestmark = pytest.mark.parametrize("framework", FRAMEWORKS)


def add_user(emulator: EmulatorThread, name: str, share: slice) -> tuple[str, list[str]]:
    """Make a user whose favorites are a part of all iModels."""
    mine = list(emulator.state.imodels.values())[share]
    emulator.add_user(name)
    emulator.favorite(name, *mine)
    return emulator.token_for(name), [imodel.id for imodel in mine]


def calls_of(emulator: EmulatorThread, user: str) -> int:
    return sum(call.user == user for call in emulator.requests)


async def test_users_get_their_own_while_one_of_them_leaves(
    framework: str, platform: EmulatorThread
) -> None:
    users = {f"user{number}": slice(number * 40, number * 40 + 250) for number in range(10)}
    known = {name: add_user(platform, name, share) for name, share in users.items()}
    leaver, _ = add_user(platform, "leaver", slice(0, 650))
    path = path_of(platform)
    gone = asyncio.Event()
    # Pages of the one who leaves come slowly enough to leave between them.
    platform.fault(Fault(match=LIST, user="leaver", times=None, latency=0.05))
    async with running(framework, platform.base_url) as backend:

        async def leave() -> None:
            async with backend.get(path, leaver) as response:
                for _ in range(150):
                    json.loads(await response.content.readline())
                response.close()
            gone.set()

        async def stay(name: str) -> list[str]:
            token, _ = known[name]
            rows = await backend.lines(path, token)
            await gone.wait()
            again = await backend.lines(path, token)
            assert rows == again
            return [row["id"] for row in rows]

        async with asyncio.TaskGroup() as group:
            group.create_task(leave())
            stays = {name: group.create_task(stay(name)) for name in users}
        assert {name: task.result() for name, task in stays.items()} == {
            name: ids for name, (_, ids) in known.items()
        }
        await until(lambda: backend.busy == 0)
        seen = calls_of(platform, "leaver")
        assert 2 <= seen <= 4  # of seven pages: those that were read, and one ahead
        await asyncio.sleep(0.15)
        assert calls_of(platform, "leaver") == seen
        assert all(calls_of(platform, name) == 6 for name in users)
    await until(lambda: connections(platform) == 0)


STALLS: dict[str, Callable[[EmulatorThread], object]] = {
    "answer": lambda it: it.fault(Fault(match=LIST, after=1, times=None, latency=PATIENT)),
    "retry": lambda it: it.fail(LIST, status=503, retry_after=PATIENT, times=None, after=1),
    "limit": lambda it: it.fail(LIST, status=429, retry_after=PATIENT, times=None, after=1),
}


@pytest.mark.parametrize("stall", STALLS)
async def test_a_browser_may_leave_while_the_platform_stalls(
    framework: str, stall: str, platform: EmulatorThread
) -> None:
    STALLS[stall](platform)
    token = platform.token
    retry = RetryPolicy(max_retry_after=2 * PATIENT)
    async with running(framework, platform.base_url, retry=retry) as backend:
        idle = len(asyncio.all_tasks())
        async with backend.get(path_of(platform), token) as response:
            # The first page is here although the second will not come.
            rows = [json.loads(await response.content.readline()) for _ in range(100)]
            assert len({row["id"] for row in rows}) == 100
            await until(lambda: platform.request_count >= 2)
            assert len(asyncio.all_tasks()) > idle
            response.close()
        await until(lambda: backend.busy == 0 and len(asyncio.all_tasks()) <= idle)
        assert platform.request_count == 2
    await until(lambda: connections(platform) == 0)


async def test_a_browser_may_leave_before_the_first_page(
    framework: str, platform: EmulatorThread
) -> None:
    platform.fail(LIST, status=503, retry_after=PATIENT, times=None)
    token = platform.token
    async with running(framework, platform.base_url) as backend:
        idle = len(asyncio.all_tasks())
        asking = asyncio.create_task(backend.lines(path_of(platform), token))
        await until(lambda: platform.request_count == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: backend.busy == 0 and len(asyncio.all_tasks()) <= idle)
    assert platform.request_count == 1


async def test_a_browser_that_does_not_read_is_waited_for(
    framework: str, platform: EmulatorThread
) -> None:
    itwin_id = next(iter(platform.state.itwins))
    for number in range(4000):
        record = platform.add_imodel(itwin_id, f"{number} {'x' * 200}")
        platform.favorite("demo", record)
    token, path = platform.token, path_of(platform)
    async with running(framework, platform.base_url) as backend:
        host, port = backend.url.removeprefix("http://").split(":")
        lazy = socket.socket()
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        lazy.connect((host, int(port)))
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        lazy.sendall(head.encode())
        await until(lambda: platform.request_count >= 2)
        seen = -1
        while seen != platform.request_count:
            seen = platform.request_count
            await asyncio.sleep(0.2)
        assert seen < 30  # of 47
        assert len(await backend.lines(path, token)) == 4650  # nobody else waits
        lazy.close()
        await until(lambda: backend.busy == 0)


REFUSALS: dict[str, tuple[Callable[[EmulatorThread], object], int, str]] = {
    "expired": (lambda it: it.expire(it.token), 401, "AuthenticationError"),
    "forbidden": (lambda it: it.fail(LIST, status=403), 403, "PermissionDeniedError"),
    "conflict": (lambda it: it.fail(LIST, status=409), 409, "ConflictError"),
    "refused": (lambda it: it.fail(LIST, status=422), 422, "InvalidRequestError"),
    "limited": (lambda it: it.fail(LIST, status=429, retry_after=7), 503, "RateLimitError"),
    "failed": (lambda it: it.fail(LIST, status=500), 502, "ServerError"),
    "redirected": (lambda it: it.fail(LIST, status=302), 502, "ApiError"),
    "dropped": (lambda it: it.fault(Fault(match=LIST, drop="before")), 502, "TransportError"),
    "slow": (lambda it: it.fault(Fault(match=LIST, latency=PATIENT)), 504, "TransportError"),
    "nonsense": (lambda it: it.fault(Fault(match=LIST, malformed=True)), 502, "DecodeError"),
    "astray": (lambda it: it.fault(Fault(match=LIST, next="foreign")), 502, "PaginationError"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_errors_become_answers(
    framework: str, refusal: str, platform: EmulatorThread
) -> None:
    happen, status, kind = REFUSALS[refusal]
    token = platform.token
    happen(platform)
    limits = Timeout(attempt=0.3 if refusal == "slow" else 60)
    async with (
        running(framework, platform.base_url, retry=ONCE, limits=limits) as backend,
        backend.get(path_of(platform), token) as response,
    ):
        assert response.status == status
        assert response.content_type == "application/json"
        assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
        assert response.headers.get("Retry-After") == ("7" if status == 503 else None)
        error = (await response.json())["error"]
        assert (error["type"], error["status"]) == (kind, status)
        assert error["requestId"]
        assert token not in await response.text()


async def test_what_the_browser_did_wrong_costs_no_request(
    framework: str, platform: EmulatorThread
) -> None:
    token, path = platform.token, path_of(platform)
    async with running(framework, platform.base_url) as backend:
        wrong: list[tuple[dict[str, str], str, int]] = [
            ({}, path, 401),
            ({"Authorization": "Basic Zm9vOmJhcg=="}, path, 401),
            ({"Authorization": "Bearer"}, path, 401),
            ({"Authorization": "Bearer a b"}, path, 401),
            ({"Authorization": f"Bearer {token}"}, f"{path}?cursor=nonsense", 400),
            ({"Authorization": f"Bearer {token}"}, "/itwins/no-guid/favorites", 400),
        ]
        for headers, where, status in wrong:
            async with backend.browser.get(f"{backend.url}{where}", headers=headers) as response:
                assert response.status == status, (headers, where)
                assert response.content_type == "application/json"
                assert (await response.json())["error"]["message"]
        with pytest.raises(TransportError):
            await own_call(backend)
    assert platform.request_count == 0


async def own_call(backend: Backend) -> None:
    await backend.session.request("GET", "/itwins/favorites")


async def test_the_shared_session_is_nobody(framework: str) -> None:
    module = importlib.import_module(f"examples.{framework}_app")
    async with module.open_session() as session:
        assert str(session.base_url) == "https://api.bentley.com/"
        with pytest.raises(ConfigurationError, match="for its users only"):
            await session.request("GET", "/itwins/favorites")


async def test_a_late_failure_is_the_last_line_and_says_where_to_go_on(
    framework: str, platform: EmulatorThread
) -> None:
    platform.fail(LIST, status=500, times=None, after=3)
    token, path = platform.token, path_of(platform)
    async with running(framework, platform.base_url, retry=ONCE) as backend:
        *rows, last = await backend.lines(path, token)
        assert (last["error"]["status"], len(rows)) == (502, 300)
        platform.clear_faults()
        rows += await backend.lines(path, token, cursor=last["error"]["cursor"])
    assert [row["id"] for row in rows] == list(platform.state.imodels)


async def test_itwins_and_writes(framework: str, platform: EmulatorThread) -> None:
    token, other = platform.token, platform.token_for("other")
    itwin, imodel = next(iter(platform.state.itwins.values())), next(iter(platform.state.imodels))
    async with running(framework, platform.base_url) as backend:
        (row,) = await backend.lines("/itwins/favorites", token)
        assert (row["id"], row["displayName"]) == (itwin.id, itwin.display_name)
        assert await backend.lines(path_of(platform), other) == []
        headers = {"Authorization": f"Bearer {other}"}
        unknown = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
        for method, which, status, left in (
            ("PUT", imodel, 204, [imodel]),
            ("PUT", unknown, 404, [imodel]),
            ("DELETE", imodel, 204, []),
        ):
            url = f"{backend.url}/imodels/{which}/favorite"
            async with backend.browser.request(method, url, headers=headers) as response:
                assert response.status == status
            rows = await backend.lines(path_of(platform), other)
            assert [row["id"] for row in rows] == left


class SoonRefused:
    """A user's sign-in as a backend keeps it: hands out tokens that the platform soon refuses."""

    def __init__(self, emulator: EmulatorThread, user: str) -> None:
        self.emulator, self.user, self.renewals = emulator, user, 0
        self.token = emulator.token_for(user)

    async def get_token(self) -> str:
        return self.token

    def invalidate(self, token: str) -> None:
        if token == self.token:
            self.renewals += 1
            self.token = self.emulator.token_for(self.user, fresh=True)


async def test_a_backend_may_keep_the_sign_ins_itself(
    framework: str, platform: EmulatorThread
) -> None:
    sign_ins = {name: SoonRefused(platform, name) for name in ("demo", "other")}

    def of_cookie(request: Any) -> SoonRefused:
        return sign_ins[request.cookies["user"]]

    async with running(framework, platform.base_url, credentials=of_cookie) as backend:
        platform.expire_tokens_after(2)
        for user, amount in (("demo", 650), ("other", 0)):
            url, cookies = f"{backend.url}{path_of(platform)}", {"user": user}
            async with (
                aiohttp.ClientSession(cookies=cookies) as browser,
                browser.get(url) as response,
            ):
                assert len((await response.text()).splitlines()) == amount
    assert sign_ins["demo"].renewals >= 3
    assert sign_ins["other"].renewals == 0


async def test_shutdown_ends_a_stream_that_stalls(framework: str, platform: EmulatorThread) -> None:
    platform.fault(Fault(match=LIST, after=1, times=None, latency=PATIENT))
    path, token = path_of(platform), platform.token
    async with aiohttp.ClientSession() as browser:
        async with running(framework, platform.base_url, grace=0.1) as backend:
            headers = {"Authorization": f"Bearer {token}"}
            response = await browser.get(f"{backend.url}{path}", headers=headers)
            for _ in range(100):
                json.loads(await response.content.readline())
        # What came is no complete answer, and the browser can tell, or it says why it ended.
        try:
            rest = [json.loads(line) async for line in response.content]
        except aiohttp.ClientPayloadError:
            rest = [{"error": None}]
        assert "error" in rest[-1]
        response.close()
    await until(lambda: connections(platform) == 0)
    assert platform.request_count == 2
