"""
A harvest in a process of its own: target, base URL, token, page size, names of lists.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module

from itwin_async import RetryPolicy, Session, harvest
from itwin_async.harvest import store
from itwin_async.harvest.lake import spool
from itwin_async.harvest.sinks import parquet


async def main(target: str, base_url: str, token: str, page_size: str, *names: str) -> None:
    policy = RetryPolicy(base=0.02)
    # Files become durable seldom, and a test has no time for that.
    store._COMMIT_AFTER = store._PARQUET_COMMIT_AFTER = spool._PUBLISH_AFTER = 0.05
    async with Session(token, base_url=base_url, retry=policy) as session:
        source = harvest.lists(*(names or ["favorite-imodels"]), full=True)
        if target.endswith((".parquet", ".delta")):
            import_module("pyarrow.parquet")  # takes as long as a process lives here
            parquet._MANY = 4  # so that a process that lives briefly merges parts too
            import_module("pyarrow.dataset")
        if target.endswith(".delta"):
            import_module("deltalake.fs")
        print("started", flush=True)
        report = await harvest.run(session, source, target, page_size=int(page_size), concurrency=4)
        print(report.progress.items, report.complete, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
