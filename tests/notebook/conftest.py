from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from itwin_async import Session
from itwin_async.emulator import Emulator


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=4, imodels=30, seed=5) as emulator:
        yield emulator


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async with Session(emulator.token, base_url=emulator.base_url) as session:
        yield session


@pytest.fixture
def itwin_id(emulator: Emulator) -> str:
    return next(iter(emulator.state.itwins))
