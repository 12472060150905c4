"""
A walk is cancelled in the k-th turn of the event loop, for all k, with refusals and lost answers on the way.
Right: what it gave and what its cursor gives are the list; the session goes on as if nothing had been.
"""

import asyncio

from platform_by_bytes import Server, http, page, query, wrong

from itwin_async import RetryPolicy, Session, imodels, itwins

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"
PAGES = [["a", "b"], ["c"], [], ["d", "e"], ["f"]]
WHOLE = [name for names in PAGES for name in names]


class Loop(asyncio.SelectorEventLoop):
    turn, at, act = 0, 0, None

    def _run_once(self):
        self.turn += 1
        if self.act is not None and self.turn == self.at:
            act, self.act = self.act, None
            act()
        super()._run_once()


def answer(method, target, headers, number):
    if method == "PUT":
        return http(status=204)
    if number in (2, 5):
        return http(status=503) if number == 2 else http(b"", 429, "Retry-After: 0")
    by_skip = target.startswith("/itwins")
    at = int(query(target).get("$skip" if by_skip else "$continuationToken") or 0)
    if at + 1 >= len(PAGES):
        return http(
            page(PAGES[at] if at < len(PAGES) else [], key="iTwins" if by_skip else "iModels")
        )
    following = (
        f"/itwins/favorites?$skip={at + 1}"
        if by_skip
        else f"/imodels/favorites?$continuationToken={at + 1}"
    )
    return http(page(PAGES[at], following, key="iTwins" if by_skip else "iModels"))


async def attempt(pager, step):
    loop = asyncio.get_running_loop()
    async with Server(answer) as server:
        async with Session(
            "a-token-of-a-test",
            base_url=server.url,
            max_connections=4,
            retry=RetryPolicy(base=0.001, cap=0.002),
        ) as session:
            walk, found = aiter(pager(session, None)), []

            async def go():
                async for item in walk:
                    found.append(item.id)

            task = asyncio.ensure_future(go())
            loop.at, loop.act = loop.turn + step, task.cancel
            await asyncio.gather(task, return_exceptions=True)
            ended, loop.act = loop.act is not None, None
            await walk.aclose()
            rest = [item.id async for item in pager(session, walk.cursor)]
            if found + rest != WHOLE:
                wrong(f"step {step}: {found} and then {rest}")
            await asyncio.wait_for(
                asyncio.gather(*(session.request("PUT", "/x") for _ in range(4))), 5
            )
            return ended


for pager in (
    lambda session, cursor: imodels.list_favorites(session, ITWIN, cursor=cursor),
    lambda session, cursor: imodels.list_favorites(session, ITWIN, cursor=cursor, prefetch=3),
    lambda session, cursor: itwins.list_favorites(session, cursor=cursor, concurrency=4),
):
    step, ended = 0, False
    while not ended and step < 2000:
        step += 1
        loop = Loop()
        ended = loop.run_until_complete(attempt(pager, step))
        loop.close()
