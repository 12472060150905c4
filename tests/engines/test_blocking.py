"""A session in a thread: one for all who iterate, and nothing is left when they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from itwin_async import Session, itwins
from itwin_async.emulator import EmulatorThread
from itwin_async.errors import AuthenticationError, ConfigurationError
from itwin_async.harvest.blocking import Put, SessionThread


async def names(session: Session, put: Put[str]) -> None:
    async for itwin in itwins.list_itwins(session, page_size=1):
        await put(itwin.id)


def of(emulator: EmulatorThread, token: str | None = None) -> SessionThread[str]:
    given = emulator.token if token is None else token
    return SessionThread(lambda: Session(given, base_url=emulator.base_url))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [each.name for each in threading.enumerate() if each not in before]
    assert not [name for name in left if name.startswith("itwin-session")]


def test_results_come_in_order(emulator: EmulatorThread) -> None:
    assert list(of(emulator).iterate(names)) == list(emulator.state.itwins)


def test_an_error_is_raised_where_it_is_waited_for(emulator: EmulatorThread) -> None:
    with pytest.raises(AuthenticationError):
        list(of(emulator, "wrong").iterate(names))


def test_a_session_that_cannot_be_made() -> None:
    def refuse() -> Session:
        raise ConfigurationError("no credentials")

    with pytest.raises(ConfigurationError):
        list(SessionThread[str](refuse).iterate(names))


def test_several_share_one_session(emulator: EmulatorThread) -> None:
    made: list[Session] = []

    def make() -> Session:
        made.append(Session(emulator.token, base_url=emulator.base_url))
        return made[-1]

    shared = SessionThread[str](make)
    first, second = shared.iterate(names), shared.iterate(names)
    pairs = list(zip(first, second, strict=True))
    assert pairs == [(name, name) for name in emulator.state.itwins]
    assert len(made) == 1
    assert made[0].closed
    assert list(shared.iterate(names)) == list(emulator.state.itwins)
    assert len(made) == 2


def test_ending_early_cancels_what_is_under_way(emulator: EmulatorThread) -> None:
    ended = threading.Event()

    async def forever(session: Session, put: Put[str]) -> None:
        try:
            while True:
                await put("again")
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ended.set()
            raise

    found = of(emulator).iterate(forever)
    assert next(found) == "again"
    found.close()  # type: ignore[attr-defined]
    assert ended.is_set()


def test_a_slow_caller_slows_the_work(emulator: EmulatorThread) -> None:
    count = 0

    async def fast(session: Session, put: Put[int]) -> None:
        nonlocal count
        for number in range(100):
            await put(number)
            count = number

    found = SessionThread[int](lambda: Session("token", base_url=emulator.base_url)).iterate(fast)
    for _ in range(5):
        next(found)
    assert count < 20
    assert list(found) == list(range(5, 100))


async def test_the_caller_may_have_a_loop_of_its_own(emulator: EmulatorThread) -> None:
    assert list(of(emulator).iterate(names)) == list(emulator.state.itwins)
