"""What the example backends show beside lists: errors of task groups and sign-ins, and a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chromium
import pytest
from backends import FRAMEWORKS, LIST, path_of, running

from itwin_async import AuthenticationError, RetryPolicy, TransportError
from itwin_async.emulator import EmulatorThread, Fault

ONCE = RetryPolicy(retries=0, rate_limit_retries=0)
CHROMIUM = chromium.find()

both = pytest.mark.parametrize("framework", FRAMEWORKS)


@both
async def test_two_lists_at_once(framework: str, platform: EmulatorThread) -> None:
    itwin = next(iter(platform.state.itwins.values()))
    platform.recent("demo", itwin)
    async with (
        running(framework, platform.base_url) as backend,
        backend.get("/itwins", platform.token) as response,
    ):
        assert response.status == 200
        found = await response.json()
    assert {name: [row["id"] for row in rows] for name, rows in found.items()} == {
        "favorites": [itwin.id],
        "recents": [itwin.id],
    }


@both
@pytest.mark.parametrize(
    ("happen", "status"),
    [
        (lambda it: it.expire(it.token), 401),
        (lambda it: it.fail("GET /itwins/recents", status=403), 403),
        (lambda it: it.fail("GET /itwins/*", status=429, retry_after=7, times=None), 503),
        (lambda it: it.fault(Fault(match="GET /itwins/favorites", drop="before")), 502),
    ],
)
async def test_errors_of_a_task_group_become_answers(
    framework: str,
    happen: Callable[[EmulatorThread], object],
    status: int,
    platform: EmulatorThread,
) -> None:
    token = platform.token
    happen(platform)
    async with (
        running(framework, platform.base_url, retry=ONCE) as backend,
        backend.get("/itwins", token) as response,
    ):
        assert response.status == status
        assert response.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
        assert response.headers.get("Retry-After") == ("7" if status == 503 else None)
        assert (await response.json())["error"]["status"] == status


@both
def test_a_group_that_holds_a_mistake_of_the_backend_is_no_answer(framework: str) -> None:
    error_in = example(framework).error_in
    ours = AuthenticationError("x", status=401)
    assert error_in(ours) is ours
    assert error_in(ExceptionGroup("", [ExceptionGroup("", [ours]), ours])) is ours
    for mistake in (ValueError(), ExceptionGroup("", [ours, ValueError()])):
        with pytest.raises(type(mistake)) as caught:
            error_in(mistake)
        assert caught.value is mistake


def example(framework: str) -> Any:
    pytest.importorskip(framework)
    return pytest.importorskip(f"examples.{framework}_app")


class Store:
    """A store of sign-ins that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def get_token(self) -> str:
        raise self.error

    def invalidate(self, token: str) -> None: ...


@both
@pytest.mark.parametrize("path", ["/itwins", "/itwins/favorites"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionRefusedError("the store"), 503),
        (TimeoutError(), 503),
        (TransportError("the issuer does not answer", sent=True, timeout=True), 503),
        (AuthenticationError("the refresh token was revoked", status=401), 401),
    ],
    ids=["refused", "timeout", "issuer", "revoked"],
)
async def test_nobody_is_signed_out_because_the_sign_ins_cannot_be_read(
    framework: str, path: str, error: Exception, status: int, platform: EmulatorThread
) -> None:
    async with (
        running(framework, platform.base_url, credentials=lambda _: Store(error)) as backend,
        backend.browser.get(f"{backend.url}{path}") as response,
    ):
        assert response.status == status
        assert ("WWW-Authenticate" in response.headers) == (status == 401)
        assert "Retry-After" not in response.headers
        kind = "AuthenticationError" if status == 401 else "TransportError"
        assert (await response.json())["error"]["type"] == kind
        assert "the store" not in await response.text()
    assert platform.request_count == 0


async def test_an_outage_while_a_token_is_renewed(platform: EmulatorThread) -> None:
    class Once(Store):
        async def get_token(self) -> str:
            if platform.request_count:
                raise self.error
            return platform.token

    platform.expire_tokens_after(0)
    store = Once(OSError())
    async with (
        running("aiohttp", platform.base_url, credentials=lambda _: store) as backend,
        backend.browser.get(f"{backend.url}{path_of(platform)}") as response,
    ):
        assert response.status == 503
    platform.assert_called(LIST, times=1)


async def test_openapi_and_its_page(platform: EmulatorThread) -> None:
    async with running("fastapi", platform.base_url) as backend:
        async with backend.browser.get(f"{backend.url}/openapi.json") as response:
            assert response.status == 200
            document = await response.json()
        async with backend.browser.get(f"{backend.url}/docs") as response:
            assert response.status == 200
    paths = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert set(paths) == {
        "GET /itwins",
        "GET /itwins/favorites",
        "GET /itwins/{itwin_id}/favorites",
        "GET /itwins/{itwin_id}/favorites/events",
        "PUT /imodels/{imodel_id}/favorite",
        "DELETE /imodels/{imodel_id}/favorite",
    }
    content = paths["GET /itwins/favorites"]["responses"]["200"]["content"]
    assert list(content) == ["application/x-ndjson"]
    assert all(operation["security"] for operation in paths.values())


@both
async def test_the_page_is_served(framework: str, platform: EmulatorThread) -> None:
    async with (
        running(framework, platform.base_url) as backend,
        backend.browser.get(f"{backend.url}/") as response,
    ):
        assert (response.status, response.content_type) == (200, "text/html")
        assert (await response.text()).startswith("<!doctype html>")
    assert platform.request_count == 0


@both
@pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(chromium.NAMES)} is installed")
async def test_the_page_works_in_a_browser(
    framework: str, platform: EmulatorThread, tmp_path: Path
) -> None:
    hostile = platform.add_itwin("<img src=x onerror=alert(1)>")
    platform.favorite("demo", hostile)
    platform.fail(LIST, status=500, times=None, after=3)

    async with (
        running(framework, platform.base_url, retry=ONCE) as backend,
        chromium.tab(str(CHROMIUM), tmp_path) as tab,
    ):

        async def sign_in(token: str) -> None:
            await tab.value(f"document.getElementById('token').value = {json.dumps(token)}")
            await tab.value("document.querySelector('form button').click()")

        def imodels(text: str) -> str:
            return f"[...document.querySelectorAll('#imodels li')]{text}"

        await tab.call("Page.navigate", url=f"{backend.url}/")
        await tab.until("document.title", "Favorites")
        await sign_in("a b")
        await tab.until("document.getElementById('message').innerText", "blanks")
        await sign_in(platform.token)
        await tab.until("document.getElementById('favorites').innerText", hostile.display_name)
        await tab.value("document.querySelector('#favorites button').click()")
        await tab.until(imodels(".length"), "300")
        await tab.until("document.getElementById('more').hidden", "False")
        platform.clear_faults()
        await tab.value("document.getElementById('more').click()")
        await tab.until(imodels(".length"), "650")
        await tab.value("document.querySelector('#imodels button').click()")
        await tab.until(imodels("[0].innerText"), "☆")

    assert platform.state.favorites["demo"].imodels == list(platform.state.imodels)[1:]
    assert tab.seen("Runtime.exceptionThrown") == []
