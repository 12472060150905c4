"""The Saved Views API: tags."""

from __future__ import annotations

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.schemas import LINK, TEXT, define, each, objects
from itwin_async.emulator.world.ids import opaque_of
from itwin_async.emulator.world.records import TagRecord

_ALLOWED: JsonObject = {"pattern": "^[^<>&\"'.]*$"}  # without a type: of texts only
_PLAIN: JsonObject = {"type": "string", **_ALLOWED}
_LINKS = each(LINK, "iTwin project imodel creator")
_TAG = define(
    "Tag",
    objects(
        {
            "id": TEXT,
            "displayName": TEXT,
            "_links": define("TagLinks", objects(_LINKS)),
        }
    ),
)
_CREATE = define(
    "TagCreate",
    objects(
        {"displayName": _PLAIN, "iTwinId": _PLAIN, "iModelId": _PLAIN},
        "displayName",
        additionalProperties=_ALLOWED,
    ),
)
_UPDATE = define("TagUpdate", objects({"displayName": _PLAIN}, additionalProperties=_ALLOWED))


def _find(call: Call, tag_id: str) -> TagRecord | None:
    tag = call.world.tags.get(tag_id)
    return tag if tag and _may_use(call, tag.itwin_id, tag.imodel_id) else None


def _create(call: Call, content: JsonObject) -> TagRecord:
    itwin_id, imodel_id = _container(call, content.get("iTwinId"), content.get("iModelId"))
    world = call.world
    while (tag_id := opaque_of(f"tag:{world.seed}:{world.next_number()}")) in world.tags:
        pass
    return TagRecord(
        id=tag_id,
        display_name=str(content["displayName"]),
        itwin_id=itwin_id,
        imodel_id=imodel_id,
        creator_id=call.user.id,
    )


def _tags(call: Call) -> list[TagRecord]:
    itwin_id, imodel_id = _container(call, call.text("iTwinId"), call.text("iModelId"))
    return [
        tag
        for tag in call.world.tags.values()
        if itwin_id in {None, tag.itwin_id}
        and imodel_id in {None, tag.imodel_id}
        and _may_use(call, tag.itwin_id, tag.imodel_id)
    ]


def _container(call: Call, *ids: Json) -> tuple[str | None, ...]:
    """Return the ids of an iTwin and iModel in lower case, or fail with 403."""
    found = tuple(text.lower() if isinstance(text, str) and text else None for text in ids)
    if not _may_use(call, *found):
        raise errors.OperationError(errors.INSUFFICIENT_PERMISSIONS)
    return found


def _may_use(call: Call, itwin_id: str | None, imodel_id: str | None) -> bool:
    if itwin_id is not None and itwin_id not in call.world.itwins:
        return False
    if imodel_id is not None:
        located = call.world.locate(imodel_id)
        if located is None or itwin_id not in {None, located[0]}:
            return False
    return call.may_see(itwin_id, imodel_id)


TAGS = Collection[TagRecord](
    api=api.SAVED_VIEWS,
    name="Tag",
    key="tag",
    keys="tags",
    schema=_TAG,
    show=TagRecord.full,
    find=_find,
    put=lambda call, tag: call.world.tags.update({tag.id: tag}),
    drop=lambda call, tag: call.world.tags.pop(tag.id),
)

ROUTES = (
    TAGS.create("POST /savedviews/tags", "Create Tag", _create, body=_CREATE),
    TAGS.list(
        "GET /savedviews/tags",
        "Get All Tags",
        _tags,
        parameters=(Parameter("iTwinId", TEXT), Parameter("iModelId", TEXT)),
    ),
    TAGS.get("GET /savedviews/tags/{id}", "Get Tag"),
    TAGS.update("PATCH /savedviews/tags/{id}", "Update Tag", body=_UPDATE),
    TAGS.delete("DELETE /savedviews/tags/{id}", "Delete Tag"),
)
