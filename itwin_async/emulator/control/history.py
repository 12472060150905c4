"""The controls of changesets, named versions, checkpoints and creations of iModels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import attrs

from itwin_async.emulator.control.command import Action, Command
from itwin_async.emulator.engine import Engine
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.checkpoints import STATES
from itwin_async.emulator.platform.creation import OUTCOMES
from itwin_async.emulator.platform.imodel_files import changeset_file
from itwin_async.emulator.platform.schemas import TEXT, TEXT_OR_NULL, between, texts
from itwin_async.emulator.storage.blobs import put_blob
from itwin_async.emulator.world.creations import CheckpointRecord, creation_of, end
from itwin_async.emulator.world.history import ChangesetRecord, NamedVersionRecord
from itwin_async.emulator.world.records import IModelRecord, UserRecord

_ENDS = (*OUTCOMES, "fileIsBriefcase")
_ID_LENGTH = 40

_COUNT = between(0, 2**31 - 1)
_OF_IMODEL: JsonObject = {"iModelId": TEXT}
_PUSHED: JsonObject = {**_OF_IMODEL, "user": {**TEXT, "minLength": 1}, "description": TEXT_OR_NULL}
_CHANGESET: JsonObject = {
    **_PUSHED,
    "id": TEXT,
    "content": TEXT,
    "size": _COUNT,
    "state": texts("waitingForFile", "fileUploaded"),
}
_VERSION: JsonObject = {
    **_PUSHED,
    "name": {**TEXT, "minLength": 1},
    "changesetIndex": _COUNT,
    "state": texts("visible", "hidden"),
}
_CHECKPOINT: JsonObject = {**_OF_IMODEL, "changesetIndex": _COUNT, "state": texts(*STATES)}


class HistoryControls:
    """The controls of an iModel's history."""

    _engine: Engine

    @property
    def work_seconds(self) -> float:
        """Seconds by the emulator's clock that long work takes, such as a clone."""
        return self._engine.work_seconds

    @work_seconds.setter
    def work_seconds(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError(f"work_seconds must be a non-negative number, not {seconds}")
        self._engine.work_seconds = seconds

    def add_changeset(
        self,
        imodel: str | IModelRecord,
        data: bytes | None = None,
        *,
        id: str | None = None,  # noqa: A002 - the record's own word
        size: int = 1000,
        user: str | UserRecord = "demo",
        briefcase: int = 2,
        description: str | None = None,
        containing_changes: int = 0,
        waiting: bool = False,
    ) -> ChangesetRecord:
        """
        Push a changeset behind the last one.

        Args:
            imodel: the iModel.
            data: its file; one of ``size`` bytes is made when it is read, if None.
            id: 40 hexadecimal digits; made up when None.
            size: the size of its file in bytes.
            user: who pushes it.
            briefcase: the number of the briefcase.
            description: its description.
            containing_changes: what it has, as flags.
            waiting: whether its file is still missing, as after a push that broke off.

        Raises:
            KeyError: the iModel is unknown.
            ValueError: the last changeset waits for its file, or the id is taken or none.

        """
        engine = self._engine
        with engine.lock:
            world, imodel_id = engine.world, _id(imodel)
            history = world.history(imodel_id)
            last, index = history.last, len(history) + 1
            if last is not None and last.waits:
                raise ValueError(f"changeset {last.id} waits for its file")
            changeset_id = id or hashlib.sha1(f"{imodel_id}/{index}".encode()).hexdigest()  # noqa: S324
            if len(changeset_id) != _ID_LENGTH or history.find(changeset_id.lower()):
                raise ValueError(f"id must be 40 hexadecimal digits, and new: {changeset_id}")
            record = ChangesetRecord(
                id=changeset_id.lower(),
                index=index,
                parent_id="" if last is None else last.id,
                creator_id=_person(engine, user).id,
                pushed=engine.clock.stamp(),
                state="waitingForFile" if waiting else "fileUploaded",
                description=description,
                containing_changes=containing_changes,
                file_size=size if data is None else len(data),
                briefcase_id=briefcase,
            )
            world.belongings.put(record, imodel_id)
            if not waiting:
                if data is not None:
                    put_blob(world, engine.clock, imodel_id, changeset_file(record.id), data)
                imodel = world.imodels[imodel_id]
                world.put_imodel(attrs.evolve(imodel, last_changeset=record.pushed))
            return record

    def add_named_version(
        self,
        imodel: str | IModelRecord,
        name: str,
        changeset_index: int = 0,
        *,
        description: str | None = None,
        state: str = "visible",
        user: str | UserRecord = "demo",
    ) -> NamedVersionRecord:
        """
        Name a changeset, by its index; 0 is the baseline.

        Raises:
            KeyError: the iModel or the changeset is unknown.
            ValueError: the name or the changeset is taken, or the state is wrong.

        """
        if state not in {"visible", "hidden"}:
            raise ValueError(f"state must be visible or hidden, not {state!r}")
        engine = self._engine
        with engine.lock:
            world, imodel_id = engine.world, _id(imodel)
            history = world.history(imodel_id)
            changeset = history.at(changeset_index)
            if changeset is None and changeset_index:
                raise KeyError(changeset_index)
            if any(version.name == name for version in history.versions()):
                raise ValueError(f"name: {name!r} is the name of another named version")
            if history.version_on(changeset_index) is not None:
                raise ValueError(f"changeset {changeset_index} has a named version")
            record = NamedVersionRecord(
                id=world.new_id(),
                name=name,
                description=description,
                state=state,
                changeset_id=changeset.id if changeset else None,
                changeset_index=changeset_index,
                created=engine.clock.stamp(),
                creator_id=_person(engine, user).id,
            )
            world.belongings.put(record, imodel_id)
            return record

    def set_checkpoint(self, imodel: str | IModelRecord, changeset_index: int, state: str) -> None:
        """
        Set the state of a changeset's checkpoint: successful, scheduled, failed or notGenerated.

        Raises:
            KeyError: the iModel or the changeset is unknown.
            ValueError: the state is wrong.

        """
        if state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, not {state!r}")
        engine = self._engine
        with engine.lock:
            imodel_id = _id(imodel)
            history = engine.world.history(imodel_id)
            if changeset_index and history.at(changeset_index) is None:
                raise KeyError(changeset_index)
            ready = engine.clock.now() + engine.work_seconds
            record = CheckpointRecord(id=str(changeset_index), state=state, ready=ready)
            engine.world.belongings.put(record, imodel_id)

    def end_creation(self, imodel: str | IModelRecord, state: str = "successful") -> None:
        """
        End the creation of an iModel, a clone or a fork at once.

        Args:
            imodel: the iModel that is created.
            state: successful, failed, mainIModelIsMissingFederationGuids, or fileIsBriefcase for a
                baseline file that is none.

        Raises:
            KeyError: no such iModel is created.
            ValueError: the state is wrong.

        """
        if state not in _ENDS:
            raise ValueError(f"state must be one of {', '.join(_ENDS)}, not {state!r}")
        with self._engine.lock:
            imodel_id = _id(imodel)
            if creation_of(self._engine.world, imodel_id) is None:
                raise KeyError(imodel_id)
            end(self._engine.world, imodel_id, state)


def history_actions(emulator: HistoryControls) -> Mapping[str, Action]:
    """Return the actions of these controls by method and path."""

    def add_changeset(command: Command) -> Json:
        content = command.content
        text = content.get("content")
        record = emulator.add_changeset(
            content["iModelId"],
            None if text is None else text.encode(),
            id=content.get("id"),
            size=content.get("size", 1000),
            user=command.user,
            description=content.get("description"),
            waiting=content.get("state") == "waitingForFile",
        )
        return {"id": record.id, "index": record.index}

    def add_named_version(command: Command) -> Json:
        content = command.content
        record = emulator.add_named_version(
            content["iModelId"],
            content["name"],
            content.get("changesetIndex", 0),
            description=content.get("description"),
            state=content.get("state", "visible"),
            user=command.user,
        )
        return {"id": record.id}

    def set_checkpoint(command: Command) -> None:
        content = command.content
        emulator.set_checkpoint(content["iModelId"], content["changesetIndex"], content["state"])

    def end_creation(command: Command) -> None:
        state = command.content.get("state", "successful")
        emulator.end_creation(command.content["iModelId"], state)

    def work(command: Command) -> None:
        emulator.work_seconds = command.content["seconds"]

    return {
        "POST /changesets": Action(add_changeset, _CHANGESET, ("iModelId",), 201),
        "POST /named-versions": Action(add_named_version, _VERSION, ("iModelId", "name"), 201),
        "POST /checkpoints": Action(set_checkpoint, _CHECKPOINT, tuple(_CHECKPOINT)),
        "POST /creations": Action(
            end_creation, {**_OF_IMODEL, "state": texts(*_ENDS)}, ("iModelId",)
        ),
        "POST /work": Action(work, {"seconds": {"type": "number"}}, ("seconds",)),
    }


def _id(imodel: str | IModelRecord) -> str:
    return imodel.lower() if isinstance(imodel, str) else imodel.id


def _person(engine: Engine, user: str | UserRecord) -> UserRecord:
    return engine.world.user(user.name if isinstance(user, UserRecord) else user)
