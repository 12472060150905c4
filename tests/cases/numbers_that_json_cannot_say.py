"""
json= takes "a value that JSON can say". NaN and infinity are none. Right: ArgumentError before anything is
sent. Wrong: null is sent in their place.
"""

import asyncio

from platform_by_bytes import Server, http, wrong

from itwin_async import ArgumentError, Session


async def main():
    bodies = []

    class Noting(Server):
        async def serve(self, reader, writer):
            self.writers.append(writer)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            bodies.append(await reader.readexactly(size))
            writer.write(http(status=204, length=False))
            writer.close()

    async with Noting(None) as server:
        async with Session("a-token-of-a-test", base_url=server.url) as session:
            for value in (float("nan"), {"latitude": float("inf")}, [-float("inf")]):
                try:
                    await session.request("PUT", "/x", json=value)
                except ArgumentError:
                    pass
    if bodies:
        wrong(f"sent {b', '.join(bodies).decode()}")


asyncio.run(main())
