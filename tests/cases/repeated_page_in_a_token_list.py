"""
A server hands out a page of a list of continuation tokens twice (under two tokens). The same harvest must
give the same rows in every form of target: "none missing, none twice". Right: three rows everywhere.
"""

import asyncio
import tempfile

from platform_by_bytes import Server, http, page, query, wrong

from itwin_async import Session, harvest

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"
PAGES = [["a", "b"], ["a", "b"], ["c"]]


def answer(method, target, headers, number):
    at = int(query(target).get("$continuationToken") or 0)
    following = (
        f"/imodels/favorites?iTwinId={ITWIN}&$continuationToken={at + 1}" if at < 2 else None
    )
    return http(page(PAGES[at], following))


async def main():
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("db", "ndjson", "ndjson.gz", "parquet"):
            async with (
                Server(answer) as server,
                Session("a-token-of-a-test", base_url=server.url) as session,
            ):
                await harvest.run(
                    session, harvest.favorite_imodels([ITWIN]), f"{folder}/a.{ending}"
                )
            rows[ending] = [item.id for _, item in harvest.read(f"{folder}/a.{ending}")]
    doubled = {ending: found for ending, found in rows.items() if len(found) != len(set(found))}
    if doubled:
        wrong(f"doubled rows: {doubled}; SQLite has {rows['db']}")


asyncio.run(main())
