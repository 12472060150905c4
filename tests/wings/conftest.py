from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from itwin_async import Session
from itwin_async.emulator import Emulator


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=6, imodels=7) as emulator:
        yield emulator


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async with Session(emulator.token, base_url=emulator.base_url) as session:
        yield session


@pytest.fixture
def itwin_id(emulator: Emulator) -> str:
    return next(iter(emulator.state.itwins))


@pytest.fixture
def imodel_id(emulator: Emulator) -> str:
    return next(iter(emulator.state.imodels))
