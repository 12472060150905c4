"""The Saved Views API: tags."""

from __future__ import annotations

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.saved_view_access import container, may_use
from itwin_async.emulator.platform.saved_view_schemas import ALLOWED, PLAIN
from itwin_async.emulator.platform.schemas import LINK, TEXT, define, each, objects
from itwin_async.emulator.world.ids import opaque_of
from itwin_async.emulator.world.records import TagRecord
from itwin_async.emulator.world.saved_views import tag_in_use

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
        {"displayName": PLAIN, "iTwinId": PLAIN, "iModelId": PLAIN},
        "displayName",
        additionalProperties=ALLOWED,
    ),
)
_UPDATE = define("TagUpdate", objects({"displayName": PLAIN}, additionalProperties=ALLOWED))


def _find(call: Call, tag_id: str) -> TagRecord | None:
    tag = call.world.tags.get(tag_id)
    return tag if tag and may_use(call, tag.itwin_id, tag.imodel_id) else None


def _create(call: Call, content: JsonObject) -> TagRecord:
    itwin_id, imodel_id = container(call, content.get("iTwinId"), content.get("iModelId"))
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
    itwin_id, imodel_id = container(call, call.text("iTwinId"), call.text("iModelId"))
    return [
        tag
        for tag in call.world.tags.values()
        if itwin_id in {None, tag.itwin_id}
        and imodel_id in {None, tag.imodel_id}
        and may_use(call, tag.itwin_id, tag.imodel_id)
    ]


def _drop(call: Call, tag: TagRecord) -> None:
    if tag_in_use(call.world, tag.id):
        detail = errors.Detail("InvalidChange", "The tag is assigned to saved views.")
        raise errors.OperationError(api.SAVED_VIEWS.invalid("Cannot delete tag.", [detail]))
    del call.world.tags[tag.id]


TAGS = Collection[TagRecord](
    api=api.SAVED_VIEWS,
    name="Tag",
    key="tag",
    keys="tags",
    schema=_TAG,
    show=TagRecord.full,
    find=_find,
    put=lambda call, tag: call.world.tags.update({tag.id: tag}),
    drop=_drop,
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
    TAGS.delete("DELETE /savedviews/tags/{id}", "Delete Tag", refuses=True),
)
