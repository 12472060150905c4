"""
The canned server: HTTP/1.1 over a bare protocol, answers made beforehand, in a process of its own.

It must never be what limits a measurement: of a request it reads the first line and, for a body,
the length. ``GET /usage`` tells the CPU seconds that it has used and the calls that it has refused,
and begins a new window of what it allows.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import re
import ssl
import sys
import time
import zlib
from typing import NamedTuple

from benchmarks import bodies
from benchmarks.plan import ITWIN_ID, SCRIPTS, Script

_END = b"\r\n\r\n"
_POSITION = re.compile(rb"(?:continuationToken=[A-Za-z]*|skip=)(\d+)")
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"
_UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n"
_CHUNK = 16 * 1024


class Settings(NamedTuple):
    """What the server serves, and how fast."""

    amount: int
    page_size: int
    full: bool
    latency: float
    gzip: bool
    megabits: float
    script: Script
    certificate: str
    allowed: int
    per_seconds: float
    burst: int


class Allowance:
    """
    How many calls go: a fixed window that the first call begins, or a bucket.

    Args:
        settings: ``allowed`` calls in ``per_seconds``, and the ``burst`` of a bucket.
    """

    def __init__(self, settings: Settings) -> None:
        self._allowed = settings.allowed
        self._seconds = settings.per_seconds
        self._burst = settings.burst
        self.refused = 0
        self.renew()

    def renew(self) -> None:
        """Begin a new window, or fill the bucket."""
        self._left: float = self._burst or self._allowed
        self._since: float | None = None

    def take(self, now: float) -> float:
        """
        Let a call go, or refuse it.

        Returns:
            Seconds until another may go; 0 if this one went.
        """
        if not self._allowed:
            return 0.0
        since = now if self._since is None else self._since
        if self._burst:
            wait = self._seconds / self._allowed
            self._left = min(self._burst, self._left + (now - since) / wait)
            since = now
        else:
            if now >= since + self._seconds:
                since, self._left = now, self._allowed
            wait = since + self._seconds - now
        self._since = since
        if self._left >= 1:
            self._left -= 1
            return 0.0
        self.refused += 1
        return wait


class Pages:
    """
    All pages of one list; they differ in their links only.

    Args:
        key: member that holds the items.
        items: a JSON list without its closing bracket.
        settings: size of the list and of its pages.
        origin: scheme, host and port for the links.
    """

    def __init__(self, key: str, items: bytes, settings: Settings, origin: str) -> None:
        self._settings = settings
        self._origin = origin
        self._by_skip = key == "iTwins"
        self._start = f'{{"{key}":'.encode() + items
        self._answers: dict[tuple[int, bool], tuple[bytes, bytes]] = {}
        packer = zlib.compressobj(6, wbits=31)
        self._packer = packer
        self._packed = b""
        if settings.gzip:
            self._packed = packer.compress(self._start) + packer.flush(zlib.Z_SYNC_FLUSH)

    def answer(self, request: bytes) -> bytes:
        """
        Give the whole answer to a request.

        Args:
            request: its head.

        Returns:
            Head and body.
        """
        found = _POSITION.search(request, 0, request.index(b"\r\n"))
        position = int(found[1]) if found else 0
        packed = self._settings.gzip and b"gzip" in request
        head, tail = self._answers.get((position, packed)) or self._make(position, packed=packed)
        return b"".join((head, self._packed if packed else self._start, tail))

    def _make(self, position: int, *, packed: bool) -> tuple[bytes, bytes]:
        following = position + self._settings.page_size
        links = f'"self":{self._link(position)}'
        if following < self._settings.amount:
            links += f',"next":{self._link(following)}'
        tail = f'],"_links":{{{links}}}}}'.encode()
        start, coding = self._start, ""
        if packed:
            packer = self._packer.copy()
            start, tail = self._packed, packer.compress(tail) + packer.flush()
            coding = "Content-Encoding: gzip\r\n"
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"{coding}Content-Length: {len(start) + len(tail)}\r\n\r\n"
        ).encode()
        self._answers[position, packed] = head, tail
        return head, tail

    def _link(self, position: int) -> str:
        top = self._settings.page_size
        if self._by_skip:
            query = f"itwins/favorites?$top={top}&$skip={position}"
        else:
            query = f"imodels/favorites?iTwinId={ITWIN_ID}&$top={top}"
            query += f"&$continuationToken=IjBmNmEyZjBi{position}"
        return f'{{"href":"{self._origin}/{query}"}}'


class Link:
    """
    A network of limited speed that all connections share.

    Args:
        megabits: million bits a second.
    """

    def __init__(self, megabits: float) -> None:
        self._seconds = 8 / (megabits * 1_000_000)
        self._free = 0.0

    def send(self, transport: asyncio.Transport, data: bytes) -> None:
        """
        Send at the network's speed.

        Args:
            transport: to whom.
            data: what.
        """
        loop = asyncio.get_running_loop()
        self._free = max(self._free, loop.time())
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            self._free += len(chunk) * self._seconds
            loop.call_at(self._free, transport.write, chunk)


class Canned(asyncio.Protocol):
    """
    One connection.

    Args:
        settings: what is served.
        lists: pages by the first letters of their path.
        link: the network, if it is limited.
        allowance: what all connections share.
    """

    def __init__(
        self,
        settings: Settings,
        lists: dict[bytes, Pages],
        link: Link | None,
        allowance: Allowance,
    ) -> None:
        self._latency = settings.latency
        self._allowance = allowance
        self._lists = lists
        self._link = link
        self._rest = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while True:
            end = data.find(_END)
            if end < 0:
                break
            size = end + 4
            if not data.startswith(b"GET"):
                length = _LENGTH.search(data, 0, end)
                size += int(length[1]) if length else 0
            if len(data) < size:
                break
            self._answer(data[:size])
            data = data[size:]
        self._rest = data

    def _answer(self, request: bytes) -> None:
        if not request.startswith(b"GET"):
            wait = self._allowance.take(self._loop.time())
            answer = _REFUSED % math.ceil(wait) if wait else _DONE
        elif request.startswith(b"GET /usage"):
            body = f"{time.process_time():.6f} {self._allowance.refused}".encode()
            self._allowance.renew()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            return
        elif request.startswith(b"GET /_emulator/"):  # a harvest asks whose world it is
            self._transport.write(_UNKNOWN)
            return
        else:
            known = self._lists.get(request[5:7])
            answer = _UNKNOWN if known is None else known.answer(request)
        if self._latency:
            self._loop.call_later(self._latency, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        if self._link is not None:
            self._link.send(self._transport, answer)
        else:
            self._transport.write(answer)


async def serve(settings: Settings) -> None:
    """
    Serve until standard input ends; print the address first.

    Args:
        settings: what is served.
    """
    loop = asyncio.get_running_loop()
    link = Link(settings.megabits) if settings.megabits else None
    allowance = Allowance(settings)
    lists: dict[bytes, Pages] = {}
    secure = None
    if settings.certificate:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(settings.certificate)
    server = await loop.create_server(
        lambda: Canned(settings, lists, link, allowance), "127.0.0.1", 0, ssl=secure
    )
    port = server.sockets[0].getsockname()[1]
    origin = f"http{'s' if secure else ''}://127.0.0.1:{port}"
    size, full, script = settings.page_size, settings.full, settings.script
    lists[b"im"] = Pages(
        "iModels", bodies.imodels(size, full=full, script=script), settings, origin
    )
    lists[b"it"] = Pages("iTwins", bodies.itwins(size, full=full, script=script), settings, origin)
    print(origin, flush=True)
    # The parent's end of the pipe closes whatever becomes of it.
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Read the settings from the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=serve.__doc__)
    parser.add_argument("--amount", type=int, default=100_000)
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--minimal", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--megabits", type=float, default=0.0, help="limit of the network's speed")
    parser.add_argument("--script", choices=SCRIPTS, default="latin", help="script of the names")
    parser.add_argument("--certificate", default="", help="PEM file with key and certificate")
    parser.add_argument("--allowed", type=int, default=0, help="calls that are allowed")
    parser.add_argument("--per-seconds", type=float, default=1.0, help="in so many seconds")
    parser.add_argument("--burst", type=int, default=0, help="of a bucket instead of a window")
    given = parser.parse_args()
    settings = Settings(
        amount=given.amount,
        page_size=given.page_size,
        full=not given.minimal,
        latency=given.latency,
        gzip=given.gzip,
        megabits=given.megabits,
        script=given.script,
        certificate=given.certificate,
        allowed=given.allowed,
        per_seconds=given.per_seconds,
        burst=given.burst,
    )
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
