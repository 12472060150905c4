"""What the control interface does: all that a test in Python can do with an emulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import attrs

from itwin_async.emulator.control.collaboration import collaboration_actions
from itwin_async.emulator.control.command import Action, Command
from itwin_async.emulator.control.emulator import EmulatorControls
from itwin_async.emulator.control.history import history_actions
from itwin_async.emulator.control.itwin_data import itwin_data_actions
from itwin_async.emulator.control.saved_views import saved_view_actions
from itwin_async.emulator.control.views import imodels_of, overview, world_name, world_of
from itwin_async.emulator.control.world_file import export_chunks
from itwin_async.emulator.faults.fault import Fault
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.platform.schemas import FLAG, TEXT, TEXT_OR_NULL, arrays, each, texts
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.world.state import World

_TEXTS = arrays(TEXT)
_NAME: JsonObject = {"type": "string", "minLength": 1}
_NUMBER: JsonObject = {"type": "number"}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_POSITIVE: JsonObject = {"type": "integer", "minimum": 1}
_COUNT_OR_NONE: JsonObject = {**_COUNT, "nullable": True}
_WORLD: JsonObject = {
    **each(_COUNT, "seed itwins imodels changesets named_versions"),
    "favorites": {},
}
_LIMIT: JsonObject = {
    "requests": _POSITIVE,
    "per_seconds": _NUMBER,
    "kind": texts("window", "bucket"),
    "burst": {**_POSITIVE, "nullable": True},
    **dict.fromkeys(("shared", "per_api", "header", "retry_after"), FLAG),
}
_WANTED: JsonObject = {
    "match": TEXT,
    "times": _COUNT_OR_NONE,
    "query": {"type": "object", "additionalProperties": TEXT},
    "headers": {"type": "object", "additionalProperties": TEXT},
    "user": TEXT_OR_NULL,
    "status": _COUNT_OR_NONE,
    "json": {},
}
_MANY: JsonObject = {"user": _NAME, "add": _TEXTS, "remove": _TEXTS}


class Actions:
    """
    The actions of the control interface.

    Args:
        emulator: the emulator that they control.

    """

    def __init__(self, emulator: EmulatorControls) -> None:
        self._emulator = emulator

    def table(self) -> Mapping[str, Action]:
        """Return the actions by method and path."""
        return {
            **self._observations(),
            **self._faults(),
            **self._worlds(),
            **self._lists(),
            **collaboration_actions(self._emulator),
            **history_actions(self._emulator),
            **itwin_data_actions(self._emulator),
            **self._users_and_time(),
            **saved_view_actions(self._emulator),
        }

    def _observations(self) -> dict[str, Action]:
        emulator = self._emulator
        return {
            "GET /openapi.json": Action(lambda command: openapi(command.origin)),
            "GET /live": Action(lambda c: overview(emulator, c.query.get("user", ""))),
            "GET /requests": Action(self._requests),
            "DELETE /requests": Action(lambda _: emulator.clear_requests()),
            "GET /counts": Action(lambda _: {"counts": dict[str, Json](emulator.counts)}),
            "POST /assert": Action(self._assert, _WANTED, ("match",)),
            "POST /assert-all-faults-used": Action(lambda _: emulator.assert_all_faults_used()),
            "GET /violations": Action(lambda _: {"violations": list[Json](emulator.violations)}),
            "DELETE /violations": Action(lambda _: emulator.violations.clear()),
        }

    def _requests(self, command: Command) -> Json:
        match, user, limit = command.query.get("match"), command.query.get("user"), 1000
        limit = command.limit(limit)
        rows = self._emulator.calls("*" if match is None else match, user=user)
        shown = rows[-limit:] if limit else []
        return {"count": len(rows), "requests": [row.json(body=True) for row in shown]}

    def _assert(self, command: Command) -> Json:
        wanted: dict[str, Any] = {**command.content}
        found = self._emulator.assert_called(wanted.pop("match"), **wanted)
        return {"count": len(found)}

    def _faults(self) -> dict[str, Action]:
        emulator = self._emulator

        def shown() -> Json:
            return {"faults": [entry.json() for entry in emulator.faults]}

        def add(command: Command) -> Json:
            rows = command.content.get("faults", [command.content])
            if not isinstance(rows, list):
                raise ValueError("faults must be a list of objects")  # noqa: TRY004 - one kind of error
            for fault in [Fault.from_json(row) for row in cast("list[object]", rows)]:
                emulator.fault(fault)
            return shown()

        def remove(command: Command) -> None:
            for entry in emulator.faults:
                if str(entry.number) == command.id:
                    entry.remove()
                    return
            raise KeyError(command.id)

        return {
            "GET /faults": Action(lambda _: shown()),
            "POST /faults": Action(add, status=201),
            "DELETE /faults": Action(lambda _: emulator.clear_faults()),
            "DELETE /faults/{id}": Action(remove),
        }

    def _worlds(self) -> dict[str, Action]:
        emulator = self._emulator
        return {
            "GET /identity": Action(lambda _: {"platform": world_name(emulator)}),
            "POST /reset": Action(self._reset, _WORLD),
            "GET /state": Action(lambda command: world_of(emulator, command.limit(1000))),
            "GET /world": Action(self._export),
            "POST /world": Action(self._load, status=201),
            "POST /snapshots": Action(self._snapshot, {"name": _NAME}, status=201),
            "POST /restore": Action(self._restore, {"name": _NAME}, ("name",)),
            "GET /imodels": Action(
                lambda c: imodels_of(emulator, c.parameter("iTwinId"), c.limit(100))
            ),
            "DELETE /itwins/{id}": Action(lambda command: emulator.remove_itwin(command.id)),
            "POST /imodels": Action(self._add_imodel, status=201),
            "DELETE /imodels/{id}": Action(lambda command: emulator.remove_imodel(command.id)),
        }

    def _reset(self, command: Command) -> None:
        world = World(**command.content) if command.content else None
        self._emulator.reset(world)

    def _export(self, _: Command) -> Iterator[bytes]:
        return export_chunks(self._emulator.snapshot().world)

    def _load(self, command: Command) -> Json:
        self._emulator.load(command.content)
        world = self._emulator.state
        return {"itwins": len(world.itwins), "imodels": len(world.imodels)}

    def _snapshot(self, command: Command) -> Json:
        snapshots = self._emulator.snapshots
        name = command.content.get("name", f"snapshot-{len(snapshots) + 1}")
        snapshots[name] = self._emulator.snapshot()
        return {"name": name}

    def _restore(self, command: Command) -> None:
        self._emulator.restore(self._emulator.snapshots[command.content["name"]])

    def _add_imodel(self, command: Command) -> Json:
        content = dict(command.content)
        front = content.pop("front", False) is True
        return {"iModel": self._emulator.load_imodel(content, front=front).full("")}

    def _lists(self) -> dict[str, Action]:
        emulator = self._emulator

        def favorites(command: Command) -> None:
            emulator.favorite(command.user, *command.content.get("add", []))
            emulator.unfavorite(command.user, *command.content.get("remove", []))

        def recents(command: Command) -> None:
            emulator.recent(command.user, *command.content.get("add", []))
            emulator.unrecent(command.user, *command.content.get("remove", []))

        def access(command: Command) -> None:
            emulator.deny(command.user, *command.content.get("deny", []))
            emulator.allow(command.user, *command.content.get("allow", []))

        hidden: JsonObject = {"user": _NAME, "deny": _TEXTS, "allow": _TEXTS}
        return {
            "POST /favorites": Action(favorites, _MANY),
            "POST /recents": Action(recents, _MANY),
            "POST /access": Action(access, hidden),
        }

    def _users_and_time(self) -> dict[str, Action]:
        person: JsonObject = {"name": _NAME, "id": TEXT, "email": TEXT}
        moved: JsonObject = {"advance": _NUMBER, "set": _NUMBER, "frozen": FLAG}
        spoilt: JsonObject = {"token": TEXT, "after": _COUNT_OR_NONE}
        application: JsonObject = {
            "id": _NAME,
            "secret": TEXT_OR_NULL,
            "redirectUris": _TEXTS,
            "scopes": _TEXTS,
        }
        return {
            "POST /users": Action(self._add_user, person, ("name",), 201),
            "POST /tokens": Action(self._token, {"user": _NAME, "fresh": FLAG}, status=201),
            "POST /expire": Action(self._expire, spoilt),
            "GET /sign-in": Action(self._sign_in),
            "POST /sign-in": Action(self._set_sign_in, {"lifetime": _NUMBER}, ("lifetime",)),
            "POST /clients": Action(self._add_client, application, ("id",)),
            "GET /clock": Action(lambda _: self._clock()),
            "POST /clock": Action(self._set_clock, moved),
            "POST /rate-limit": Action(self._rate_limit, _LIMIT),
        }

    def _add_user(self, command: Command) -> Json:
        user = self._emulator.add_user(**command.content)
        return {"name": user.name, "id": user.id, "email": user.email}

    def _token(self, command: Command) -> Json:
        fresh = command.content.get("fresh", False)
        token = self._emulator.token_for(command.user, fresh=fresh)
        return {"user": command.user, "token": token}

    def _expire(self, command: Command) -> None:
        if "token" in command.content:
            self._emulator.expire(command.content["token"])
        else:
            self._emulator.expire_tokens_after(command.content.get("after"))

    def _sign_in(self, _: Command) -> Json:
        emulator = self._emulator
        return {
            "lifetime": emulator.token_lifetime,
            "clients": list[Json](emulator.clients),
            "requests": [attrs.asdict(request) for request in emulator.token_requests],
        }

    def _set_sign_in(self, command: Command) -> None:
        self._emulator.token_lifetime = command.content["lifetime"]

    def _add_client(self, command: Command) -> None:
        content = command.content
        self._emulator.add_client(
            content["id"],
            content.get("secret"),
            redirect_uris=content.get("redirectUris", ()),
            scopes=content.get("scopes"),
        )

    def _clock(self) -> JsonObject:
        clock = self._emulator.clock
        return {"now": clock.now(), "utc": clock.stamp(3), "frozen": clock.frozen}

    def _set_clock(self, command: Command) -> Json:
        clock, content = self._emulator.clock, command.content
        if "frozen" in content:
            (clock.freeze if content["frozen"] else clock.resume)()
        if "set" in content:
            clock.set(content["set"])
        clock.advance(content.get("advance", 0))
        return self._clock()

    def _rate_limit(self, command: Command) -> None:
        content = command.content
        if content and not {"requests", "per_seconds"} <= content.keys():
            raise ValueError(
                "requests and per_seconds are required; an empty body removes the limit"
            )
        self._emulator.rate_limit = RateLimit(**content) if content else None
