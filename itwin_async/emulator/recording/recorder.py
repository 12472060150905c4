"""A proxy that records a platform."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.web_request import BaseRequest
from yarl import URL

from itwin_async.emulator.hosting import IDENTITY, Hosted, HostedInLoop, HostedInThread
from itwin_async.emulator.recording.cassette import (
    ORIGIN,
    Cassette,
    interaction_of,
    kept_headers,
    move,
)
from itwin_async.emulator.recording.matching import Miss
from itwin_async.emulator.recording.replay import TOKEN
from itwin_async.emulator.recording.secrets import Scrubber

PLATFORM = "https://api.bentley.com"
_HOP = {
    "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "accept-encoding", "cookie",
}  # fmt: skip


class _Recording(Hosted):
    def __init__(
        self,
        path: str | os.PathLike[str],
        platform_url: str = PLATFORM,
        *,
        token: str | None = None,
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
        self._token = token
        self._scrubber = Scrubber(*([] if token is None else [token]))
        self._host = host
        self._port = port
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._http: aiohttp.ClientSession | None = None
        self._written = True
        self._failure: OSError | None = None
        self.cassette = Cassette()

    @property
    def token(self) -> str:
        """A token for its clients, where the recorder has the platform's."""
        return TOKEN

    @property
    def recording(self) -> bool:
        """Whether it records, unlike a replay."""
        return True

    @property
    def played(self) -> list[str]:
        """The requests, as those of a replay."""
        return [str(interaction) for interaction in self.cassette.interactions]

    @property
    def misses(self) -> list[Miss]:
        """Those of a replay; a recorder has none."""
        return []

    def discard(self) -> None:
        """Write no cassette at the end."""
        self._written = False

    async def _open(self) -> None:
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout
        )
        try:
            await super()._open()
        except BaseException:
            await self._http.close()
            raise

    async def _close(self) -> None:
        await super()._close()
        if self._http is not None:
            await self._http.close()
        # A secret may have come up before it was known as one.
        rows = self.cassette.interactions
        rows[:] = [interaction.scrubbed(self._scrubber) for interaction in rows]
        if self._written:
            try:
                self.cassette.write(self._path)
            except OSError as error:
                self._failure = error

    def _check_ended(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        if incoming.path == IDENTITY:
            return web.json_response({"platform": self._platform_url})
        body = await incoming.read() if incoming.can_read_body else b""
        headers = {k: v for k, v in incoming.headers.items() if k.lower() not in _HOP}
        if self._token is not None and "Authorization" in incoming.headers:
            headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
            headers["Authorization"] = f"Bearer {self._token}"
        url = URL(self._platform_url + incoming.raw_path, encoded=True)
        assert self._http is not None  # noqa: S101 - it listens only while entered
        try:
            async with self._http.request(
                incoming.method,
                url,
                headers={**headers, "Accept-Encoding": "identity"},
                data=body or None,
                allow_redirects=False,
            ) as response:
                answer = await response.read()
                kept, status = kept_headers(response.headers), response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return web.Response(status=502, text=f"The platform did not answer: {type(error)}")
        here = f"{incoming.scheme}://{incoming.host}"
        moved = interaction_of(
            incoming,
            body,
            self._scrubber,
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


class Recorder(_Recording, HostedInLoop):
    """
    A proxy to a platform that records requests and responses, without secrets.

    Args:
        path: where to write the cassette when it stops.
        platform_url: the base URL of the platform.
        token: sent to the platform in place of the clients' tokens, which are sent when None.
        host: the address to listen on.
        port: the port; 0 picks one.
        timeout: seconds that the platform may take for a response.

    """


class RecorderThread(_Recording, HostedInThread):
    """Records in a thread of its own; it takes what `Recorder` takes."""
