"""The control interface over HTTP, for tests in other languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from importlib import resources
from typing import cast

import attrs
import msgspec

from itwin_async.emulator.control.emulator import EmulatorControls, Snapshot
from itwin_async.emulator.control.views import imodels_of, overview, world_of
from itwin_async.emulator.faults.plan import Fault, FaultError
from itwin_async.emulator.json_types import Json
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response, html_response, json_response

_PREFIX = "/_emulator"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:"
)


class ControlError(ValueError):
    """A control request with a value that it cannot have."""


@attrs.frozen
class _Command:
    query: Query
    content: Mapping[str, object]
    origin: str


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
        self._actions: Mapping[str, Callable[[_Command], Response]] = {
            "GET /": lambda _: json_response(200, {"actions": list[Json](self._actions)}),
            "GET /openapi.json": lambda command: json_response(200, openapi(command.origin)),
            "GET /live": lambda _: json_response(200, overview(emulator)),
            "GET /imodels": self._imodels,
            "GET /faults": lambda _: json_response(200, {"faults": self._faults()}),
            "POST /faults": self._set_faults,
            "DELETE /faults": lambda _: self._done(emulator.clear_faults),
            "GET /requests": self._requests,
            "DELETE /requests": lambda _: self._done(emulator.clear_requests),
            "GET /violations": self._violations,
            "POST /reset": lambda _: self._done(emulator.reset),
            "GET /state": self._state,
            "GET /world": lambda _: json_response(200, emulator.export()),
            "POST /world": self._load,
            "POST /snapshots": self._snapshot,
            "POST /restore": self._restore,
            "GET /clock": self._clock,
            "POST /clock": self._set_clock,
            "POST /tokens": self._token,
            "POST /expire": self._expire,
            "POST /favorites": self._favorites,
            "POST /rate-limit": self._rate_limit,
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
                return action(command)
        except (ControlError, FaultError) as error:
            return _error(400, "ControlRefused", str(error))
        except KeyError as error:
            return _error(404, "ControlRefused", f"{error} is unknown.")
        except (ValueError, TypeError) as error:
            return _error(400, "ControlRefused", str(error))

    def _done(self, action: Callable[[], None]) -> Response:
        action()
        return Response(204)

    def _faults(self) -> list[Json]:
        return [entry.json() for entry in self._emulator.faults]

    def _set_faults(self, command: _Command) -> Response:
        several = command.content.get("faults")
        rows = [command.content] if several is None else several
        if not isinstance(rows, list):
            raise ControlError("faults must be a list of objects")
        faults = [Fault.from_json(row) for row in cast("list[Mapping[str, object]]", rows)]
        for fault in faults:
            self._emulator.fault(fault)
        return json_response(201, {"faults": self._faults()})

    def _requests(self, command: _Command) -> Response:
        query = command.query
        match, limit = query.get("match"), int(query.get("limit", "1000"))
        rows = self._emulator.requests if match is None else self._emulator.calls(match)
        shown = rows[-limit:] if limit else []
        return json_response(200, {"count": len(rows), "requests": [row.json() for row in shown]})

    def _violations(self, _: _Command) -> Response:
        return json_response(200, {"violations": list[Json](self._emulator.violations)})

    def _state(self, command: _Command) -> Response:
        limit = int(command.query.get("limit", "1000"))
        return json_response(200, world_of(self._emulator, limit))

    def _imodels(self, command: _Command) -> Response:
        query = command.query
        limit = int(query.get("limit", "100"))
        return json_response(200, imodels_of(self._emulator, query["iTwinId"], limit))

    def _load(self, command: _Command) -> Response:
        self._emulator.load(command.content)
        world = self._emulator.state
        return json_response(201, {"itwins": len(world.itwins), "imodels": len(world.imodels)})

    def _snapshot(self, command: _Command) -> Response:
        name = str(command.content.get("name", f"snapshot-{len(self._snapshots) + 1}"))
        self._snapshots[name] = self._emulator.snapshot()
        return json_response(201, {"name": name})

    def _restore(self, command: _Command) -> Response:
        self._emulator.restore(self._snapshots[str(command.content.get("name", ""))])
        return Response(204)

    def _clock(self, _: _Command) -> Response:
        clock = self._emulator.clock
        return json_response(200, {"now": clock.now(), "utc": clock.stamp(3)})

    def _set_clock(self, command: _Command) -> Response:
        advance, moment = command.content.get("advance"), command.content.get("set")
        for value in (advance, moment):
            if value is not None and (not isinstance(value, (int, float)) or value is True):
                raise ControlError("advance and set must be numbers of seconds")
        if moment is not None:
            self._emulator.clock.set(cast("float", moment))
        if advance is not None:
            self._emulator.clock.advance(cast("float", advance))
        return self._clock(command)

    def _token(self, command: _Command) -> Response:
        user = _user(command)
        token = self._emulator.token_for(user, fresh=command.content.get("fresh") is True)
        return json_response(201, {"user": user, "token": token})

    def _expire(self, command: _Command) -> Response:
        token, after = command.content.get("token"), command.content.get("after")
        if isinstance(token, str):
            self._emulator.expire(token)
        elif after is None or isinstance(after, int):
            self._emulator.expire_tokens_after(after)
        else:
            raise ControlError("give token, or after with a number of calls")
        return Response(204)

    def _favorites(self, command: _Command) -> Response:
        user = _user(command)
        for name, act in (("add", self._emulator.favorite), ("remove", self._emulator.unfavorite)):
            ids = command.content.get(name, [])
            if not isinstance(ids, list):
                raise ControlError(f"{name} must be a list of ids")
            act(user, *(str(item) for item in cast("list[object]", ids)))
        return Response(204)

    def _rate_limit(self, command: _Command) -> Response:
        limit = RateLimit(**command.content) if command.content else None  # type: ignore[arg-type]
        self._emulator.rate_limit = limit
        return Response(204)


@cache
def _page() -> Response:
    body = resources.files(__package__ or "").joinpath("page.html").read_bytes()
    return html_response(200, body, policy=_POLICY)


def _user(command: _Command) -> str:
    user = command.content.get("user", "demo")
    if not isinstance(user, str) or not user:
        raise ControlError("user must be a non-empty string")
    return user


def _decode(body: bytes) -> Mapping[str, object]:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ControlError(f"the body must be a JSON object: {error}") from None


def _error(status: int, code: str, message: str) -> Response:
    return json_response(status, {"error": {"code": code, "message": message}})
