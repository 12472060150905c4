from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import attrs
import pytest

from itwin_async import Pager, RetryPolicy, Session
from itwin_async.paging import List, NumberedPaging

from .server import Respond, Server

T = TypeVar("T")

NO_RETRY = RetryPolicy(retries=0, rate_limit_retries=0)


@attrs.frozen
class Thing:
    id: str
    display_name: str | None = None


def token_listing(**changes: Any) -> List[Thing]:
    facts: dict[str, Any] = {
        "operation": "tests.things",
        "path": "/things",
        "query": (("kind", "odd"),),
        "key": "things",
        "item": Thing,
        "accept": "application/vnd.tests.v1+json",
        "headers": {"Prefer": "return=minimal"},
        "mode": "token",
        **changes,
    }
    return List(**facts)


def skip_listing(**changes: Any) -> List[Thing]:
    return token_listing(**{"query": (), "mode": "skip", **changes})


def pager_of(session: Session, listing: List[Thing] | None = None, **options: Any) -> Pager[Thing]:
    return Pager(session, listing or token_listing(), NumberedPaging(**options))


def ids(things: list[Thing]) -> list[int]:
    return [int(thing.id) for thing in things]


async def take(walk: AsyncIterable[T], found: list[T]) -> None:
    """Walk to the end, keeping what came also where an error ends it."""
    async for item in walk:
        found.append(item)  # noqa: PERF401 - a comprehension keeps nothing


@attrs.define
class Desk:
    """A server, a session on it, and a pager of things."""

    server: Server
    session: Session

    def things(self, listing: List[Thing] | None = None, **options: Any) -> Pager[Thing]:
        return pager_of(self.session, listing, **options)


OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def open_desk() -> AsyncIterator[OpenDesk]:
    async with AsyncExitStack() as stack:

        async def open_one(respond: Respond, **options: Any) -> Desk:
            server = await stack.enter_async_context(Server(respond))
            options = {"base_url": server.url, "retry": NO_RETRY, **options}
            session = await stack.enter_async_context(Session("secret", **options))
            return Desk(server, session)

        yield open_one
