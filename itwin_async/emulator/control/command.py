"""A request to the control interface, and what an action answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import msgspec

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.schemas import objects, problems
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response, json_response


@attrs.frozen
class Command:
    """
    A request to the control interface.

    Args:
        query: its query.
        content: its body.
        origin: scheme and host that it was sent to.
        id: what stands for `{id}` in its path.

    """

    query: Query
    content: Mapping[str, Any]
    origin: str
    id: str = ""

    @classmethod
    def of(cls, request: Request, entity_id: str) -> Command:
        """Read a request; ValueError if its body is no JSON object."""
        content: Mapping[str, Any] = {}
        if request.body.strip():
            try:
                content = msgspec.json.decode(request.body, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ValueError(f"the body must be a JSON object: {error}") from None
        return cls(Query(request.query), content, request.origin, entity_id)

    def limit(self, default: int) -> int:
        """Return the parameter `limit`."""
        text = self.query.get("limit", str(default))
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"limit must be a non-negative integer, not {text!r}")
        return int(text)

    def parameter(self, name: str) -> str:
        """Return a parameter that has to be there."""
        if name not in self.query:
            raise ValueError(f"the parameter {name} is missing")
        return self.query[name]

    @property
    def user(self) -> str:
        """The user that it is about."""
        return str(self.content.get("user", "demo"))


@attrs.frozen
class Action:
    """
    What the control interface does for a method and path.

    Args:
        run: what answers; None is 204, an iterator a long JSON text.
        members: the schemas of the body's members; any when None.
        required: the members that the body must have.
        status: the status of the answer.

    """

    run: Callable[[Command], Json | Iterator[bytes]]
    members: JsonObject | None = None
    required: tuple[str, ...] = ()
    status: int = 200

    def respond(self, command: Command) -> Response | Iterator[bytes]:
        """Run the action; ValueError or KeyError if it cannot be done."""
        if self.members is not None:
            schema = objects(self.members, *self.required)
            for problem in problems(dict(command.content), schema):
                raise ValueError(str(problem))
        result = self.run(command)
        if isinstance(result, Iterator):
            return result
        return Response(204) if result is None else json_response(self.status, result)
