"""The controls of what several people do in one iModel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import attrs

from itwin_async.emulator.control.command import Action, Command
from itwin_async.emulator.engine import Engine
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.briefcases import new_briefcase
from itwin_async.emulator.platform.changeset_groups import STATES
from itwin_async.emulator.platform.permissions import PERMISSIONS
from itwin_async.emulator.platform.schemas import TEXT, TEXT_OR_NULL, arrays, texts
from itwin_async.emulator.world import locks
from itwin_async.emulator.world.collaboration import (
    Application,
    BriefcaseRecord,
    ChangesetGroupRecord,
    Level,
    PermissionsRecord,
)
from itwin_async.emulator.world.records import IModelRecord, UserRecord

_LEVELS = get_args(Level)


class CollaborationControls:
    """The controls of briefcases, locks, groups of changesets and permissions."""

    _engine: Engine

    def add_briefcase(
        self,
        imodel: str | IModelRecord,
        user: str | UserRecord = "demo",
        *,
        device_name: str | None = None,
        application: tuple[str, str] | None = None,
        acquired: str | None = None,
    ) -> BriefcaseRecord:
        """
        Add a briefcase of a user, whatever the quota says.

        Args:
            imodel: the iModel.
            user: whose briefcase it is.
            device_name: the computer that it is on.
            application: id and name of what acquired it.
            acquired: when it was acquired, as on the wire; now when None.

        Raises:
            KeyError: the iModel is unknown.

        """
        engine = self._engine
        with engine.lock:
            imodel_id, owner = self._imodel(imodel).id, self._person(user)
            moment = acquired or engine.clock.stamp()
            record = new_briefcase(engine.world, imodel_id, owner.id, moment, device_name)
            if application is not None:
                used = Application(id=application[0], name=application[1])
                record = attrs.evolve(record, application=used)
            engine.world.belongings.put(record, imodel_id)
            return record

    def lock_elements(
        self,
        imodel: str | IModelRecord,
        briefcase: int | BriefcaseRecord,
        elements: Iterable[str],
        level: Level = "exclusive",
        *,
        changeset_index: int = 0,
    ) -> None:
        """
        Lock elements for a briefcase, whoever else holds them, or release them.

        Args:
            imodel: the iModel.
            briefcase: the briefcase.
            elements: ids of elements, such as `0x1`.
            level: shared, exclusive, or none to release.
            changeset_index: the changeset with which a lower level comes; 0 for none.

        Raises:
            KeyError: the iModel or the briefcase is unknown.
            ValueError: an id or the level is wrong.

        """
        ids = [f"{int(element, 16):#x}" for element in elements]
        if level not in _LEVELS:
            raise ValueError(f"level must be one of {', '.join(_LEVELS)}, not {level!r}")
        engine = self._engine
        with engine.lock:
            imodel_id = self._imodel(imodel).id
            number = briefcase if isinstance(briefcase, int) else int(briefcase.id)
            if str(number) not in engine.world.belongings.of(BriefcaseRecord, imodel_id):
                raise KeyError(number)
            locks.lock(engine.world, imodel_id, number, level, ids, changeset_index)

    def close_changeset_group(
        self, imodel: str | IModelRecord, group_id: str, state: str = "timedOut"
    ) -> None:
        """
        Set the state of a group of changesets, as the platform does after some time.

        Raises:
            KeyError: the iModel or the group is unknown.
            ValueError: the state is wrong.

        """
        if state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, not {state!r}")
        engine = self._engine
        with engine.lock:
            imodel_id = self._imodel(imodel).id
            group = engine.world.belongings.of(ChangesetGroupRecord, imodel_id)[group_id.lower()]
            engine.world.belongings.put(attrs.evolve(group, state=state), imodel_id)

    def set_permissions(
        self, imodel: str | IModelRecord, user: str | UserRecord, permissions: Iterable[str]
    ) -> None:
        """
        Give a user permissions on an iModel, which has permissions of its own from then on.

        Raises:
            KeyError: the iModel is unknown.
            ValueError: a permission is unknown.

        """
        wanted = tuple(permissions)
        for unknown in set(wanted).difference(PERMISSIONS):
            raise ValueError(f"a permission is one of {', '.join(PERMISSIONS)}, not {unknown!r}")
        world = self._engine.world
        with self._engine.lock:
            record = self._imodel(imodel)
            person = self._person(user)
            world.put_imodel(attrs.evolve(record, is_secured=True))
            world.belongings.put(PermissionsRecord(id=person.id, permissions=wanted), record.id)

    def _imodel(self, imodel: str | IModelRecord) -> IModelRecord:
        imodel_id = imodel.lower() if isinstance(imodel, str) else imodel.id
        return self._engine.world.imodels[imodel_id]

    def _person(self, user: str | UserRecord) -> UserRecord:
        return self._engine.world.user(user.name if isinstance(user, UserRecord) else user)


def collaboration_actions(emulator: CollaborationControls) -> Mapping[str, Action]:
    """Return the actions of these controls by method and path."""

    def add_briefcase(command: Command) -> Json:
        content = command.content
        device = content.get("deviceName")
        record = emulator.add_briefcase(content["iModelId"], command.user, device_name=device)
        return {"briefcaseId": int(record.id), "ownerId": record.owner_id}

    def lock_elements(command: Command) -> None:
        content = command.content
        emulator.lock_elements(
            content["iModelId"],
            content["briefcaseId"],
            content["objectIds"],
            content.get("lockLevel", "exclusive"),
            changeset_index=content.get("changesetIndex", 0),
        )

    def close(command: Command) -> None:
        content = command.content
        emulator.close_changeset_group(content["iModelId"], content["id"], content["state"])

    def permit(command: Command) -> None:
        content = command.content
        emulator.set_permissions(content["iModelId"], command.user, content["permissions"])

    imodel: JsonObject = {"iModelId": TEXT}
    person: JsonObject = {**imodel, "user": {**TEXT, "minLength": 1}}
    count: JsonObject = {"type": "integer", "minimum": 0}
    elements: JsonObject = {
        **imodel,
        "briefcaseId": count,
        "objectIds": arrays(TEXT),
        "lockLevel": texts(*_LEVELS),
        "changesetIndex": count,
    }
    group: JsonObject = {**imodel, "id": TEXT, "state": texts(*STATES)}
    permissions: JsonObject = {**person, "permissions": arrays(texts(*PERMISSIONS))}
    return {
        "POST /briefcases": Action(
            add_briefcase, {**person, "deviceName": TEXT_OR_NULL}, ("iModelId",), 201
        ),
        "POST /locks": Action(lock_elements, elements, ("iModelId", "briefcaseId", "objectIds")),
        "POST /changeset-groups": Action(close, group, ("iModelId", "id", "state")),
        "POST /permissions": Action(permit, permissions, ("iModelId", "permissions")),
    }
