"""A request as the operations see it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.links import LinkStyle
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import JSON_TYPE, Response
from itwin_async.emulator.world.records import UserRecord
from itwin_async.emulator.world.state import World


@attrs.frozen(kw_only=True)
class Call:
    """
    A request that passed the gateway.

    Args:
        request: the request.
        params: the values of the path's placeholders, percent-decoded.
        query: its query.
        user: who calls.
        world: what the platform remembers.
        style: how links are written.
        clock: the emulator's time.
        work_seconds: seconds by this clock that long work takes.
        values: the values of the operation's parameters, checked; absent ones have their default.

    """

    request: Request
    params: Mapping[str, str]
    query: Query
    user: UserRecord
    world: World
    style: LinkStyle
    clock: EmulatorClock
    work_seconds: float = 2.0
    values: Mapping[str, Json] = attrs.field(factory=dict[str, "Json"])

    @property
    def full(self) -> bool:
        """Whether `Prefer` asks for the full representation."""
        wishes = self.request.headers.get("Prefer", "").lower().replace(" ", "").split(",")
        return "return=representation" in wishes

    @property
    def origin(self) -> str:
        """Scheme and host of links."""
        return self.style.origin or self.request.origin

    def text(self, name: str) -> str | None:
        """Return a parameter that is a string."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int:
        """Return a parameter that is an integer and has a default."""
        value = self.values[name]
        assert isinstance(value, int)  # noqa: S101 - its schema says so
        return value

    def may_see(self, *ids: str | None) -> bool:
        """Whether none of the ids was denied to the caller."""
        return self.world.may_see(self.user.name, *ids)

    @property
    def content_type(self) -> str:
        """The media type of the body in lower case; empty without the header."""
        header = self.request.headers.get("Content-Type", "")
        return header.partition(";")[0].strip().lower()

    def content(self) -> JsonObject | None:
        """Return the body as a JSON object; None if it is none."""
        try:
            return msgspec.json.decode(self.request.body, type=dict[str, object])  # type: ignore[return-value]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def respond(
        self, status: int, content: JsonObject, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Return a response with a JSON body."""
        body = self.style.encode(content)
        return Response(status, body, {"Content-Type": JSON_TYPE, **(headers or {})})
