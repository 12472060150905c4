"""aiohttp with the standard library's JSON, as its documentation shows it."""

from __future__ import annotations

import asyncio

import aiohttp

from benchmarks.plan import TOKEN, Plan
from benchmarks.raw import first_page
from benchmarks.sides import NotOffered


class Untyped:
    """``await response.json()`` and dicts."""

    name = "aiohttp + json"
    apart = False

    async def run(self, url: str, plan: Plan) -> int:
        if plan.kind == "writes":
            raise NotOffered("no other than the raw side")
        link: str | None
        key, link = first_page(url, plan)
        headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": plan.prefer}
        named = 0
        async with aiohttp.ClientSession(headers=headers) as session:
            while link:
                async with session.get(link) as response:
                    page = await response.json()
                for item in page[key]:
                    if item["displayName"]:
                        named += 1
                if plan.pause:
                    await asyncio.sleep(plan.pause)
                link = (page["_links"].get("next") or {}).get("href")
        return named

    async def close(self) -> None:
        return


def side() -> Untyped:
    """Make the side."""
    return Untyped()
