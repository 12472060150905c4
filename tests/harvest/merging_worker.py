"""A harvest that does little else than merge parts, in a process of its own: target, pages."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from made_lists import Thing, made

from itwin_async import Session, harvest
from itwin_async.harvest import store, writer
from itwin_async.harvest.sinks import parquet


def source(pages: int) -> harvest.Source[Thing]:
    """Five lists of pages of five things."""
    return made(
        {
            str(key): [[Thing(f"{key}-{page}-{n}") for n in range(5)] for page in range(pages)]
            for key in range(5)
        }
    )


async def main(target: str, pages: str) -> None:
    store._COMMIT_AFTER = 0.0
    writer._LEAST = 2**20  # each page is taken alone, and is a part
    parquet._MANY = 3
    import_module("pyarrow.parquet")  # takes as long as a process lives here
    async with Session("token", base_url="http://127.0.0.1:9") as session:
        print("started", flush=True)
        report = await harvest.run(session, source(int(pages)), target, concurrency=1)
        print(report.progress.items, report.complete, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
