"""
The list of changesets and their files, served in a process of its own.

``COUNT SIZE DIGEST`` are its arguments; it prints its address, and serves until stdin ends.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys

PAGE = 250
_PIECE = 2**18


class Files:
    def __init__(self, count: int, size: int, *, digest: bool) -> None:
        self.count = count
        self.data = memoryview(bytes(range(256)) * (size // 256 + 1))[:size]
        headers = [f"Content-Length: {size}", 'ETag: "0x8D"', "Content-Type: application/x"]
        if digest:
            md5 = hashlib.md5(self.data, usedforsecurity=False).digest()
            headers.append(f"Content-MD5: {base64.b64encode(md5).decode()}")
        self.head = "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /imodels"):
                    writer.write(self.page(head.split(b" ", 2)[1].decode()))
                else:
                    await self.file(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def file(self, writer: asyncio.StreamWriter) -> None:
        if len(self.data) <= _PIECE:
            writer.write(self.head + self.data)
            return
        writer.write(self.head)
        for start in range(0, len(self.data), _PIECE):
            writer.write(self.data[start : start + _PIECE])
            await writer.drain()

    def page(self, target: str) -> bytes:
        start = int(target.partition("continuationToken=")[2] or 0)
        end = min(start + PAGE, self.count)
        rows = [self.changeset(index) for index in range(start + 1, end + 1)]
        links: dict[str, object] = {}
        if end < self.count:
            path = target.partition("?")[0]
            links["next"] = {"href": f"{self.url}{path}?$top={PAGE}&$continuationToken={end}"}
        body = json.dumps({"changesets": rows, "_links": links}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        return f"{head}\r\n\r\n".encode() + body

    def changeset(self, index: int) -> dict[str, object]:
        link = {"href": f"{self.url}/files/{index}?sv=1&sig=abc", "storageType": "azure"}
        return {
            "id": f"{index:040x}",
            "index": index,
            "state": "fileUploaded",
            "fileSize": len(self.data),
            "_links": {"download": link},
        }


async def main(count: str, size: str, digest: str) -> None:
    files = Files(int(count), int(size), digest=digest == "digest")
    server = await asyncio.start_server(files.serve, "127.0.0.1", 0)
    files.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(files.url, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
