"""Saved views, their groups and their parts."""

from __future__ import annotations

from typing import Any

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.world.belongings import belonging
from itwin_async.emulator.world.ids import combined_of
from itwin_async.emulator.world.records import owner_links
from itwin_async.emulator.world.state import World

IMAGE = "image"  # the name of the picture of a saved view in the storage, which has one size only


@belonging
@attrs.frozen(kw_only=True)
class SavedViewGroupRecord:
    """A group of saved views; it belongs to its iTwin."""

    id: str
    display_name: str
    itwin_id: str
    imodel_id: str | None = None
    shared: bool = False
    read_only: bool = False
    creator_id: str

    def full(self, origin: str) -> JsonObject:
        """Return the group, with links to an origin (scheme and host)."""
        links = owner_links(origin, self.itwin_id, self.imodel_id, self.creator_id)
        return {
            "id": self.id,
            "displayName": self.display_name,
            "shared": self.shared,
            "readOnly": self.read_only,
            "_links": {
                **links,
                "savedViews": {"href": f"{origin}/savedviews?groupId={self.id}"},
            },
        }


@belonging
@attrs.frozen(kw_only=True)
class SavedViewRecord:
    """
    A saved view; it belongs to its iTwin.

    Args:
        id: its id.
        display_name: its name.
        itwin_id: its iTwin.
        imodel_id: its iModel.
        shared: whether others see it.
        saved_view_data: the view itself, with the escapes of the client.
        group_id: its group.
        tag_ids: its tags.
        creator_id: the user who made it.
        created: when it was made.
        modified: when it was last changed.

    """

    id: str
    display_name: str
    itwin_id: str
    imodel_id: str | None = None
    shared: bool = False
    saved_view_data: dict[str, Any]
    group_id: str | None = None
    tag_ids: list[str] = attrs.field(factory=list[str])
    creator_id: str
    created: str
    modified: str

    @property
    def legacy(self) -> bool:
        """Whether an older service made it, so that it cannot be changed."""
        return "legacyView" in self.saved_view_data

    def minimal(self) -> JsonObject:
        """Return what lists show."""
        return {
            "id": self.id,
            "displayName": self.display_name,
            "shared": self.shared,
            "creationTime": self.created,
            "lastModified": self.modified,
        }

    def with_data(self) -> JsonObject:
        """Return what lists show, and the view itself."""
        return {**self.minimal(), "savedViewData": self.saved_view_data}


@belonging
@attrs.frozen(kw_only=True)
class SavedViewExtensionRecord:
    """An extension, by its name; it belongs to its saved view."""

    id: str
    data: str
    markdown_url: str | None = None
    schema_url: str | None = None


@belonging
@attrs.frozen(kw_only=True)
class SavedViewManagerRecord:
    """A user, by id, who may change what others share in an iTwin, to which it belongs."""

    id: str


def new_combined_id(world: World, itwin_id: str, imodel_id: str | None) -> str:
    """Return an id for a saved view or group that this world did not give before."""
    return combined_of(world.new_id(), itwin_id, imodel_id)


def tag_in_use(world: World, tag_id: str) -> bool:
    """Whether a saved view has a tag."""
    return any(tag_id in view.tag_ids for _, view in world.belongings.all(SavedViewRecord))


def drop_group(world: World, group: SavedViewGroupRecord) -> None:
    """Remove a group; its saved views stay."""
    views = world.belongings.of(SavedViewRecord, group.itwin_id)
    for view in [view for view in views.values() if view.group_id == group.id]:
        world.belongings.put(attrs.evolve(view, group_id=None), group.itwin_id)
    world.belongings.drop(SavedViewGroupRecord, group.id, group.itwin_id)
