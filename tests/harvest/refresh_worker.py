"""
A refresh in a process of its own that takes its time: target, base URL, token, file for changes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from churn import sources

from itwin_async import RetryPolicy, Session, harvest
from itwin_async.harvest import refresh, swap


def slowly(function: Any) -> Any:
    def called(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.02)
        result = function(*arguments, **options)
        time.sleep(0.02)
        return result

    return called


merge = refresh.merge


def merge_slowly(*arguments: Any, **options: Any) -> Iterator[Any]:
    for row in merge(*arguments, **options):
        time.sleep(0.001)
        yield row


async def main(target: str, base_url: str, token: str, changes: str) -> None:
    refresh.merge = merge_slowly  # type: ignore[assignment]
    # So that a process is killed here too.
    swap._rename, swap.finish = slowly(swap._rename), slowly(swap.finish)  # type: ignore[assignment]
    async with Session(token, base_url=base_url, retry=RetryPolicy(base=0.02)) as session:
        if target.endswith(".parquet"):
            import_module("pyarrow.parquet")
        print("started", flush=True)
        report = await harvest.run(
            session, sources(), target, concurrency=4, refresh=True, changes=changes
        )
        print(report.complete, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
