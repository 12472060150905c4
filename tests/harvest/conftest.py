from __future__ import annotations

from collections.abc import AsyncIterator

import attrs
import pytest

from itwin_async import RetryPolicy, Session
from itwin_async.emulator import Emulator


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=9, imodels=35, seed=3) as emulator:
        found = emulator.state.itwins  # inactive ones would be left out
        found.update({key: attrs.evolve(one, status="Active") for key, one in found.items()})
        yield emulator


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async def no_time(_: float) -> None:
        return

    policy = RetryPolicy(sleep=no_time, rng=lambda: 0.0)
    async with Session(emulator.token, base_url=emulator.base_url, retry=policy) as session:
        yield session
