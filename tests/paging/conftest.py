from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from doubles import CannedServer, Respond
from lists import NO_RETRY, Desk, OpenDesk

from itwin_async import Session


@pytest.fixture
async def open_desk() -> AsyncIterator[OpenDesk]:
    async with AsyncExitStack() as stack:

        async def open_one(respond: Respond, **options: Any) -> Desk:
            server = await stack.enter_async_context(CannedServer(respond))
            options = {"base_url": server.base_url, "retry": NO_RETRY, **options}
            session = await stack.enter_async_context(Session("secret", **options))
            return Desk(server, session)

        yield open_one
