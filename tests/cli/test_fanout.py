"""Lists that are fetched at once, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import aiohttp
import pytest

from itwin_async import ITwinError, Session, imodels, itwins
from itwin_async.cli.fanout import in_order
from itwin_async.cli.runtime import run
from itwin_async.emulator import EmulatorThread
from itwin_async.paging import Page, PageLinks


async def cancelled_inside() -> str:
    """Wait for work that somebody else cancels."""
    shared = asyncio.ensure_future(asyncio.sleep(60))
    shared.cancel()
    await shared
    return ""


class Tracing:
    """A library that watches requests, and of which one call is cancelled from inside."""

    def __init__(self, cancelled: int) -> None:
        self.config = aiohttp.TraceConfig()
        self.config.on_request_start.append(self.start)
        self.cancelled = cancelled
        self.calls = 0

    async def start(self, *_: object) -> None:
        self.calls += 1
        if self.calls == self.cancelled:
            await cancelled_inside()


async def owners(session: Session) -> AsyncIterator[str]:
    pages = in_order(
        itwins.list_favorites(session, page_size=1, prefetch=0),
        lambda itwin: imodels.list_favorites(session, itwin.id),
        concurrency=2,
    )
    async with aclosing(pages):
        async for itwin, page in pages:
            assert page.items
            yield itwin.id


@pytest.mark.parametrize("number", range(1, 9))
async def test_a_cancellation_from_inside_is_a_failure(
    emulator: EmulatorThread, number: int
) -> None:
    found: list[str] = []

    async def read(session: Session) -> None:
        async with asyncio.timeout(20), aclosing(owners(session)) as each:
            async for itwin_id in each:
                found.append(itwin_id)  # noqa: PERF401 - those before the failure count

    async with Session(
        emulator.token, base_url=emulator.base_url, trace_configs=[Tracing(number).config]
    ) as session:
        with pytest.raises(ITwinError):
            await read(session)
    assert found == list(emulator.state.itwins)[: len(found)]
    assert len(found) < len(emulator.state.itwins)


async def test_a_cancellation_of_its_own_ends_it(emulator: EmulatorThread) -> None:
    begun = asyncio.Event()
    async with Session(emulator.token, base_url=emulator.base_url) as session:

        async def read() -> None:
            async with aclosing(owners(session)) as each:
                async for _ in each:
                    begun.set()
                    await asyncio.sleep(60)

        task = asyncio.ensure_future(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_command_that_is_cancelled_from_inside_is_not_terminated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main() -> None:
        await cancelled_inside()

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 6
    assert capsys.readouterr().err.count("\n") == 1


class Stub:
    """A list of which one page, counted from 0, is cancelled from inside."""

    def __init__(self, cancelled: int) -> None:
        self.cancelled = cancelled

    async def pages(self) -> AsyncIterator[Page[str]]:
        async for name in self:
            yield Page([name], PageLinks(), b"", None, None, None)  # type: ignore[arg-type]

    async def __aiter__(self) -> AsyncIterator[str]:
        for number in range(3):
            if number == self.cancelled:
                await cancelled_inside()
            yield str(number)


@pytest.mark.parametrize(
    ("outer", "inner", "pages"), [(2, -1, 6), (0, -1, 0), (-1, 0, 0), (-1, 2, 2)]
)
async def test_whatever_cancels_a_list_the_pages_before_it_come(
    outer: int, inner: int, pages: int
) -> None:
    found: list[str] = []

    async def read() -> None:
        merged: Any = in_order(cast("Any", Stub(outer)), lambda _: cast("Any", Stub(inner)))
        async with asyncio.timeout(20), aclosing(merged):
            async for _, page in merged:
                found.extend(page.items)

    with pytest.raises(ITwinError):
        await read()
    assert len(found) == pages
