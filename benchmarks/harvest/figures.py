"""What is measured, each as lines of a table."""

from __future__ import annotations

import asyncio
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harvest.plain import write_by_hand
from benchmarks.harvest.work import FILES, PAGE, fresh, gather, keys, stream, targets
from benchmarks.plan import TOKEN, Plan
from benchmarks.process import serving
from itwin_async import Quota, RetryPolicy, Session, harvest
from itwin_async.emulator import EmulatorThread, RateLimit

Figures = Callable[[bool], Iterator[str]]


class Cost(NamedTuple):
    """What some work took, in seconds; those of the CPU are what a busy machine changes least."""

    wall: float
    cpu: float


def sinks(quick: bool) -> Iterator[str]:
    """Harvest into each kind of target, against writing it by hand, in interleaved rounds."""
    lists, rounds = (10, 2) if quick else (100, 5)
    names = targets()
    streams: list[Cost] = []
    hands: dict[str, list[Cost]] = {name: [] for name in names}
    harvests: dict[str, list[Cost]] = {name: [] for name in names}
    with _folder() as folder, serving(Plan("one page", "", "imodels", PAGE)) as server:
        _cost(stream(server.url, lists))
        for _ in range(rounds):
            streams.append(_cost(stream(server.url, lists)))
            for name in names:
                hands[name].append(_cost(write_by_hand(server.url, lists, fresh(folder, name))))
                harvests[name].append(_cost(gather(server.url, lists, fresh(folder, name))))
    count = lists * PAGE
    yield f"{count:,} items, {'nothing written':<16} {_rate(count, streams)}"
    for name, found in harvests.items():
        by_hand, alone = _ratio(found, hands[name]), _ratio(found, streams)
        rate = _rate(count, found)
        yield f"{count:,} items, {name:<16} {rate}  x by hand: {by_hand}  x stream: {alone}"


def _ratio(mine: Sequence[Cost], other: Sequence[Cost]) -> str:
    cpu = [ours.cpu / theirs.cpu for ours, theirs in zip(mine, other, strict=True)]
    wall = [ours.wall / theirs.wall for ours, theirs in zip(mine, other, strict=True)]
    spread = f"[{min(cpu):.2f}..{max(cpu):.2f}]"
    return f"CPU {statistics.median(cpu):.2f} {spread} time {statistics.median(wall):.2f}"


def _rate(count: int, costs: Sequence[Cost]) -> str:
    wall, cpu = (statistics.median(each) for each in zip(*costs, strict=True))
    return f"{count / wall:>8,.0f} items/s {count / cpu:>8,.0f} items/CPU s"


def latency(quick: bool) -> Iterator[str]:
    """Harvest lists of one page behind 50 ms, against the time that waiting alone takes."""
    each = 4 if quick else 16
    plan = Plan("slow", "", "imodels", 20, page_size=20, latency=0.05)
    with _folder() as folder, serving(plan) as server:
        for concurrency in (1, 4, 16, 64):
            lists = each * concurrency
            target = fresh(folder, "out.db")
            work = gather(server.url, lists, target, each=plan.page_size, concurrency=concurrency)
            ideal = math.ceil(lists / concurrency) * plan.latency
            found = _seconds(work) / ideal
            yield f"50 ms latency, concurrency {concurrency:<3} {found:.2f} x ideal"


def quota(quick: bool) -> Iterator[str]:
    """Harvest against a limit, with the quota known and unknown."""
    calls, window = (30, 1.0) if quick else (100, 5.0)
    windows = 3 if quick else 5
    limit = RateLimit(calls, window)
    for known in (True, False):
        with (
            _folder() as folder,
            EmulatorThread(itwins=calls * windows, imodels=1, rate_limit=limit) as emulator,
        ):
            told = Quota(calls, per_seconds=window) if known else None
            started = time.perf_counter()
            report = asyncio.run(_limited(emulator, fresh(folder, "out.db"), told))
            seconds = time.perf_counter() - started
            if not report.complete:
                raise RuntimeError(f"{report.progress.lists_failed} lists failed")
            total, refused = report.progress.calls, report.progress.refused
            share = (total - refused) / (calls * seconds / window)
            words = "known" if known else "unknown"
            yield f"quota {words:<8} {share:.0%} of it used, {refused / total:.1%} refused"


async def _limited(emulator: EmulatorThread, target: str, quota: Quota | None) -> harvest.Report:
    async with Session(
        emulator.token,
        base_url=emulator.base_url,
        quota=quota,
        retry=RetryPolicy(rate_limit_retries=100),
    ) as session:
        source = harvest.favorite_imodels(list(emulator.state.itwins))
        return await harvest.run(session, source, target, concurrency=50)


def memory(quick: bool) -> Iterator[str]:
    """Peak memory of a process that harvests many items, against one that harvests few."""
    each, few, many = 100, 100, 500 if quick else 10_000
    names = (
        ("out.db", "out.delta") if quick else ("out.db", "out.ndjson", "out.parquet", "out.delta")
    )
    with _folder() as folder, serving(Plan("small", "", "imodels", each, each)) as server:
        for name in targets(names):
            short, long = (
                _peak(server.url, lists, each, fresh(folder, name)) for lists in (few, many)
            )
            title = f"peak memory {name}, {many * each:,} items against {few * each:,}"
            yield f"{title:<60} {long / short:.2f} ({long:.1f} MB against {short:.1f} MB)"


def _peak(url: str, lists: int, each: int, target: str) -> float:
    command = [sys.executable, "-m", "benchmarks.harvest.work", url, f"{lists}", f"{each}"]
    command.append(target)
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def rows(quick: bool) -> Iterator[str]:
    """What a row costs in each kind of target: whole iModels, 1000 a page."""
    lists = 20 if quick else 500
    with _folder() as folder, serving(Plan("one page", "", "imodels", PAGE)) as server:
        for name in targets(FILES):
            before = _spent()
            peak = _peak(server.url, lists, PAGE, fresh(folder, name))
            count, spent = lists * PAGE, _spent() - before
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            cost = f"{spent / count * 1e6:>5.0f} CPU seconds per million"
            each = f"{size / count:>7,.0f} bytes a row"
            yield f"{count:,} rows, {name:<16} {cost} {each} {peak:>5,.0f} MB at most"


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resuming(quick: bool) -> Iterator[str]:
    """
    Stop a harvest halfway and go on, against an undisturbed one; and ask a finished one again.
    """
    lists, rounds = (10, 1) if quick else (100, 5)
    halves, again = [], []
    with _folder() as folder, serving(Plan("one page", "", "imodels", PAGE)) as server:
        for _ in range(rounds):
            whole = _seconds(gather(server.url, lists, fresh(folder, "whole.db")))
            target = fresh(folder, "halved.db")
            first = _seconds(_stopped(server.url, lists, target))
            second = _seconds(gather(server.url, lists, target))
            halves.append((first + second) / whole)
            again.append(_seconds(gather(server.url, lists, target)) / whole)
    yield f"stopped halfway and gone on with   {statistics.median(halves):.2f} x undisturbed"
    yield f"a finished harvest asked again     {statistics.median(again):.2f} x undisturbed"


def refresh(quick: bool) -> Iterator[str]:
    """Make a finished target current where nothing has changed, against harvesting it anew."""
    lists, rounds = (10, 1) if quick else (100, 5)
    with _folder() as folder, serving(Plan("one page", "", "imodels", PAGE)) as server:
        for name in targets():
            first, again = [], []
            for _ in range(rounds):
                target = fresh(folder, name)
                first.append(_cost(gather(server.url, lists, target)))
                again.append(_cost(gather(server.url, lists, target, refresh=True)))
            ratio = _ratio(again, first)
            yield f"refresh of {lists * PAGE:,} items, {name:<16} x a harvest: {ratio}"


async def _stopped(url: str, lists: int, target: str) -> None:
    task = asyncio.current_task()
    assert task is not None

    def stop(progress: harvest.Progress) -> None:
        if progress.lists_done >= lists / 2:
            task.cancel()

    source = harvest.favorite_imodels(keys(lists)).full()
    try:
        async with Session(TOKEN, base_url=url) as session:
            await harvest.run(session, source, target, on_progress=stop)
    except asyncio.CancelledError:
        task.uncancel()
    else:
        raise RuntimeError("the harvest was not stopped")


def _cost(work: Coroutine[Any, Any, object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(work)
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _seconds(work: Coroutine[Any, Any, object]) -> float:
    return _cost(work).wall


class _folder(tempfile.TemporaryDirectory[str]):  # noqa: N801 - used like a function
    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(super().__enter__())


FIGURES: dict[str, Figures] = {
    "sinks": sinks,
    "latency": latency,
    "quota": quota,
    "memory": memory,
    "rows": rows,
    "resuming": resuming,
    "refresh": refresh,
}
