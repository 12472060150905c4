"""A request as the operations see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from itwin_async.emulator.clock import EmulatorClock
    from itwin_async.emulator.json_types import JsonObject
    from itwin_async.emulator.platform.paging import LinkStyle
    from itwin_async.emulator.requests import Query
    from itwin_async.emulator.world.records import UserRecord
    from itwin_async.emulator.world.state import World


@attrs.frozen(kw_only=True)
class Call:
    """
    A request that passed the gateway.

    Args:
        method: the HTTP method.
        path: the path without the query.
        params: what the path's placeholders held, percent-decoded.
        query: the parameters.
        headers: the request's headers; names in any case.
        full: whether `Prefer` asked for the full representation.
        body: the bytes that came with it.
        user: who calls.
        origin: scheme and host that links shall name.
        world: what the platform remembers.
        style: how links are written.
        clock: the emulator's time.

    """

    method: str
    path: str
    params: Mapping[str, str]
    query: Query
    headers: Mapping[str, str]
    full: bool
    body: bytes
    user: UserRecord
    origin: str
    world: World
    style: LinkStyle
    clock: EmulatorClock

    def json(self) -> JsonObject | None:
        """Return the body as a JSON object, or nothing when it is none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, object])  # type: ignore[return-value]
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
