"""Users of a backend: what they ask, and how they leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from http import HTTPStatus
from typing import Any

import aiohttp
import attrs

from benchmarks.backend_load.outcome import Outcome
from benchmarks.backend_load.stage import ITWINS, Platform
from itwin_async import Session, imodels

SHARE = 250  # favorites of each user: three pages
CALLS_PER_TOKEN = 25


class WrongError(Exception):
    """Something came that must not."""


@attrs.define(eq=False)
class Browser:
    """One user: what they ask, and how they leave."""

    number: int
    platform: Platform
    http: aiohttp.ClientSession
    backend: str
    itwin: str
    mine: list[str]
    outcome: Outcome
    signed_in: bool
    chance: random.Random
    token: str = ""

    @property
    def name(self) -> str:
        return f"user-{self.number}"

    async def ask(self, method: str, path: str, **params: str) -> aiohttp.ClientResponse:
        headers = {"Cookie": f"user={self.name}"}
        if not self.signed_in:
            self.token = self.token or await self.renewed()
            headers = {"Authorization": f"Bearer {self.token}"}
        return await self.http.request(
            method, f"{self.backend}{path}", headers=headers, params=params
        )

    async def renewed(self) -> str:
        self.outcome.renewals["browser"] += 1
        return await self.platform.token(self.name)

    async def whole(self) -> None:
        """Read the whole list, and go on where it breaks off for want of a good token."""
        rows, cursor = list[str](), dict[str, str]()
        while True:
            last: dict[str, Any] = {}
            async with await self.ask("GET", f"/itwins/{self.itwin}/favorites", **cursor) as answer:
                async for line in answer.content:
                    last = json.loads(line)
                    if "error" not in last:
                        rows.append(last["id"])
            if "error" not in last:
                break
            if last["error"]["status"] != HTTPStatus.UNAUTHORIZED or self.signed_in:
                raise WrongError(f"{last}")
            if last["error"]["cursor"]:
                cursor = {"cursor": last["error"]["cursor"]}
            self.token = ""
        if rows != self.mine:
            raise WrongError(
                f"{self.name} got {len(rows)} rows, not the {len(self.mine)} of theirs"
            )

    async def leave(self) -> None:
        """Go away somewhere in the list."""
        async with await self.ask("GET", f"/itwins/{self.itwin}/favorites") as answer:
            for _ in range(self.chance.randrange(SHARE)):
                if not await answer.content.readline():
                    break
            answer.close()

    async def vanish(self) -> None:
        """Go away at any moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.chance.random() * 0.05):
                await self.whole()

    async def write(self) -> None:
        """Make a favorite what is one already."""
        for _ in range(2):
            path = f"/imodels/{self.chance.choice(self.mine)}/favorite"
            async with await self.ask("PUT", path) as answer:
                if answer.status == HTTPStatus.NO_CONTENT:
                    return
                if answer.status != HTTPStatus.UNAUTHORIZED or self.signed_in:
                    raise WrongError(f"{answer.status} {await answer.text()}")
                self.token = ""
        raise WrongError("a new token was refused")

    async def work(self, until: float) -> None:
        jobs = (self.whole, self.whole, self.leave, self.vanish, self.write)
        while time.monotonic() < until:
            job = self.chance.choice(jobs)
            try:
                async with asyncio.timeout(60):
                    await job()
            except (WrongError, aiohttp.ClientError, TimeoutError) as problem:
                self.outcome.wrong.append(f"{job.__name__}: {type(problem).__name__}: {problem}")
                return
            self.outcome.jobs[job.__name__] += 1


async def settle_in(
    platform: Platform,
    http: aiohttp.ClientSession,
    address: str,
    users: int,
    outcome: Outcome,
    seed: int,
) -> list[Browser]:
    """Give every user a part of all iModels as favorites."""
    async with Session(await platform.token("demo"), base_url=platform.url) as session:
        # Each user's favorites are of one iTwin, in the order of the world.
        ids = list[tuple[str, list[str]]]()
        async with http.get(f"{platform.url}/_emulator/state") as answer:
            state = await answer.json()
        for row in state["itwins"][:ITWINS]:
            found = await imodels.list_favorites(session, row["id"], page_size=1000).collect()
            ids.append((row["id"], [imodel.id for imodel in found]))
    crowd = list[Browser]()
    for number in range(users):
        itwin, known = ids[number % len(ids)]
        start = number % (len(known) - SHARE)
        mine = known[start : start + SHARE]
        user = Browser(
            number=number, platform=platform, http=http, backend=address, itwin=itwin, mine=mine,
            outcome=outcome, signed_in=number % 2 == 0, chance=random.Random(f"{seed} {number}"),
        )  # fmt: skip
        await platform.control("favorites", user=user.name, add=mine)
        crowd.append(user)
    await platform.control("expire", after=CALLS_PER_TOKEN)
    return crowd
