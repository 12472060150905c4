"""
One download of one side in a process of its own: ``SIDE URL FOLDER`` are its arguments.

It prints seconds, CPU seconds, peak memory in bytes, and how many files there are.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import aiohttp
from yarl import URL

from itwin_async import Session, files

IMODEL = "0f6a2f0b-6d1a-4f7e-9a53-1e0d7c5b4a39"
CONCURRENCY = 8


async def ours(url: str, folder: Path) -> None:
    async with Session("benchmark", base_url=url) as session:
        report = await files.download_changesets(session, IMODEL, folder, concurrency=CONCURRENCY)
    assert report.complete


async def save(answer: aiohttp.ClientResponse, path: Path) -> None:
    stated = answer.headers.get("Content-MD5")
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        async for piece in answer.content.iter_chunked(2**16):
            if stated:
                md5.update(piece)
            file.write(piece)
    assert stated in {None, base64.b64encode(md5.digest()).decode()}


async def plain(url: str, folder: Path) -> None:
    headers = {"Accept": "application/vnd.bentley.itwin-platform.v2+json"}
    async with aiohttp.ClientSession() as http:
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(250)

        async def work() -> None:
            while True:
                name, href = await queue.get()
                async with http.get(URL(href, encoded=True)) as answer:
                    answer.raise_for_status()
                    await save(answer, folder / f"{name}.cs")
                queue.task_done()

        workers = [asyncio.create_task(work()) for _ in range(CONCURRENCY)]
        page: str | None = f"{url}/imodels/{IMODEL}/changesets?$top=250&$continuationToken="
        while page:
            async with http.get(
                URL(page, encoded=True), headers={**headers, "Prefer": "return=representation"}
            ) as answer:
                body = await answer.json()
            for row in body["changesets"]:
                await queue.put((row["id"], row["_links"]["download"]["href"]))
            page = (body["_links"].get("next") or {}).get("href")
        await queue.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def main() -> None:
    side, url, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if side == "plain":
        folder.mkdir()
    started, computed = time.perf_counter(), time.process_time()
    asyncio.run({"ours": ours, "plain": plain}[side](url, folder))
    told = {
        "wall": time.perf_counter() - started,
        "cpu": time.process_time() - computed,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "files": sum(1 for _ in folder.glob("*.cs")),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
