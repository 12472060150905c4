"""
A harvest must not call itself complete when lists were never read.

A backend's token provider keeps one renewal for all who wait. A browser's request that started it goes
away; its cancellation ends the shared renewal, and so everybody's get_token() ends with CancelledError.
Nobody cancelled the harvest. Right: an error, a report that is not complete, or all rows.
"""

import asyncio
import tempfile

from itwin_async import ITwinError, Session, harvest

IDS = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(6)]
from platform_by_bytes import Server, http, page, query, wrong


class OneRenewal:
    task = None

    async def get_token(self):
        if self.task is None or self.task.cancelled():
            self.task = asyncio.create_task(asyncio.sleep(0.3, "a-token-of-a-test"))
        return await self.task

    def invalidate(self, token):
        self.task = None


async def main():
    async with Server(lambda m, t, h, n: http(page([query(t)["iTwinId"][:8]]))) as server:
        provider = OneRenewal()
        async with Session(provider, base_url=server.url) as session:
            browser = asyncio.create_task(session.request("GET", "/imodels"))
            await asyncio.sleep(0.05)
            with tempfile.TemporaryDirectory() as folder:
                work = asyncio.create_task(
                    harvest.run(
                        session, harvest.favorite_imodels(IDS), f"{folder}/a.db", concurrency=6
                    )
                )
                await asyncio.sleep(0.15)
                browser.cancel()
                try:
                    report = await asyncio.wait_for(work, 10)
                except (ITwinError, asyncio.CancelledError):
                    return
                if report.complete and report.progress.items != len(IDS):
                    wrong(
                        f"complete={report.complete}, no failures, but {report.progress.items} of {len(IDS)} rows"
                    )


asyncio.run(main())
