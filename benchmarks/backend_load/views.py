"""What very many views of one session cost."""

from __future__ import annotations

import gc
import time
import tracemalloc

import attrs

from benchmarks.backend_load.stage import emulator
from examples.backend import nobody
from itwin_async import Session, bulk


@attrs.frozen
class Views:
    """
    What very many views cost.

    Attributes:
        microseconds: time to make one.
        size: bytes that one takes.
        left: bytes that all of them leave behind, by each.
        seconds: time to make a request with each.
    """

    microseconds: float
    size: float
    left: float
    seconds: float


async def views(count: int = 10_000, *, used: int | None = None) -> Views:
    """
    Make a view for each of very many users, and a request with it.

    Args:
        count: how many views live at once.
        used: how many of them make a request; all when absent.
    """
    with emulator() as url:
        async with Session(nobody, base_url=url) as session:
            tokens = [f"token-of-user-{number}" for number in range(count)]
            started = time.perf_counter()
            crowd = [session.with_token(token) for token in tokens]
            microseconds = (time.perf_counter() - started) / count * 1e6
            tracemalloc.start()
            # What the pool of connections costs is no view's.
            await bulk.each(first_itwin, session, crowd[:used][:500], concurrency=50)
            del crowd
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            crowd = [session.with_token(token) for token in tokens]
            size = (tracemalloc.get_traced_memory()[0] - before) / count
            started = time.perf_counter()
            report = await bulk.each(first_itwin, session, crowd[:used], concurrency=50)
            seconds = time.perf_counter() - started
            assert not report.failures, report.failures[0]
            del crowd, report
            gc.collect()
            left = (tracemalloc.get_traced_memory()[0] - before) / count
            tracemalloc.stop()
    return Views(microseconds, size, left, seconds)


async def first_itwin(_: Session, view: Session) -> None:
    """Make one request as the user of a view."""
    await view.request("GET", "/itwins/favorites?$top=1")
