"""A request as the operations see it, and the answer they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import attrs
import msgspec

if TYPE_CHECKING:
    from itwin_async.emulator.clock import EmulatorClock
    from itwin_async.emulator.paging import LinkStyle
    from itwin_async.emulator.records import Json, JsonObject, UserRecord
    from itwin_async.emulator.state import World

JSON_TYPE = "application/json; charset=utf-8"


@attrs.frozen
class Answer:
    """
    What goes back.

    Args:
        status: the HTTP status.
        body: the bytes of the body.
        headers: the headers, the content type among them.
        refused: why the platform would not have taken such a request from anybody; empty for a
            request that is well formed.

    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    refused: str = ""


class Query(Mapping[str, str]):
    """
    The parameters of a query; names in any case, the first of equal ones.

    Args:
        raw: the query as it was sent, without the question mark.

    """

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._values: dict[str, str] = {}
        for name, value in parse_qsl(raw, keep_blank_values=True, errors="replace"):
            self._values.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


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


def json_answer(status: int, content: Json, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(
        status, msgspec.json.encode(content), {"Content-Type": JSON_TYPE, **(headers or {})}
    )


def no_content() -> Answer:
    """Return the answer of an operation that has nothing to say."""
    return Answer(204)
