"""The control interface: what a test in another language asks of the emulator over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import attrs
import msgspec

from itwin_async.emulator.control.views import imodels_of, overview, world_of
from itwin_async.emulator.faults.plan import Fault, FaultError
from itwin_async.emulator.json_types import Json
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.requests import Query
from itwin_async.emulator.responses import Answer, json_answer, no_content

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from itwin_async.emulator.control.emulator import EmulatorControls, Snapshot
    from itwin_async.emulator.requests import Request

PREFIX = "/_emulator"


class ControlError(ValueError):
    """A control request that makes no sense."""


@attrs.frozen
class _Order:
    query: Query
    content: Mapping[str, object]
    origin: str


class Control:
    """
    Answers what lies below `/_emulator`.

    Args:
        emulator: what is controlled.
        lock: held while something is done.

    """

    def __init__(self, emulator: EmulatorControls, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        self._emulator = emulator
        self._snapshots: dict[str, Snapshot] = {}
        self._actions: Mapping[str, Callable[[_Order], Answer]] = {
            "GET /": lambda _: json_answer(200, {"actions": list[Json](self._actions)}),
            "GET /openapi.json": lambda order: json_answer(200, openapi(order.origin)),
            "GET /live": lambda _: json_answer(200, overview(emulator)),
            "GET /imodels": self._imodels,
            "GET /faults": lambda _: json_answer(200, {"faults": self._faults()}),
            "POST /faults": self._set_faults,
            "DELETE /faults": lambda _: self._done(emulator.clear_faults),
            "GET /requests": self._requests,
            "DELETE /requests": lambda _: self._done(emulator.clear_requests),
            "GET /violations": self._violations,
            "POST /reset": lambda _: self._done(emulator.reset),
            "GET /state": self._state,
            "GET /world": lambda _: json_answer(200, emulator.export()),
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

    def answer(self, request: Request) -> Answer:
        """Do what a control request asks."""
        path = request.path[len(PREFIX) :].rstrip("/") or "/"
        action = self._actions.get(f"{request.method} {path}")
        if action is None:
            message = f"There is no {request.method} {PREFIX}{path}; see GET {PREFIX}."
            return _error(404, "ControlNotFound", message)
        try:
            order = _Order(Query(request.query), _decode(request.body), request.origin)
            with self._lock:
                return action(order)
        except (ControlError, FaultError) as error:
            return _error(400, "ControlRefused", str(error))
        except KeyError as error:
            return _error(404, "ControlRefused", f"{error} is not there.")
        except (ValueError, TypeError) as error:
            return _error(400, "ControlRefused", str(error))

    def _done(self, action: Callable[[], None]) -> Answer:
        action()
        return no_content()

    def _faults(self) -> list[Json]:
        return [entry.json() for entry in self._emulator.faults]

    def _set_faults(self, order: _Order) -> Answer:
        several = order.content.get("faults")
        rows = [order.content] if several is None else several
        if not isinstance(rows, list):
            raise ControlError("faults must be a list of objects")
        faults = [Fault.from_json(row) for row in cast("list[Mapping[str, object]]", rows)]
        for fault in faults:
            self._emulator.fault(fault)
        return json_answer(201, {"faults": self._faults()})

    def _requests(self, order: _Order) -> Answer:
        query = order.query
        match, limit = query.get("match"), int(query.get("limit", "1000"))
        rows = self._emulator.requests if match is None else self._emulator.calls(match)
        shown = rows[-limit:] if limit else []
        return json_answer(200, {"count": len(rows), "requests": [row.json() for row in shown]})

    def _violations(self, _: _Order) -> Answer:
        return json_answer(200, {"violations": list[Json](self._emulator.violations)})

    def _state(self, order: _Order) -> Answer:
        limit = int(order.query.get("limit", "1000"))
        return json_answer(200, world_of(self._emulator, limit))

    def _imodels(self, order: _Order) -> Answer:
        query = order.query
        limit = int(query.get("limit", "100"))
        return json_answer(200, imodels_of(self._emulator, query["iTwinId"], limit))

    def _load(self, order: _Order) -> Answer:
        self._emulator.load(order.content)
        world = self._emulator.state
        return json_answer(201, {"itwins": len(world.itwins), "imodels": len(world.imodels)})

    def _snapshot(self, order: _Order) -> Answer:
        name = str(order.content.get("name", f"snapshot-{len(self._snapshots) + 1}"))
        self._snapshots[name] = self._emulator.snapshot()
        return json_answer(201, {"name": name})

    def _restore(self, order: _Order) -> Answer:
        self._emulator.restore(self._snapshots[str(order.content.get("name", ""))])
        return no_content()

    def _clock(self, _: _Order) -> Answer:
        clock = self._emulator.clock
        return json_answer(200, {"now": clock.now(), "utc": clock.stamp(3)})

    def _set_clock(self, order: _Order) -> Answer:
        advance, moment = order.content.get("advance"), order.content.get("set")
        for value in (advance, moment):
            if value is not None and (not isinstance(value, (int, float)) or value is True):
                raise ControlError("advance and set are seconds")
        if moment is not None:
            self._emulator.clock.set(cast("float", moment))
        if advance is not None:
            self._emulator.clock.advance(cast("float", advance))
        return self._clock(order)

    def _token(self, order: _Order) -> Answer:
        user = _user(order)
        token = self._emulator.token_for(user, fresh=order.content.get("fresh") is True)
        return json_answer(201, {"user": user, "token": token})

    def _expire(self, order: _Order) -> Answer:
        token, after = order.content.get("token"), order.content.get("after")
        if isinstance(token, str):
            self._emulator.expire(token)
        elif after is None or isinstance(after, int):
            self._emulator.expire_tokens_after(after)
        else:
            raise ControlError("say a token, or after how many calls")
        return no_content()

    def _favorites(self, order: _Order) -> Answer:
        user = _user(order)
        for name, act in (("add", self._emulator.favorite), ("remove", self._emulator.unfavorite)):
            ids = order.content.get(name, [])
            if not isinstance(ids, list):
                raise ControlError(f"{name} must be a list of ids")
            act(user, *(str(item) for item in cast("list[object]", ids)))
        return no_content()

    def _rate_limit(self, order: _Order) -> Answer:
        limit = RateLimit(**order.content) if order.content else None  # type: ignore[arg-type]
        self._emulator.rate_limit = limit
        return no_content()


def _user(order: _Order) -> str:
    user = order.content.get("user", "demo")
    if not isinstance(user, str) or not user:
        raise ControlError("user must be a name")
    return user


def _decode(body: bytes) -> Mapping[str, object]:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ControlError(f"the body must be a JSON object: {error}") from None


def _error(status: int, code: str, message: str) -> Answer:
    return json_answer(status, {"error": {"code": code, "message": message}})
