"""The controls of saved views, their groups and tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from itwin_async.emulator.control.command import Action, Command
from itwin_async.emulator.control.world import WorldControls
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.pictures import type_of
from itwin_async.emulator.platform.saved_view_schemas import VIEW_CREATE
from itwin_async.emulator.platform.schemas import FLAG, TEXT, TEXT_OR_NULL, arrays, problems
from itwin_async.emulator.storage.blobs import put_blob
from itwin_async.emulator.world.ids import opaque_of
from itwin_async.emulator.world.records import IModelRecord, ITwinRecord, TagRecord, UserRecord
from itwin_async.emulator.world.saved_views import (
    IMAGE,
    SavedViewExtensionRecord,
    SavedViewGroupRecord,
    SavedViewManagerRecord,
    SavedViewRecord,
    new_combined_id,
)

_NO_VIEW: JsonObject = {"itwin3dView": {"origin": [0, 0, 0], "extents": [1, 1, 1]}}


class SavedViewControls(WorldControls):
    """The controls of saved views, their groups and tags."""

    def add_tag(
        self,
        itwin: str | ITwinRecord,
        display_name: str,
        *,
        imodel: str | IModelRecord | None = None,
        creator: str | UserRecord = "demo",
    ) -> TagRecord:
        """Add a tag of an iTwin; KeyError for an unknown iTwin or iModel."""
        with self._engine.lock:
            itwin_id, imodel_id = self._owners(itwin, imodel)
            world = self._engine.world
            while (tag_id := opaque_of(f"tag:{world.seed}:{world.next_number()}")) in world.tags:
                pass
            tag = TagRecord(
                id=tag_id,
                display_name=display_name,
                itwin_id=itwin_id,
                imodel_id=imodel_id,
                creator_id=world.user(self._user(creator)).id,
            )
            world.tags[tag.id] = tag
            return tag

    def add_saved_view_group(
        self,
        itwin: str | ITwinRecord,
        display_name: str,
        *,
        imodel: str | IModelRecord | None = None,
        shared: bool = True,
        read_only: bool = False,
        creator: str | UserRecord = "demo",
    ) -> SavedViewGroupRecord:
        """Add a group of saved views to an iTwin; KeyError for an unknown iTwin or iModel."""
        with self._engine.lock:
            itwin_id, imodel_id = self._owners(itwin, imodel)
            world = self._engine.world
            group = SavedViewGroupRecord(
                id=new_combined_id(world, itwin_id, imodel_id),
                display_name=display_name,
                itwin_id=itwin_id,
                imodel_id=imodel_id,
                shared=shared,
                read_only=read_only,
                creator_id=world.user(self._user(creator)).id,
            )
            world.belongings.put(group, itwin_id)
            return group

    def add_saved_view(
        self,
        itwin: str | ITwinRecord,
        display_name: str,
        data: Mapping[str, Json] | None = None,
        *,
        imodel: str | IModelRecord | None = None,
        group: str | SavedViewGroupRecord | None = None,
        tags: Iterable[str | TagRecord] = (),
        extensions: Mapping[str, Json] | None = None,
        image: bytes | None = None,
        shared: bool = True,
        legacy: bool = False,
        creator: str | UserRecord = "demo",
    ) -> SavedViewRecord:
        """
        Add a saved view to an iTwin.

        Args:
            itwin: the iTwin.
            display_name: its name.
            data: the view, as `savedViewData` on the wire; a small 3D view when None.
            imodel: its iModel.
            group: its group.
            tags: its tags.
            extensions: by name, the data of its extensions.
            image: its picture, PNG or JPEG.
            shared: whether others see it.
            legacy: whether an older service made it, so that nobody can change it.
            creator: the user who made it.

        Raises:
            KeyError: the iTwin, iModel, group or a tag is unknown.
            ValueError: the platform would not create such a view.

        """
        engine = self._engine
        with engine.lock:
            itwin_id, imodel_id = self._owners(itwin, imodel)
            content: JsonObject = {
                "iTwinId": itwin_id,
                "displayName": display_name,
                "savedViewData": cast("JsonObject", dict(_NO_VIEW if data is None else data)),
            }
            for problem in problems(content, VIEW_CREATE):
                raise ValueError(str(problem))
            given = cast("dict[str, Any]", content["savedViewData"])
            now = engine.clock.stamp(3)
            view = SavedViewRecord(
                id=new_combined_id(engine.world, itwin_id, imodel_id),
                display_name=display_name,
                itwin_id=itwin_id,
                imodel_id=imodel_id,
                shared=shared,
                saved_view_data={**given, "legacyView": {}} if legacy else given,
                group_id=self._group(itwin_id, group),
                tag_ids=[self._tag(tag) for tag in tags],
                creator_id=engine.world.user(self._user(creator)).id,
                created=now,
                modified=now,
            )
            if image is not None:
                self._put_image(view.id, image)
            engine.world.belongings.put(view, itwin_id)
            for name, value in (extensions or {}).items():
                text = msgspec.json.encode(value).decode()
                engine.world.belongings.put(SavedViewExtensionRecord(id=name, data=text), view.id)
            return view

    def _put_image(self, view_id: str, image: bytes) -> None:
        content_type = type_of(image)
        if content_type is None:
            raise ValueError("image must be a PNG or JPEG picture")
        put_blob(
            self._engine.world,
            self._engine.clock,
            view_id,
            IMAGE,
            image,
            content_type=content_type,
        )

    def manage_saved_views(
        self, user: str | UserRecord, itwin: str | ITwinRecord, *, allowed: bool = True
    ) -> None:
        """Let a user change what others share in an iTwin, or no longer."""
        with self._engine.lock:
            world = self._engine.world
            itwin_id, _ = self._owners(itwin, None)
            manager = SavedViewManagerRecord(id=world.user(self._user(user)).id)
            if allowed:
                world.belongings.put(manager, itwin_id)
            else:
                world.belongings.drop(SavedViewManagerRecord, manager.id, itwin_id)

    def _owners(
        self, itwin: str | ITwinRecord, imodel: str | IModelRecord | None
    ) -> tuple[str, str | None]:
        itwin_id = itwin.lower() if isinstance(itwin, str) else itwin.id
        if itwin_id not in self._engine.world.itwins:
            raise KeyError(itwin_id)
        if imodel is None:
            return itwin_id, None
        imodel_id = imodel.lower() if isinstance(imodel, str) else imodel.id
        located = self._engine.world.locate(imodel_id)
        if located is None or located[0] != itwin_id:
            raise KeyError(imodel_id)
        return itwin_id, imodel_id

    def _group(self, itwin_id: str, group: str | SavedViewGroupRecord | None) -> str | None:
        group_id = group.id if isinstance(group, SavedViewGroupRecord) else group
        groups = self._engine.world.belongings.of(SavedViewGroupRecord, itwin_id)
        if group_id is not None and group_id not in groups:
            raise KeyError(group_id)
        return group_id

    def _tag(self, tag: str | TagRecord) -> str:
        tag_id = tag.id if isinstance(tag, TagRecord) else tag
        return self._engine.world.tags[tag_id].id


def saved_view_actions(controls: SavedViewControls) -> dict[str, Action]:
    """Return the actions of the control interface."""

    def add(command: Command) -> Json:
        content = dict(command.content)
        view = controls.add_saved_view(
            content.pop("iTwinId"),
            content.pop("displayName"),
            content.pop("savedViewData", None),
            imodel=content.pop("iModelId", None),
            group=content.pop("groupId", None),
            tags=content.pop("tagIds", ()),
            **content,
        )
        return {"savedView": {**view.with_data(), "tagIds": list[Json](view.tag_ids)}}

    def manage(command: Command) -> None:
        allowed = command.content.get("allowed", True)
        controls.manage_saved_views(command.user, command.content["iTwinId"], allowed=allowed)

    name: JsonObject = {"type": "string", "minLength": 1}
    members: JsonObject = {
        "iTwinId": TEXT,
        "displayName": TEXT,
        "savedViewData": {"type": "object"},
        "iModelId": TEXT_OR_NULL,
        "groupId": TEXT_OR_NULL,
        "tagIds": arrays(TEXT),
        "extensions": {"type": "object"},
        **dict.fromkeys(("shared", "legacy"), FLAG),
        "creator": name,
    }
    managed: JsonObject = {"user": name, "iTwinId": TEXT, "allowed": FLAG}
    return {
        "POST /saved-views": Action(add, members, ("iTwinId", "displayName"), 201),
        "POST /saved-view-managers": Action(manage, managed, ("iTwinId",)),
    }
