from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from caller import Caller

from itwin_async import Session
from itwin_async.emulator import Emulator


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def call(emulator: Emulator, session: aiohttp.ClientSession) -> Caller:
    return Caller(session, emulator.base_url, emulator.token)


@pytest.fixture
def itwin_id(emulator: Emulator) -> str:
    return next(iter(emulator.state.itwins))


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[Session]:
    """The package's own client, for the demo user."""
    async with Session(emulator.token, base_url=emulator.base_url) as session:
        yield session


@pytest.fixture
async def ana(emulator: Emulator) -> AsyncIterator[Session]:
    """The package's own client, for another user."""
    async with Session(emulator.token_for("ana"), base_url=emulator.base_url) as session:
        yield session


@pytest.fixture
def imodel_id(emulator: Emulator, itwin_id: str) -> str:
    return emulator.state.imodels_of(itwin_id)[0].id


async def platform(emulator: Emulator) -> AsyncIterator[Session]:
    """The client, as the demo user."""
    async with Session(emulator.token, base_url=emulator.base_url) as session:
        yield session
