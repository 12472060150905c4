"""Replaying a cassette."""

from __future__ import annotations

import os

from aiohttp import web
from aiohttp.web_request import BaseRequest

from itwin_async.emulator.hosting import Hosted, HostedInLoop, HostedInThread
from itwin_async.emulator.platform import errors
from itwin_async.emulator.recording.cassette import (
    ORIGIN,
    Cassette,
    Interaction,
    interaction_of,
    move,
)


class _Replaying(Hosted):
    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        held = cassette if isinstance(cassette, Cassette) else Cassette.read(cassette)
        self._played: list[str] = []
        self._left: dict[tuple[object, ...], list[Interaction]] = {}
        for interaction in held.interactions:
            self._left.setdefault(interaction.key, []).append(interaction)
        self._host = host
        self._port = port

    @property
    def played(self) -> list[str]:
        """The requests, as `GET /itwins/favorites?$top=2`, the oldest first."""
        return self._played

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        request = f"{incoming.method} {incoming.raw_path}"
        self._played.append(request)
        found = self._left.get(interaction_of(incoming).key)
        if not found:
            message = f"{request} is not on the cassette."
            error = errors.error(404, "NotRecorded", message)
            return web.Response(status=404, body=error.body, headers=error.headers)
        interaction = found.pop(0) if len(found) > 1 else found[0]
        here = f"{incoming.scheme}://{incoming.host}"
        return web.Response(
            status=interaction.status,
            body=move(interaction.body, ORIGIN, here) or None,
            headers={k: v.replace(ORIGIN, here) for k, v in interaction.headers.items()},
        )


class Replay(_Replaying, HostedInLoop):
    """
    Replays a cassette in the caller's event loop.

    Equal requests get the recorded responses in their order, the last one again and again. Any
    token is valid.

    Args:
        cassette: the cassette, or the name of its file.
        host: the address to listen on.
        port: the port; 0 picks one.

    """


class ReplayThread(_Replaying, HostedInThread):
    """Replays a cassette in a thread of its own; it takes what `Replay` takes."""
