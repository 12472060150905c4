"""Replaying a cassette."""

from __future__ import annotations

import os
from collections.abc import Hashable

from aiohttp import web
from aiohttp.web_request import BaseRequest

from itwin_async.emulator.hosting import IDENTITY, Hosted, HostedInLoop, HostedInThread
from itwin_async.emulator.platform import errors
from itwin_async.emulator.recording.cassette import (
    ORIGIN,
    Cassette,
    Interaction,
    interaction_of,
    move,
)
from itwin_async.emulator.recording.matching import CassetteMissError, Matching, Miss
from itwin_async.emulator.recording.secrets import Scrubber

TOKEN = "token-of-a-cassette"  # noqa: S105 - stands for the token that was taken out
_NOT_RECORDED = 421
"""No API answers with this status: the server was asked what it cannot answer for."""


class _Replaying(Hosted):
    def __init__(
        self,
        cassette: Cassette | str | os.PathLike[str],
        *,
        matching: Matching | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        held = cassette if isinstance(cassette, Cassette) else Cassette.read(cassette)
        self._name = "the cassette" if held is cassette else os.fspath(cassette)  # type: ignore[arg-type]
        self._matching = matching or Matching()
        self._scrubber = Scrubber()
        self._played: list[str] = []
        self._misses: list[Miss] = []
        self._recorded = held.interactions
        self._left: dict[Hashable, list[Interaction]] = {}
        for interaction in held.interactions:
            self._left.setdefault(self._matching.key(interaction), []).append(interaction)
        self._host = host
        self._port = port

    @property
    def token(self) -> str:
        """A token for its clients; any other is valid too."""
        return TOKEN

    @property
    def recording(self) -> bool:
        """Whether it records, as a recorder does."""
        return False

    @property
    def played(self) -> list[str]:
        """The requests, as `GET /itwins/favorites?$top=2`, the oldest first."""
        return self._played

    @property
    def misses(self) -> list[Miss]:
        """The requests that are not on the cassette; clear it to forgive them."""
        return self._misses

    def assert_no_misses(self) -> None:
        """Fail if requests came that are not on the cassette; the end of the replay does so."""
        __tracebackhide__ = True
        if self._misses:
            raise CassetteMissError(self._name, self._misses)

    def _check_ended(self) -> None:
        self.assert_no_misses()

    async def _handle(self, incoming: BaseRequest) -> web.StreamResponse:
        if incoming.path == IDENTITY:
            return web.json_response({"platform": "a cassette"})
        body = await incoming.read() if incoming.can_read_body else b""
        request = interaction_of(incoming, body, self._scrubber)
        self._played.append(str(request))
        interaction = self._take(self._matching.key(request))
        if interaction is None:
            return self._miss(request)
        here = f"{incoming.scheme}://{incoming.host}"
        return web.Response(
            status=interaction.status,
            body=move(interaction.body, ORIGIN, here) or None,
            headers={k: v.replace(ORIGIN, here) for k, v in interaction.headers.items()},
        )

    def _take(self, key: Hashable) -> Interaction | None:
        found, repeats = self._left.get(key), self._matching.repeats
        if not found:
            return None
        if repeats == "first" or (repeats == "last" and len(found) == 1):
            return found[0]
        interaction = found.pop(0)
        if repeats == "cycle":
            found.append(interaction)
        return interaction

    def _miss(self, request: Interaction) -> web.Response:
        if self._matching.key(request) in self._left:
            reason = "it came more often than it was recorded"
        else:
            near = self._matching.nearest(request, self._recorded)
            reason = "nothing like it was recorded"
            if near is not None:
                lines = "".join(f"\n  {line}" for line in self._matching.differences(near, request))
                reason = f"not recorded; {near} was, which differs:{lines}"
        miss = Miss(str(request), reason)
        self._misses.append(miss)
        error = errors.error(_NOT_RECORDED, "NotRecorded", f"{self._name} has no {miss}")
        return web.Response(status=error.status, body=error.body, headers=error.headers)


class Replay(_Replaying, HostedInLoop):
    """
    Replays a cassette in the caller's event loop.

    A request that is not on the cassette gets the status 421 with the code `NotRecorded`, and the
    end of the block raises `CassetteMissError`.

    Args:
        cassette: the cassette, or the name of its file.
        matching: what a request must share with a recorded one.
        host: the address to listen on.
        port: the port; 0 picks one.

    """


class ReplayThread(_Replaying, HostedInThread):
    """Replays a cassette in a thread of its own; it takes what `Replay` takes."""
