"""Recording a platform, and playing the recording back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from itwin_async.emulator.hosting import HostedInLoop, HostedInThread
from itwin_async.emulator.platform import errors
from itwin_async.emulator.recording.cassette import (
    ORIGIN,
    Cassette,
    Interaction,
    kept_headers,
    scrub_body,
    scrub_text,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from aiohttp.web_request import BaseRequest

PLATFORM = "https://api.bentley.com"
_HOP = {
    "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "host", "content-length", "accept-encoding", "cookie",
}  # fmt: skip


class Recorder(HostedInLoop):
    """
    A proxy to a platform that writes down what is said, without secrets.

    Args:
        path: where to write the cassette when it stops.
        target: the base URL of the platform.
        host: the address to listen on.
        port: the port; 0 picks one.
        timeout: seconds that the platform may take for an answer.

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        target: str = PLATFORM,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        timeout: float = 60.0,
    ) -> None:
        parts = urlsplit(target)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError(f"the target is a base URL, not {target!r}")
        self._path = Path(path)
        self._target = target.rstrip("/")
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

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and write the cassette."""
        await super().__aexit__(kind, error, traceback)
        if self._http is not None:
            await self._http.close()
        self.cassette.write(self._path)

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        body = await incoming.read() if incoming.can_read_body else None
        headers = {k: v for k, v in incoming.headers.items() if k.lower() not in _HOP}
        url = URL(self._target + incoming.raw_path, encoded=True)
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
        except (aiohttp.ClientError, TimeoutError) as problem:
            return web.Response(status=502, text=f"The platform did not answer: {type(problem)}")
        self.cassette.interactions.append(self._interaction(incoming, status, kept, answer))
        here = f"{incoming.scheme}://{incoming.host}"
        return web.Response(
            status=status,
            body=_moved(answer, self._origin, here) or None,
            headers={k: v.replace(self._origin, here) for k, v in kept.items()},
        )

    def _interaction(
        self, incoming: BaseRequest, status: int, headers: Mapping[str, str], answer: bytes
    ) -> Interaction:
        token = incoming.headers.get("Authorization", "").partition(" ")[2].strip()
        path, _, query = incoming.raw_path.partition("?")
        return Interaction(
            method=incoming.method,
            path=path,
            query=scrub_text(query, (token,)),
            prefer=incoming.headers.get("Prefer", ""),
            accept=incoming.headers.get("Accept", ""),
            authorized="Authorization" in incoming.headers,
            status=status,
            headers={
                name: scrub_text(value.replace(self._origin, ORIGIN), (token,))
                for name, value in headers.items()
            },
            body=scrub_body(_moved(answer, self._origin, ORIGIN), (token,)),
        )


class _Player:
    def __init__(self, cassette: Cassette | str | os.PathLike[str]) -> None:
        held = cassette if isinstance(cassette, Cassette) else Cassette.read(cassette)
        self.played: list[str] = []
        self._answers: dict[tuple[object, ...], list[Interaction]] = {}
        for interaction in held.interactions:
            self._answers.setdefault(interaction.key, []).append(interaction)

    def answer(self, incoming: BaseRequest) -> web.Response:
        token = incoming.headers.get("Authorization", "").partition(" ")[2].strip()
        path, _, query = incoming.raw_path.partition("?")
        asked = Interaction(
            method=incoming.method,
            path=path,
            query=scrub_text(query, (token,)),
            prefer=incoming.headers.get("Prefer", ""),
            accept=incoming.headers.get("Accept", ""),
            authorized="Authorization" in incoming.headers,
        )
        self.played.append(f"{asked.method} {incoming.raw_path}")
        found = self._answers.get(asked.key)
        if not found:
            words = f"{asked.method} {incoming.raw_path} is not on the cassette."
            refused = errors.error(404, "NotRecorded", words)
            return web.Response(status=404, body=refused.body, headers=refused.headers)
        interaction = found.pop(0) if len(found) > 1 else found[0]
        here = f"{incoming.scheme}://{incoming.host}"
        return web.Response(
            status=interaction.status,
            body=_moved(interaction.body, ORIGIN, here) or None,
            headers={k: v.replace(ORIGIN, here) for k, v in interaction.headers.items()},
        )


class Replay(HostedInLoop):
    """
    Plays a cassette: equal requests get the recorded answers in their order, the last one again
    and again. Any token will do.

    Args:
        cassette: the cassette, or the name of its file.
        host: the address to listen on.
        port: the port; 0 picks one.

    """

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._player = _Player(cassette)
        self._host = host
        self._port = port

    @property
    def played(self) -> list[str]:
        """What was asked, as `GET /itwins/favorites?$top=2`, the oldest first."""
        return self._player.played

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        return self._player.answer(incoming)


class ReplayThread(HostedInThread):
    """Plays a cassette in a thread of its own; it takes what `Replay` takes."""

    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._player = _Player(cassette)
        self._host = host
        self._port = port

    @property
    def played(self) -> list[str]:
        """What was asked, as `GET /itwins/favorites?$top=2`, the oldest first."""
        return self._player.played

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        return self._player.answer(incoming)


def _moved(body: bytes, old: str, new: str) -> bytes:
    return body.replace(old.encode(), new.encode())
