"""One load from its beginning to its end."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from benchmarks.backend_load.browsers import settle_in
from benchmarks.backend_load.outcome import Outcome, complaints, judge, rest
from benchmarks.backend_load.stage import (
    Asking,
    Platform,
    SignIn,
    emulator,
    serve_aiohttp,
    serve_fastapi,
)
from examples.backend import nobody
from itwin_async import Session


async def run(
    *,
    seconds: float,
    users: int = 50,
    laps: int = 5,
    backend: str = "aiohttp",
    seed: int = 0,
    patience: float = 5.0,
) -> Outcome:
    """
    Put a backend under load.

    Args:
        seconds: how long, without the rests.
        users: how many browsers.
        laps: how often everybody rests; the first lap is for warming up.
        backend: which example, ``aiohttp`` or ``fastapi``.
        seed: draws what the users do.
        patience: seconds in which everything has to end when all rest.
    """
    outcome = Outcome()
    connector = aiohttp.TCPConnector()
    force = aiohttp.TCPConnector(limit=0, force_close=True)
    with emulator() as url, complaints(outcome):
        async with (
            aiohttp.ClientSession() as control,
            aiohttp.ClientSession(connector=force, cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            platform = Platform(url, control)
            desks: dict[str, SignIn] = {}

            def credentials(request: Asking) -> str | SignIn:
                user = request.cookies.get("user")
                if user is None:
                    return request.headers["Authorization"].removeprefix("Bearer ")
                return desks[user]

            def make_session() -> Session:
                return Session(nobody, base_url=url, connector=connector)

            serve = serve_fastapi if backend == "fastapi" else serve_aiohttp
            async with serve(make_session, credentials) as address:
                crowd = await settle_in(platform, http, address, users, outcome, seed)
                desks |= {it.name: SignIn(platform, it.name, outcome.renewals) for it in crowd}
                idle = len(asyncio.all_tasks())
                for _ in range(laps):
                    until = time.monotonic() + seconds / laps
                    await asyncio.gather(*(user.work(until) for user in crowd))
                    outcome.laps.append(await rest(connector, idle, patience))
                judge(outcome, idle)
    return outcome
