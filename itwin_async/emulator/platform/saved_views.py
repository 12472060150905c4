"""The Saved Views API: tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.bodies import text_or_none
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.paging import encode
from itwin_async.emulator.responses import JSON_TYPE, Answer, no_content
from itwin_async.emulator.world.ids import opaque_of
from itwin_async.emulator.world.records import TagRecord

if TYPE_CHECKING:
    from itwin_async.emulator.json_types import Json, JsonObject
    from itwin_async.emulator.platform.calls import Call

FORBIDDEN = "<>&\"'."


def create_tag(call: Call) -> Answer:
    """Create a tag."""
    content = call.json()
    if content is None:
        return errors.invalid_savedviews("Cannot create tag.", [errors.unparsable()])
    details = _check(content, ("displayName", "iTwinId", "iModelId"), required="displayName")
    if details:
        return errors.invalid_savedviews("Cannot create tag.", details)
    itwin_id = (text_or_none(content, "iTwinId") or "").lower() or None
    imodel_id = (text_or_none(content, "iModelId") or "").lower() or None
    if not _may_use(call, itwin_id, imodel_id):
        return errors.insufficient_permissions()
    world = call.world
    record = TagRecord(
        id=opaque_of(f"tag:{world.seed}:{world.next_number()}"),
        display_name=text_or_none(content, "displayName") or "",
        itwin_id=itwin_id,
        imodel_id=imodel_id,
        creator_id=call.user.id,
    )
    world.tags[record.id] = record
    world.version += 1
    return _answer(call, 201, record)


def list_tags(call: Call) -> Answer:
    """Get all tags of an iTwin or iModel."""
    query = call.query
    itwin_id, imodel_id = (query.get(name, "").lower() or None for name in ("iTwinId", "iModelId"))
    if not _may_use(call, itwin_id, imodel_id):
        return errors.insufficient_permissions()
    origin = call.style.origin or call.origin
    items: list[Json] = [
        row.full(origin)
        for row in call.world.tags.values()
        if _may_use(call, row.itwin_id, row.imodel_id)
        and itwin_id in {None, row.itwin_id}
        and imodel_id in {None, row.imodel_id}
    ]
    named = [f"{name}={query[name]}" for name in ("iTwinId", "iModelId") if query.get(name)]
    href = f"{origin}/savedviews/tags" + ("?" + "&".join(named) if named else "")
    content: JsonObject = {"tags": items, "_links": {"self": {"href": href}}}
    return Answer(200, encode(content, call.style), {"Content-Type": JSON_TYPE})


def get_tag(call: Call) -> Answer:
    """Get a tag."""
    record = _find(call)
    return errors.not_found("Tag") if record is None else _answer(call, 200, record)


def update_tag(call: Call) -> Answer:
    """Rename a tag."""
    record = _find(call)
    if record is None:
        return errors.not_found("Tag")
    content = call.json()
    if content is None:
        return errors.invalid_savedviews("Cannot update tag.", [errors.unparsable()])
    details = _check(content, ("displayName",))
    if details:
        return errors.invalid_savedviews("Cannot update tag.", details)
    name = text_or_none(content, "displayName")
    if name is not None:
        record = attrs.evolve(record, display_name=name)
        call.world.tags[record.id] = record
        call.world.version += 1
    return _answer(call, 200, record)


def delete_tag(call: Call) -> Answer:
    """Delete a tag."""
    record = _find(call)
    if record is None:
        return errors.not_found("Tag")
    del call.world.tags[record.id]
    call.world.version += 1
    return no_content()


def _find(call: Call) -> TagRecord | None:
    record = call.world.tags.get(call.params["id"])
    if record is None or not _may_use(call, record.itwin_id, record.imodel_id):
        return None
    return record


def _may_use(call: Call, itwin_id: str | None, imodel_id: str | None) -> bool:
    world = call.world
    if itwin_id is not None and itwin_id not in world.itwins:
        return False
    if imodel_id is not None:
        place = world.place_of(imodel_id)
        if place is None or itwin_id not in {None, place[0]}:
            return False
    return world.may_see(call.user.name, itwin_id, imodel_id)


def _check(content: JsonObject, names: tuple[str, ...], *, required: str = "") -> list[Detail]:
    details: list[Detail] = []
    for name in names:
        if name not in content and name != required:
            continue
        value = content.get(name)
        if not isinstance(value, str):
            message = f"{name} must be a string."
            details.append(Detail("InvalidRequestBody", message, name))
        elif any(character in value for character in FORBIDDEN):
            message = f"{name} must not contain any of the characters < > & \" ' ."
            details.append(Detail("InvalidRequestBody", message, name))
    return details


def _answer(call: Call, status: int, record: TagRecord) -> Answer:
    content: Json = {"tag": record.full(call.style.origin or call.origin)}
    return Answer(status, encode(content, call.style), {"Content-Type": JSON_TYPE})
