"""One harvest, and the same lists just streamed."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.plan import TOKEN
from benchmarks.stream import peak
from itwin_async import Quota, Session, harvest, imodels

PAGE = 1000
FILES = ("out.db", "out.ndjson", "out.ndjson.gz", "out.ndjson.zst", "out.parquet", "out.delta")
POSTGRESQL = "postgresql"
NEEDS = {
    "out.ndjson.zst": "zstandard",
    "out.parquet": "pyarrow",
    "out.delta": "deltalake",
    POSTGRESQL: "psycopg",
}

_SERVER = os.environ.get("ITWIN_ASYNC_POSTGRESQL", "")
_schemas = itertools.count(int(time.time()))


def targets(names: Sequence[str] = (*FILES, POSTGRESQL)) -> list[str]:
    """Choose those names of targets for which everything is there."""
    names = [name for name in names if name != POSTGRESQL or _SERVER]
    return [name for name in names if name not in NEEDS or find_spec(NEEDS[name])]


def fresh(folder: Path, name: str) -> str:
    """Remove what the last harvest left, and give the target of the next one."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if name == POSTGRESQL:
        return f"{_SERVER}?schema=benchmark_{next(_schemas)}"
    return str(folder / name)


def keys(lists: int) -> list[str]:
    """Name as many lists as are wanted."""
    return [f"7d1b3d62-0c6f-4f2c-bb25-{number:012x}" for number in range(lists)]


async def stream(url: str, lists: int, concurrency: int = 16) -> int:
    """Read all lists and keep nothing."""
    count = 0
    left = iter(keys(lists))

    async def work(session: Session, left: Iterator[str]) -> None:
        nonlocal count
        for key in left:
            pager = imodels.list_favorites(session, key, page_size=PAGE, prefetch=0).full()
            async for page in pager.pages():
                count += len(page.items)

    async with Session(TOKEN, base_url=url) as session, asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work(session, left))
    if count != lists * PAGE:
        raise RuntimeError(f"{count} of {lists * PAGE} items were streamed")
    return count


async def gather(
    url: str,
    lists: int,
    target: str,
    *,
    each: int = PAGE,
    concurrency: int = 16,
    refresh: bool = False,
    quota: Quota | None = None,
) -> harvest.Report:
    """Harvest all lists, each of so many items, or refresh them."""
    source = harvest.favorite_imodels(keys(lists)).full()
    async with Session(TOKEN, base_url=url, quota=quota) as session:
        report = await harvest.run(
            session, source, target, concurrency=concurrency, refresh=refresh
        )
    if not report.complete or report.progress.items != lists * each:
        raise RuntimeError(f"{target} has {report.progress.items} of {lists * each} items")
    return report


def main(url: str, lists: int, each: int, target: str) -> None:
    """Harvest in this process and print its peak memory in megabytes."""
    asyncio.run(gather(url, lists, target, each=each))
    print(f"{peak():.2f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
