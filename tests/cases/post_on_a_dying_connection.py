"""
A pooled connection is closed by the server just as a tag is created over it. The tag may be there. Right:
TransportError with sent=True, and no second POST.
"""

import asyncio

from platform_by_bytes import Server, http, wrong

from itwin_async import Session, TransportError, saved_views

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"


async def main():
    posts = []

    class Dying(Server):
        async def serve(self, reader, writer):
            self.writers.append(writer)
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    if head.startswith(b"POST"):
                        posts.append(head)
                        writer.close()
                        return
                    writer.write(http(b"{}"))
            except (asyncio.IncompleteReadError, ConnectionError):
                pass

    async with Dying(None) as server, Session("a-token-of-a-test", base_url=server.url) as session:
        await session.request("GET", "/x")
        try:
            await saved_views.create_tag(session, "Night shift", itwin_id=ITWIN)
        except TransportError as error:
            if not error.sent or len(posts) != 1:
                wrong(f"sent={error.sent}, {len(posts)} POSTs")
            return
        wrong("no error")


asyncio.run(main())
