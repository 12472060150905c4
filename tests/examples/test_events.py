"""Server-sent events of the examples, and handlers whose browser goes away."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from backends import FRAMEWORKS, LIST, Backend, path_of, running
from doubles import until

from itwin_async import RetryPolicy
from itwin_async.emulator import EmulatorThread, Fault

both = pytest.mark.parametrize("framework", FRAMEWORKS)


async def events(
    backend: Backend, path: str, token: str, *, last: str | None = None, most: int = 1000
) -> list[dict[str, Any]]:
    """Read events as a browser does, and leave after some of them."""
    headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": last} if last else {})
    found: list[dict[str, Any]] = []
    async with backend.browser.get(f"{backend.url}{path}/events", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        fields: dict[str, str] = {}
        async for line in response.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif fields:
                found.append({**fields, "data": json.loads(fields["data"])})
                fields = {}
                if len(found) == most:
                    response.close()
                    break
    return found


@both
async def test_a_stream_goes_on_behind_the_last_event(
    framework: str, platform: EmulatorThread
) -> None:
    path, token = path_of(platform), platform.token
    async with running(framework, platform.base_url) as backend:
        whole = await events(backend, path, token)
        assert [event["event"] for event in whole] == ["page"] * 7 + ["end"]
        first = await events(backend, path, token, most=3)
        rest = await events(backend, path, token, last=first[-1]["id"])
    pages = [event["data"] for event in [*first, *rest] if event["event"] == "page"]
    assert pages == [event["data"] for event in whole[:-1]]
    assert [row["id"] for page in pages for row in page] == list(platform.state.imodels)[:650]


@both
async def test_an_error_in_the_middle_is_an_event_and_the_next_try_goes_on(
    framework: str, platform: EmulatorThread
) -> None:
    path, token = path_of(platform), platform.token
    platform.fail(LIST, status=500, times=1, after=2)
    async with running(framework, platform.base_url, retry=RetryPolicy(retries=0)) as backend:
        found = await events(backend, path, token)
        assert [event["event"] for event in found] == ["page", "page", "problem"]
        assert found[-1]["data"]["status"] == 502
        assert found[-1]["data"]["cursor"]
        assert "id" not in found[-1]
        rest = await events(backend, path, token, last=found[-2]["id"])
        assert [event["event"] for event in rest] == ["page"] * 5 + ["end"]
        async with backend.browser.get(
            f"{backend.url}{path}/events",
            headers={"Authorization": f"Bearer {token}", "Last-Event-ID": "nonsense"},
        ) as response:
            assert response.status == 400


@both
async def test_a_handler_ends_when_its_browser_goes(
    framework: str, platform: EmulatorThread
) -> None:
    platform.fault(Fault(match="GET /itwins/*", times=None, latency=100))
    async with running(framework, platform.base_url) as backend:
        idle = len(asyncio.all_tasks())
        asked = asyncio.ensure_future(backend.lines("/itwins", platform.token))
        await until(lambda: platform.request_count == 2)
        assert backend.busy == 2
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await until(lambda: backend.busy == 0 and len(asyncio.all_tasks()) <= idle)
