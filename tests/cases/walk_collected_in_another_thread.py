"""
A walk that was left early sits in a reference cycle, and the collector happens to run in a worker thread
(asyncio.to_thread, a database driver, a harvest's writer). Right: closing the session ends. Wrong, in
asyncio's debug mode: "Non-thread-safe operation", and Session.close() waits for ever.
"""

import asyncio
import gc
import subprocess
import sys

from platform_by_bytes import Server, http, page, wrong

from itwin_async import Session, imodels

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"


class Holder:
    pass


async def main():
    asked = asyncio.Event()

    async def answer(method, target, headers, number):
        if number > 1:
            asked.set()
            await asyncio.sleep(30)
        return http(page(["a"], "/imodels/favorites?$continuationToken=2"))

    async with Server(answer) as server:
        async with Session("a-token-of-a-test", base_url=server.url) as session:
            gc.collect()
            gc.disable()
            walk = imodels.list_favorites(session, ITWIN).pages()
            await anext(walk)
            holder = Holder()
            holder.walk, holder.itself = walk, holder
            del walk, holder
            await asyncio.wait_for(asked.wait(), 5)
            await asyncio.to_thread(gc.collect)


if sys.argv[1:] == ["child"]:
    asyncio.run(main(), debug=True)
    sys.exit(0)
child = subprocess.Popen([sys.executable, __file__, "child"], stderr=subprocess.PIPE, text=True)
try:
    _, said = child.communicate(timeout=15)
except subprocess.TimeoutExpired:
    child.kill()
    said = child.communicate()[1]
    wrong(
        f"Session.close() did not end in 15 s ({'RuntimeError' if 'Non-thread-safe' in said else said[-80:]})"
    )
if "Non-thread-safe" in said:
    wrong("RuntimeError: Non-thread-safe operation")
