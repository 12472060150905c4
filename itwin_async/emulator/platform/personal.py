"""Favorites and recents, which iTwins and iModels have alike."""

from __future__ import annotations

from typing import TypeAlias

from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.world.records import IModelRecord, ITwinRecord

Entity: TypeAlias = IModelRecord | ITwinRecord


def add_favorite(call: Call, entity: Entity) -> None:
    """Make an entity a favorite of the caller."""
    call.world.favorite(call.user.name, entity.id)


def remove_favorite(call: Call, entity: Entity) -> None:
    """Make an entity no longer a favorite of the caller."""
    call.world.favorite(call.user.name, entity.id, on=False)


def add_recent(call: Call, entity: Entity) -> None:
    """Put an entity in front of what the caller used recently."""
    call.world.recent(call.user.name, entity.id)


def remove_recent(call: Call, entity: Entity) -> None:
    """Remove an entity from what the caller used recently."""
    call.world.forget_recent(call.user.name, entity.id)
