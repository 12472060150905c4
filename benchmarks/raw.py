"""The measure of all: aiohttp and orjson by hand, dicts, nothing typed, nothing repeated."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import orjson

from benchmarks.plan import ITWIN_ID, TOKEN, Plan

_TOO_MANY = 429


class Raw:
    """What a good engineer writes in fifteen lines."""

    name = "raw aiohttp + orjson"
    apart = False

    async def run(self, url: str, plan: Plan) -> int:
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Accept": "application/vnd.bentley.itwin-platform.v2+json",
        }
        if plan.kind == "writes":
            write = _write_paced if plan.allowed else _write
            return await write(url, headers, plan)
        headers["Prefer"] = plan.prefer
        return await _read(url, headers, plan)

    async def close(self) -> None:
        return


async def _read(base: str, headers: dict[str, str], plan: Plan) -> int:
    url: str | None
    key, url = first_page(base, plan)
    named = 0
    async with _session(headers, plan) as session:
        while url:
            async with session.get(url) as response:
                response.raise_for_status()
                page = orjson.loads(await response.read())
            for item in page[key]:
                if item["displayName"]:
                    named += 1
            if plan.pause:
                await asyncio.sleep(plan.pause)
            url = (page["_links"].get("next") or {}).get("href")
    return named


async def _write(base: str, headers: dict[str, str], plan: Plan) -> int:
    left, done = iter(ids(plan)), 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal done
        for key in left:
            async with session.put(f"{base}/imodels/favorites/{key}") as response:
                response.raise_for_status()
                done += 1

    async with _session(headers, plan) as session, asyncio.TaskGroup() as group:
        for _ in range(plan.concurrency):
            group.create_task(work(session))
    return done


async def _write_paced(base: str, headers: dict[str, str], plan: Plan) -> int:
    left, done, due = iter(ids(plan)), 0, 0.0
    pause = plan.per_seconds / plan.allowed

    async def put(session: aiohttp.ClientSession, key: str) -> None:
        nonlocal due
        now = time.monotonic()
        due = max(due, now - pause) + pause
        await asyncio.sleep(due - now)
        async with session.put(f"{base}/imodels/favorites/{key}") as response:
            if response.status != _TOO_MANY:
                response.raise_for_status()
                return
        await asyncio.sleep(float(response.headers["Retry-After"]))
        await put(session, key)

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal done
        for key in left:
            await put(session, key)
            done += 1

    async with _session(headers, plan) as session, asyncio.TaskGroup() as group:
        for _ in range(plan.concurrency):
            group.create_task(work(session))
    return done


def _session(headers: dict[str, str], plan: Plan) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(ssl=plan.trust))


def first_page(base: str, plan: Plan) -> tuple[str, str]:
    """Name the member that holds the items, and the URL to begin with."""
    if plan.kind == "itwins":
        return "iTwins", f"{base}/itwins/favorites?$top={plan.page_size}"
    query = f"iTwinId={ITWIN_ID}&$top={plan.page_size}&$continuationToken="
    return "iModels", f"{base}/imodels/favorites?{query}"


def ids(plan: Plan) -> list[str]:
    """Make ids to write."""
    return [f"0f6a2f0b-6d1a-4f7e-9a53-{number:012x}" for number in range(plan.amount)]
