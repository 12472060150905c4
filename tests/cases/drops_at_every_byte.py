"""
The connection is dropped behind each byte of an answer, framed by length or by chunks, plain and gzipped.
Right: the page is asked for again, and the list is right.
"""

import asyncio
import gzip
import json

from platform_by_bytes import Server, http, page, wrong

from itwin_async import RetryPolicy, Session, imodels

ITWIN = "ad0ba809-9241-48ad-9eb0-c8038c1a1d51"
BODY = json.dumps(page(["a", "b", "c"])).encode()
ZIPPED = gzip.compress(BODY[:50]) + gzip.compress(BODY[50:])  # two members are one body


def chunks(data):
    parts = [data[n : n + 37] for n in range(0, len(data), 37)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


FORMS = [
    http(BODY),
    http(ZIPPED, 200, "Content-Encoding: gzip"),
    http(chunks(BODY), 200, "Transfer-Encoding: chunked", length=False),
    http(chunks(ZIPPED), 200, "Content-Encoding: gzip", "Transfer-Encoding: chunked", length=False),
]


async def main():
    for whole in FORMS:
        for kept in range(len(whole)):

            def answer(method, target, headers, number):
                return (whole[:kept] if number == 1 else whole, True)

            async with Server(answer) as server:
                retry = RetryPolicy(retries=1, base=0.0)
                async with Session(
                    "a-token-of-a-test", base_url=server.url, retry=retry
                ) as session:
                    found = [each.id async for each in imodels.list_favorites(session, ITWIN)]
                    if found != ["a", "b", "c"] or len(server.seen) != 2:
                        wrong(f"{kept} of {len(whole)} bytes: {found}, {len(server.seen)} requests")


asyncio.run(main())
