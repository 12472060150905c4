"""One harvest, and the same lists just streamed."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.plan import TOKEN
from benchmarks.stream import peak
from itwin_async import Session, harvest, imodels

PAGE = 1000
TARGETS = ("out.db", "out.ndjson", "out.ndjson.gz", "out.ndjson.zst", "out.parquet")
NEEDS = {"out.ndjson.zst": "zstandard", "out.parquet": "pyarrow"}


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
    target: Path,
    *,
    each: int = PAGE,
    concurrency: int = 16,
    refresh: bool = False,
) -> harvest.Report:
    """Harvest all lists, each of so many items."""
    source = harvest.favorite_imodels(keys(lists)).full()
    async with Session(TOKEN, base_url=url) as session:
        report = await harvest.run(
            session, source, target, concurrency=concurrency, refresh=refresh
        )
    if not report.complete or report.progress.items != lists * each:
        raise RuntimeError(f"{target.name} has {report.progress.items} of {lists * each} items")
    return report


def clear(folder: Path) -> None:
    """Remove what the last harvest left."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main(url: str, lists: int, each: int, target: str) -> None:
    """Harvest in this process and print its peak memory in megabytes."""
    asyncio.run(gather(url, lists, Path(target), each=each))
    print(f"{peak():.2f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
