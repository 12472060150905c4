from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from blob_storage import TOKEN, BlobStorage, FilePlatform, Servers

from itwin_async import RetryPolicy, Session


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with Servers() as servers:
        yield servers


@pytest.fixture
def storage(servers: Servers) -> BlobStorage:
    return servers.storage


@pytest.fixture
def platform(servers: Servers) -> FilePlatform:
    return servers.platform


@pytest.fixture
async def session(platform: FilePlatform) -> AsyncIterator[Session]:
    policy = RetryPolicy(base=0.001)
    async with Session(TOKEN, base_url=platform.url, retry=policy) as session:
        yield session
