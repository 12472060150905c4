from __future__ import annotations

import asyncio
import inspect
import signal
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from doubles import CannedServer, FakeClock, Handler, RawServer
from hypothesis import settings

pytest_plugins = ["pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-messages", action="store_true", help="rewrite tests/messages.txt as it is now"
    )


settings.register_profile("long", max_examples=5_000, deadline=None)

# A shell that runs this in the background lets it ignore SIGINT, and the commands that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def clock() -> FakeClock:
    """A clock whose sleepers sleep no real time."""
    return FakeClock()


@pytest.fixture
async def canned() -> AsyncIterator[CannedServer]:
    """A server with canned answers on 127.0.0.1."""
    async with CannedServer() as server:
        yield server


@pytest.fixture
async def raw_server() -> AsyncIterator[Callable[[Handler], Awaitable[RawServer]]]:
    """Start servers that read and write plain bytes."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> RawServer:
            return await stack.enter_async_context(RawServer(handler))

        yield start


@pytest.fixture(autouse=True)
def _nothing_is_left(request: pytest.FixtureRequest) -> None:
    """Every asynchronous test ends without tasks and without open client sessions."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_no_leaks")


@pytest.fixture
async def _no_leaks(_clients: weakref.WeakSet[aiohttp.ClientSession]) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    mine = asyncio.current_task()

    def left() -> set[asyncio.Task[object]]:
        return {task for task in asyncio.all_tasks() - before if task is not mine}

    for _ in range(200):  # servers that are shut down take a moment to notice
        if not left():
            break
        await asyncio.sleep(0.005)
    assert not left(), "tasks are still running after the test"
    assert not [client for client in _clients if not client.closed], "a client session is open"


@pytest.fixture
def _clients(
    monkeypatch: pytest.MonkeyPatch,
) -> weakref.WeakSet[aiohttp.ClientSession]:
    known: weakref.WeakSet[aiohttp.ClientSession] = weakref.WeakSet()
    plain = aiohttp.ClientSession.__init__

    def note(self: aiohttp.ClientSession, *args: object, **options: object) -> None:
        plain(self, *args, **options)  # type: ignore[arg-type]
        known.add(self)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", note)
    return known
