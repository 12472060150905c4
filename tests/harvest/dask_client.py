"""A harvest on a cluster, from a process of its own: address, target, calls a second, lists."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from distributed import Client
from sqlite_lake import SqliteLake

from itwin_async import Quota, harvest


async def main(address: str, target: str, rate: str, *names: str) -> None:
    lake = partial(SqliteLake, target)
    async with Client(address, asynchronous=True) as client:
        print("started", flush=True)
        report = await harvest.distribute(
            client,
            harvest.lists(*names),
            target if target.endswith(".delta") else lake,
            quota=Quota(int(rate), per_seconds=1),
            size=3,
            concurrency=4,
            page_size=5,
        )
    print(report.to_json(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
