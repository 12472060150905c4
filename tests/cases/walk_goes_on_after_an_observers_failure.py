"""
An observer fails once, while a page is fetched ahead. "After an error the walk may be asked again." Right:
the walk then goes on and gives every item once. Wrong: it raises the same error for ever.
"""

import asyncio

from platform_by_bytes import Server, http, page, query, wrong

from itwin_async import Session, imodels

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"


async def main():
    def answer(method, target, headers, number):
        at = int(query(target).get("$continuationToken") or 0)
        return http(
            page([f"i{at}"], f"/imodels/favorites?$continuationToken={at + 1}" if at < 4 else None)
        )

    calls = []

    def observer(event):
        calls.append(event)
        if len(calls) == 2:
            raise RuntimeError("the metrics backend was away for a moment")

    async with Server(answer) as server:
        async with Session(
            "a-token-of-a-test", base_url=server.url, observers=[observer]
        ) as session:
            walk, found, errors = aiter(imodels.list_favorites(session, ITWIN)), [], 0
            while errors < 10:
                try:
                    found.append((await anext(walk)).id)
                except StopAsyncIteration:
                    break
                except RuntimeError:
                    errors += 1
            if found != ["i0", "i1", "i2", "i3", "i4"]:
                wrong(
                    f"asked {errors} times after the observer's one failure, the walk still raises it; got {found}"
                )


asyncio.run(main())
