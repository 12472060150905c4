"""A proxy that records a platform."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.web_request import BaseRequest
from yarl import URL

from itwin_async.emulator.hosting import HostedInLoop
from itwin_async.emulator.recording.cassette import (
    ORIGIN,
    Cassette,
    interaction_of,
    kept_headers,
    move,
)

PLATFORM = "https://api.bentley.com"
_HOP = {
    "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "accept-encoding", "cookie",
}  # fmt: skip


class Recorder(HostedInLoop):
    """
    A proxy to a platform that records requests and responses, without secrets.

    Args:
        path: where to write the cassette when it stops.
        platform_url: the base URL of the platform.
        host: the address to listen on.
        port: the port; 0 picks one.
        timeout: seconds that the platform may take for a response.

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        platform_url: str = PLATFORM,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        timeout: float = 60.0,
    ) -> None:
        parts = urlsplit(platform_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"platform_url must be a base URL, not {platform_url!r}")
        self._path = Path(path)
        self._platform_url = platform_url.rstrip("/")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._host = host
        self._port = port
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._http: aiohttp.ClientSession | None = None
        self.cassette = Cassette()

    async def __aenter__(self) -> Self:
        """Start to listen."""
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout
        )
        try:
            return await super().__aenter__()
        except BaseException:
            await self._http.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Stop, and write the cassette."""
        await super().__aexit__()
        if self._http is not None:
            await self._http.close()
        self.cassette.write(self._path)

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        body = await incoming.read() if incoming.can_read_body else None
        headers = {k: v for k, v in incoming.headers.items() if k.lower() not in _HOP}
        url = URL(self._platform_url + incoming.raw_path, encoded=True)
        assert self._http is not None  # noqa: S101 - it listens only while entered
        try:
            async with self._http.request(
                incoming.method,
                url,
                headers={**headers, "Accept-Encoding": "identity"},
                data=body,
                allow_redirects=False,
            ) as response:
                answer = await response.read()
                kept, status = kept_headers(response.headers), response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return web.Response(status=502, text=f"The platform did not answer: {type(error)}")
        here = f"{incoming.scheme}://{incoming.host}"
        moved = interaction_of(
            incoming,
            status=status,
            headers={k: v.replace(self._origin, ORIGIN) for k, v in kept.items()},
            body=move(answer, self._origin, ORIGIN),
        )
        self.cassette.interactions.append(moved)
        return web.Response(
            status=status,
            body=move(answer, self._origin, here) or None,
            headers={k: v.replace(self._origin, here) for k, v in kept.items()},
        )
