"""The controls of what iTwins have: repositories and resources, and of exports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from itwin_async.emulator.control.command import Action, Command
from itwin_async.emulator.engine import Engine
from itwin_async.emulator.faults.fault import check_seconds
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.repositories import AUTHENTICATION
from itwin_async.emulator.platform.resources import GRAPHICS
from itwin_async.emulator.platform.schemas import FLAG, TEXT, TEXT_OR_NULL, arrays, problems, texts
from itwin_async.emulator.world.itwin_data import ExportPlanRecord, OrdinaryUserRecord
from itwin_async.emulator.world.records import ITwinRecord, UserRecord
from itwin_async.emulator.world.repositories import (
    GENERATED_CLASSES,
    SUB_CLASSES,
    RepositoryRecord,
    ResourceRecord,
    repositories_of,
    resource_of,
)

_ID = re.compile(r"[a-z0-9-]+")
_CLASSES = (*GENERATED_CLASSES, *SUB_CLASSES)


class ITwinDataControls:
    """The controls of repositories, exports and administrators."""

    _engine: Engine

    def add_repository(
        self,
        itwin: str | ITwinRecord | None,
        class_: str,
        *,
        sub_class: str | None = None,
        id: str | None = None,  # noqa: A002 - the record's own word
        display_name: str | None = None,
        uri: str = "https://repository.example.net/",
        authentication: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> RepositoryRecord:
        """
        Add a repository, of classes too that only the platform itself makes.

        Args:
            itwin: its iTwin; it is there for all when None.
            class_: its class, such as `RealityData`.
            sub_class: its subclass, of classes that have any.
            id: its id, of small letters, digits and hyphens; made up when None.
            display_name: its name; it has none when None.
            uri: its address.
            authentication: how the address is asked, as on the wire.
            options: its options, as on the wire.

        Raises:
            KeyError: the iTwin is unknown.
            ValueError: there is no such class, or the id is taken.

        """
        if class_ not in _CLASSES:
            raise ValueError(f"class_ must be one of {', '.join(_CLASSES)}, not {class_!r}")
        known = SUB_CLASSES.get(class_, ())
        if sub_class not in (known or (None,)):
            allowed = ", ".join(known) or "None"
            raise ValueError(f"sub_class of {class_} must be {allowed}, not {sub_class!r}")
        if id is not None and not _ID.fullmatch(id):
            raise ValueError(f"id must have small letters, digits and hyphens, not {id!r}")
        for problem in problems(_plain(authentication), AUTHENTICATION):
            raise ValueError(f"authentication: {problem}")
        with self._engine.lock:
            world = self._engine.world
            owner = "" if itwin is None else world.itwins[_id(itwin)].id
            own_id = id or world.new_id()
            if own_id in repositories_of(world, owner):
                raise ValueError(f"the id {own_id} is taken")
            record = RepositoryRecord(
                id=f"{owner}/{own_id}",
                class_=class_,
                sub_class=sub_class,
                display_name=display_name,
                uri=uri,
                authentication=None if authentication is None else dict(authentication),
                options=None if options is None else dict(options),
                generated=class_ in GENERATED_CLASSES,
            )
            world.belongings.put(record, owner)
            return record

    def add_resource(
        self,
        repository: RepositoryRecord | str,
        id: str,  # noqa: A002 - the record's own word
        display_name: str,
        *,
        type: str | None = None,  # noqa: A002 - the record's own word
        properties: Mapping[str, Any] | None = None,
        graphics: Sequence[Mapping[str, Any]] = (),
    ) -> ResourceRecord:
        """
        Add a resource to a repository.

        Args:
            repository: the repository, or the id of one that is there for all, such as `cesium`.
            id: its id.
            display_name: its name.
            type: the type of its graphics, such as `3DTILES`.
            properties: what the repository tells of it.
            graphics: how it can be drawn, as on the wire.

        Raises:
            KeyError: the repository is unknown.
            ValueError: the id is taken, or the graphics are wrong.

        """
        if not id or not display_name:
            raise ValueError("id and display_name must be non-empty strings")
        drawn = tuple(dict(one) for one in graphics)
        for problem in problems(list(drawn), arrays(GRAPHICS)):
            raise ValueError(f"graphics: {problem}")
        with self._engine.lock:
            world = self._engine.world
            owner, own_id = "", repository
            if isinstance(repository, RepositoryRecord):
                owner, own_id = repository.itwin_id, repository.own_id
            found = repositories_of(world, owner)[str(own_id)]
            if resource_of(world, found, id) is not None:
                raise ValueError(f"the id {id} is taken")
            record = ResourceRecord(
                id=f"{found.id}/{id}",
                class_=found.class_,
                sub_class=found.sub_class,
                display_name=display_name,
                type=type,
                properties=None if properties is None else dict(properties),
                graphics=drawn,
            )
            world.belongings.put(record, found.id)
            return record

    def plan_exports(
        self, *, queued: float = 1.0, running: float = 1.0, fails: bool = False
    ) -> None:
        """
        Say how exports go that are started from now on.

        Args:
            queued: seconds of the emulator's time before one begins.
            running: seconds that it then takes.
            fails: whether it fails in the end.

        """
        check_seconds("queued", queued)
        check_seconds("running", running)
        with self._engine.lock:
            plan = ExportPlanRecord(queued=queued, running=running, fails=fails)
            self._engine.world.belongings.put(plan)

    def set_administrator(self, user: str | UserRecord, *, on: bool = True) -> None:
        """Make a user an organization administrator, as all are at first, or not."""
        name = user.name if isinstance(user, UserRecord) else user
        with self._engine.lock:
            world = self._engine.world
            record = OrdinaryUserRecord(world.user(name).name)
            if on:
                world.belongings.drop(OrdinaryUserRecord, record.id)
            else:
                world.belongings.put(record)


def itwin_data_actions(emulator: ITwinDataControls) -> Mapping[str, Action]:
    """Return the actions of these controls by method and path."""

    def add_repository(command: Command) -> Json:
        content = dict(command.content)
        itwin_id = content.pop("iTwinId", None)
        given = {_NAMES.get(name, name): value for name, value in content.items()}
        return {"id": emulator.add_repository(itwin_id, **given).own_id}

    def add_resource(command: Command) -> None:
        content = dict(command.content)
        itwin_id, repository_id = content.pop("iTwinId", ""), content.pop("repositoryId")
        given = {_NAMES.get(name, name): value for name, value in content.items()}
        repository = RepositoryRecord(id=f"{itwin_id.lower()}/{repository_id}", class_="", uri="")
        emulator.add_resource(repository, given.pop("id"), given.pop("display_name"), **given)

    def plan(command: Command) -> None:
        emulator.plan_exports(**command.content)

    def administrators(command: Command) -> None:
        emulator.set_administrator(command.user, on=command.content["on"])

    name: JsonObject = {**TEXT, "minLength": 1}
    open_object: JsonObject = {"type": "object", "additionalProperties": True, "nullable": True}
    repository: JsonObject = {
        "iTwinId": TEXT_OR_NULL,
        "class": texts(*_CLASSES),
        "subClass": TEXT_OR_NULL,
        "id": name,
        "displayName": TEXT_OR_NULL,
        "uri": TEXT,
        "authentication": AUTHENTICATION,
        "options": open_object,
    }
    resource: JsonObject = {
        "iTwinId": TEXT,
        **dict.fromkeys(("repositoryId", "id", "displayName"), name),
        "type": TEXT_OR_NULL,
        "properties": open_object,
        "graphics": arrays(GRAPHICS),
    }
    seconds: JsonObject = {"type": "number"}
    exports: JsonObject = {"queued": seconds, "running": seconds, "fails": FLAG}
    return {
        "POST /repositories": Action(add_repository, repository, ("class",), 201),
        "POST /resources": Action(add_resource, resource, ("repositoryId", "id", "displayName")),
        "POST /exports": Action(plan, exports),
        "POST /administrators": Action(administrators, {"user": name, "on": FLAG}, ("on",)),
    }


_NAMES = {"class": "class_", "subClass": "sub_class", "displayName": "display_name"}


def _id(itwin: str | ITwinRecord) -> str:
    return itwin.lower() if isinstance(itwin, str) else itwin.id


def _plain(value: Mapping[str, str] | None) -> Json:
    return None if value is None else dict(value)
