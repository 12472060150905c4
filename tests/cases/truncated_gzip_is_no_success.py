"""
A gzip body that ends before its trailer is not whole, also where Content-Length counts what came.

Right: TransportError (broken body) for Session.request in each framing; never 200 with the beginning.
"""

import asyncio
import gzip

from platform_by_bytes import Server, http, wrong

from itwin_async import ITwinError, RetryPolicy, Session

WHOLE = b"line of a report\n" * 2000
CUT = gzip.compress(WHOLE)[:-12]
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(CUT), CUT)
FORMS = {
    "content-length": http(CUT, 200, "Content-Encoding: gzip"),
    "chunked": http(
        CHUNKED, 200, "Content-Encoding: gzip", "Transfer-Encoding: chunked", length=False
    ),
    "close": (http(CUT, 200, "Content-Encoding: gzip", "Connection: close", length=False), True),
}


async def main():
    bad = []
    for name, answer in FORMS.items():
        async with Server(lambda *_: answer) as server:
            async with Session(
                "a-token-of-a-test", base_url=server.url, retry=RetryPolicy(retries=0)
            ) as session:
                try:
                    response = await session.request("GET", "/report", accept="text/plain")
                except ITwinError:
                    continue
                bad.append(
                    f"{name}: {response.status} with {len(response.body)} of {len(WHOLE)} bytes"
                )
    if bad:
        wrong("; ".join(bad))


asyncio.run(main())
