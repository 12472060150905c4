"""
A harvest in a process of its own: target, base URL, token and page size are its arguments.
"""

from __future__ import annotations

import asyncio
import sys

from itwin_async import Session, harvest


async def main(target: str, base_url: str, token: str, page_size: str) -> None:
    async with Session(token, base_url=base_url) as session:
        source = harvest.favorite_imodels(prefer="representation")
        print("started", flush=True)
        report = await harvest.run(session, source, target, page_size=int(page_size), concurrency=4)
        print(report.progress.items, report.complete, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
