from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import pytest
from list_platform import ListPlatform, list_platform
from postgres_server import PostgresServer, postgres_server

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


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep what a target that is elsewhere has on this machine out of the user's own folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for all tests of a process; each has schemas of its own."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def platform() -> Iterator[ListPlatform]:
    """A platform with some of every list."""
    with list_platform() as platform:
        yield platform
