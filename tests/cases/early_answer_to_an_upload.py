"""
A server refuses an upload before it has read it, and closes. Right: the refusal is told, not a lost connection.
"""

import asyncio

from platform_by_bytes import Server, http, wrong

from itwin_async import InvalidRequestError, ITwinError, Session


async def main():
    class Hasty(Server):
        async def serve(self, reader, writer):
            self.writers.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                http({"error": {"code": "TooLarge", "message": "no"}}, 413, "Connection: close")
            )
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()

    async with Hasty(None) as server, Session("a-token-of-a-test", base_url=server.url) as session:
        try:
            await session.request("POST", "/upload", body=bytes(8 * 1024 * 1024))
        except InvalidRequestError:
            return
        except ITwinError as error:
            wrong(f"{type(error).__name__}: {error}")
        wrong("no error")


asyncio.run(main())
