"""The control interface over HTTP, for tests in other languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from importlib import resources
from typing import Any, cast

import attrs
import msgspec

from itwin_async.emulator.control.emulator import EmulatorControls, Snapshot
from itwin_async.emulator.control.views import imodels_of, overview, world_of
from itwin_async.emulator.faults.plan import Fault
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.platform.schemas import FLAG, TEXT, arrays, objects, problems
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response, html_response, json_response

_PREFIX = "/_emulator"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:"
)


_TEXTS = arrays(TEXT)
_USER: JsonObject = {"type": "string", "minLength": 1}
_NUMBER: JsonObject = {"type": "number"}


@attrs.frozen
class _Command:
    query: Query
    content: Mapping[str, Any]
    origin: str

    def limit(self, default: int) -> int:
        return int(self.query.get("limit", default))

    @property
    def user(self) -> str:
        return str(self.content.get("user", "demo"))


@attrs.frozen
class _Action:
    """What an action does; without a result the response is 204."""

    run: Callable[[_Command], Json]
    members: JsonObject | None = None
    status: int = 200

    def respond(self, command: _Command) -> Response:
        if self.members is not None:
            for problem in problems(dict(command.content), objects(self.members)):
                raise ValueError(str(problem))
        result = self.run(command)
        return Response(204) if result is None else json_response(self.status, result)


class Control:
    """
    Serves the page and the paths below `/_emulator`.

    Args:
        emulator: the emulator.
        lock: held during each action.

    """

    def __init__(self, emulator: EmulatorControls, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        self._emulator = emulator
        self._snapshots: dict[str, Snapshot] = {}
        self._actions: Mapping[str, _Action] = {
            "GET /": _Action(lambda _: {"actions": list[Json](self._actions)}),
            "GET /openapi.json": _Action(lambda command: openapi(command.origin)),
            "GET /live": _Action(lambda _: overview(emulator)),
            "GET /imodels": _Action(
                lambda c: imodels_of(emulator, c.query["iTwinId"], c.limit(100))
            ),
            "GET /faults": _Action(lambda _: self._faults()),
            "POST /faults": _Action(self._set_faults, status=201),
            "DELETE /faults": _Action(lambda _: emulator.clear_faults()),
            "GET /requests": _Action(self._requests),
            "DELETE /requests": _Action(lambda _: emulator.clear_requests()),
            "GET /violations": _Action(lambda _: {"violations": list[Json](emulator.violations)}),
            "POST /reset": _Action(lambda _: emulator.reset()),
            "GET /state": _Action(lambda command: world_of(emulator, command.limit(1000))),
            "GET /world": _Action(lambda _: emulator.export()),
            "POST /world": _Action(self._load, status=201),
            "POST /snapshots": _Action(self._snapshot, {"name": TEXT}, 201),
            "POST /restore": _Action(self._restore, {"name": TEXT}),
            "GET /clock": _Action(lambda _: self._clock()),
            "POST /clock": _Action(self._set_clock, {"advance": _NUMBER, "set": _NUMBER}),
            "POST /tokens": _Action(self._token, {"user": _USER, "fresh": FLAG}, 201),
            "POST /expire": _Action(
                self._expire,
                {"token": TEXT, "after": {"type": "integer", "minimum": 0, "nullable": True}},
            ),
            "POST /favorites": _Action(
                self._favorites, {"user": _USER, "add": _TEXTS, "remove": _TEXTS}
            ),
            "POST /rate-limit": _Action(self._rate_limit),
        }

    def handles(self, request: Request) -> bool:
        """Whether a request is for the control interface or the page."""
        return request.path.startswith(_PREFIX) or (request.path, request.method) == ("/", "GET")

    def respond(self, request: Request) -> Response:
        """Run the action of a control request, or return the page."""
        if request.path == "/":
            return _page()
        path = request.path[len(_PREFIX) :].rstrip("/") or "/"
        action = self._actions.get(f"{request.method} {path}")
        if action is None:
            message = f"There is no {request.method} {_PREFIX}{path}; see GET {_PREFIX}."
            return _error(404, "ControlNotFound", message)
        try:
            command = _Command(Query(request.query), _decode(request.body), request.origin)
            with self._lock:
                return action.respond(command)
        except KeyError as error:
            return _error(404, "ControlRefused", f"{error} is unknown.")
        except (ValueError, TypeError) as error:
            return _error(400, "ControlRefused", str(error))

    def _faults(self) -> JsonObject:
        return {"faults": [entry.json() for entry in self._emulator.faults]}

    def _set_faults(self, command: _Command) -> Json:
        rows = command.content.get("faults", [command.content])
        if not isinstance(rows, list):
            raise ValueError("faults must be a list of objects")  # noqa: TRY004 - one kind of error
        faults = [Fault.from_json(row) for row in cast("list[Mapping[str, object]]", rows)]
        for fault in faults:
            self._emulator.fault(fault)
        return self._faults()

    def _requests(self, command: _Command) -> Json:
        match, limit = command.query.get("match"), command.limit(1000)
        rows = self._emulator.requests if match is None else self._emulator.calls(match)
        shown = rows[-limit:] if limit else []
        return {"count": len(rows), "requests": [row.json() for row in shown]}

    def _load(self, command: _Command) -> Json:
        self._emulator.load(command.content)
        world = self._emulator.state
        return {"itwins": len(world.itwins), "imodels": len(world.imodels)}

    def _snapshot(self, command: _Command) -> Json:
        name = command.content.get("name", f"snapshot-{len(self._snapshots) + 1}")
        self._snapshots[name] = self._emulator.snapshot()
        return {"name": name}

    def _restore(self, command: _Command) -> None:
        self._emulator.restore(self._snapshots[command.content.get("name", "")])

    def _clock(self) -> JsonObject:
        clock = self._emulator.clock
        return {"now": clock.now(), "utc": clock.stamp(3)}

    def _set_clock(self, command: _Command) -> Json:
        if "set" in command.content:
            self._emulator.clock.set(command.content["set"])
        self._emulator.clock.advance(command.content.get("advance", 0))
        return self._clock()

    def _token(self, command: _Command) -> Json:
        fresh = command.content.get("fresh", False)
        token = self._emulator.token_for(command.user, fresh=fresh)
        return {"user": command.user, "token": token}

    def _expire(self, command: _Command) -> None:
        if "token" in command.content:
            self._emulator.expire(command.content["token"])
        else:
            self._emulator.expire_tokens_after(command.content.get("after"))

    def _favorites(self, command: _Command) -> None:
        self._emulator.favorite(command.user, *command.content.get("add", []))
        self._emulator.unfavorite(command.user, *command.content.get("remove", []))

    def _rate_limit(self, command: _Command) -> None:
        limit = RateLimit(**command.content) if command.content else None
        self._emulator.rate_limit = limit


@cache
def _page() -> Response:
    body = resources.files(__package__ or "").joinpath("page.html").read_bytes()
    return html_response(200, body, policy=_POLICY)


def _decode(body: bytes) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the body must be a JSON object: {error}") from None


def _error(status: int, code: str, message: str) -> Response:
    return json_response(status, {"error": {"code": code, "message": message}})
