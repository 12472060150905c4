"""Where no asyncio loop runs a session says so, whatever runs instead."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from doubles import CannedServer

from itwin_async import ConfigurationError, Session


def by_hand(work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(StopIteration):
        work.send(None)


def test_opening_without_asyncio_is_refused() -> None:
    session = Session("t")
    with pytest.raises(ConfigurationError):
        by_hand(session.open())
    assert session.closed


def test_opening_under_trio_is_refused() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        async with Session("t"):
            raise AssertionError("it was opened")

    with pytest.raises(ConfigurationError):
        trio.run(main)


async def test_a_request_without_asyncio_is_refused_too(canned: CannedServer) -> None:
    async with Session("t", base_url=canned.base_url) as session:

        def ask() -> None:
            by_hand(session.request("GET", "/x"))

        with pytest.raises(ConfigurationError):
            await asyncio.to_thread(ask)
    assert canned.seen == []
