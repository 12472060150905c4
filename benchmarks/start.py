"""
The first item of a list in a new process; importing is most of it.

``python -m benchmarks.start SIDE URL`` prints the CPU seconds of the process once it has the item.
Each side imports what it needs, and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

_ITWIN_ID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
_PAGE_SIZE = 100


def command(side: str, url: str, python: str = sys.executable) -> list[str]:
    """Write the command that starts a side."""
    return [python, "-m", "benchmarks.start", side, url]


def started(side: str, url: str, python: str = sys.executable) -> tuple[float, float]:
    """
    Start a side in a new process, and wait until it has the first item.

    Returns:
        Seconds, and CPU seconds.
    """
    # Where no bytecode is kept, every import would be timed with its compilation.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    with subprocess.Popen(
        command(side, url, python), stdout=subprocess.PIPE, text=True, env=kept
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        seconds = time.perf_counter() - begun
    if not line:
        raise RuntimeError(f"{side} did not start")
    return seconds, float(line)


async def _raw(base: str) -> bool:
    import aiohttp  # noqa: PLC0415
    import orjson  # noqa: PLC0415

    url = f"{base}/imodels/favorites?iTwinId={_ITWIN_ID}&$top={_PAGE_SIZE}&$continuationToken="
    headers = {
        "Authorization": "Bearer benchmark",
        "Accept": "application/vnd.bentley.itwin-platform.v2+json",
        "Prefer": "return=representation",
    }
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
        response.raise_for_status()
        page = orjson.loads(await response.read())
        return bool(page["iModels"][0]["displayName"])


async def _ours(base: str) -> bool:
    from itwin_async import Session, imodels  # noqa: PLC0415

    async with Session("benchmark", base_url=base) as session:
        pager = imodels.list_favorites(session, _ITWIN_ID, page_size=_PAGE_SIZE).full()
        first = await pager.first()
        return first is not None and bool(first.display_name)


def main(side: str, url: str) -> None:
    """Do it, and say how much CPU time it took."""
    if not asyncio.run(_raw(url) if side == "raw" else _ours(url)):
        raise SystemExit("there is no item")
    print(f"{time.process_time():.6f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
