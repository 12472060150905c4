"""What a load leaves behind, and what must not be there."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import attrs

OBJECTS, MEGABYTES = 0.03, 8.0  # how much more may be there at the end than after the first lap


@attrs.define
class Lap:
    """What was there while everybody rested."""

    tasks: int
    busy: int
    objects: int
    megabytes: float


@attrs.define
class Outcome:
    """
    What came of a load.

    Attributes:
        jobs: how many ended well, by name.
        renewals: tokens that were renewed, by the side that did it.
        laps: what was left after each lap.
        wrong: everything that must not be.
    """

    jobs: Counter[str] = attrs.field(factory=Counter)
    renewals: Counter[str] = attrs.field(factory=Counter)
    laps: list[Lap] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)


async def rest(connector: aiohttp.TCPConnector, idle: int, patience: float) -> Lap:
    """Wait until nothing is under way, and measure what is left."""

    def busy() -> int:
        return len(connector._acquired)  # noqa: SLF001 - aiohttp tells it nowhere else

    end = time.monotonic() + patience
    while (busy() or len(asyncio.all_tasks()) > idle) and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    gc.collect()
    return Lap(len(asyncio.all_tasks()), busy(), len(gc.get_objects()), megabytes())


def judge(outcome: Outcome, idle: int) -> None:
    """Note what was left that should not be."""
    for number, lap in enumerate(outcome.laps):
        if lap.tasks > idle:
            outcome.wrong.append(f"lap {number}: {lap.tasks - idle} tasks are left")
        if lap.busy:
            outcome.wrong.append(f"lap {number}: {lap.busy} connections are in use")
    first, last = outcome.laps[0], outcome.laps[-1]
    if last.objects > first.objects * (1 + OBJECTS):
        outcome.wrong.append(f"{first.objects} objects grew to {last.objects}")
    if last.megabytes > first.megabytes + MEGABYTES:
        outcome.wrong.append(f"{first.megabytes:.1f} MB grew to {last.megabytes:.1f} MB")


def megabytes() -> float:
    """Give this process's memory now; 0 where that is not known."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 / 2**20 if status.exists() else 0.0


@contextmanager
def complaints(outcome: Outcome) -> Iterator[None]:
    """Take whatever is logged as a warning or worse for something wrong."""

    def note(record: logging.LogRecord) -> None:
        outcome.wrong.append(f"{record.name}: {record.getMessage()} {record.exc_info}")

    handler = logging.Handler(logging.WARNING)
    handler.emit = note  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
