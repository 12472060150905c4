"""A download in a process of its own: base URL, token and folder are its arguments."""

from __future__ import annotations

import asyncio
import sys

from blob_storage import IMODEL

from itwin_async import RetryPolicy, Session, files


async def main(base_url: str, token: str, folder: str) -> None:
    async with Session(token, base_url=base_url, retry=RetryPolicy(base=0.02)) as session:
        print("started", flush=True)
        report = await files.download_changesets(session, IMODEL, folder, concurrency=4)
        print(report.files, report.complete, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
