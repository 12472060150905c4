"""The Saved Views API: saved views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import saved_view_schemas as schemas
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.paging import Paging, link
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.saved_view_access import check_change, container, find, seen
from itwin_async.emulator.platform.saved_view_extensions import (
    extension_link,
    extension_of,
    shown_extension,
)
from itwin_async.emulator.platform.saved_view_groups import GROUPS
from itwin_async.emulator.platform.schemas import TEXT
from itwin_async.emulator.world.records import owner_links
from itwin_async.emulator.world.saved_views import (
    SavedViewExtensionRecord,
    SavedViewRecord,
    new_combined_id,
)

R = TypeVar("R")

_LEGACY = "Update operations not supported on legacy savedviews."


@attrs.frozen(kw_only=True)
class _SavedViewPaging(Paging):
    """Pages by number, whose links name the filters first and whose `self` names no `$skip`."""

    def page(
        self, call: Call, rows: Sequence[R], path: str, filters: Sequence[str]
    ) -> tuple[Sequence[R], JsonObject] | Detail:
        found = super().page(call, rows, path, filters)
        if not isinstance(found, errors.Detail):
            found[1]["self"] = link(call, path, [*filters, f"$top={call.number('$top')}"])
        return found

    def _link(self, call: Call, path: str, filters: Sequence[str], window: str) -> JsonObject:
        return link(call, path, [*filters, f"$top={call.number('$top')}", window])


def _create(call: Call, content: JsonObject) -> SavedViewRecord:
    itwin_id, imodel_id = container(call, content["iTwinId"] or "?", content.get("iModelId"))
    assert itwin_id is not None  # noqa: S101 - "?" is no iTwin
    now = call.clock.stamp(3)
    view = SavedViewRecord(
        id=new_combined_id(call.world, itwin_id, imodel_id),
        display_name=str(content["displayName"]),
        itwin_id=itwin_id,
        imodel_id=imodel_id,
        shared=bool(content.get("shared")),
        saved_view_data=cast("dict[str, Any]", content["savedViewData"]),
        group_id=cast("str | None", content.get("groupId")),
        tag_ids=cast("list[str] | None", content.get("tagIds")) or [],
        creator_id=call.user.id,
        created=now,
        modified=now,
    )
    view = _checked(call, view)
    for given in cast("list[JsonObject]", content.get("extensions") or []):
        call.world.belongings.put(extension_of(given), view.id)
    return view


def _changed(call: Call, view: SavedViewRecord) -> SavedViewRecord:
    check_view_change(call, call.world.belongings.of(SavedViewRecord, view.itwin_id)[view.id])
    view = _checked(call, attrs.evolve(view, shared=bool(view.shared), tag_ids=view.tag_ids or []))
    return attrs.evolve(view, modified=call.clock.stamp(3))


def _checked(call: Call, view: SavedViewRecord) -> SavedViewRecord:
    """Return a view with each of its tags once, or fail if it names what is not of its iTwin."""
    if view.group_id is not None:
        group = GROUPS.find(call, view.group_id)
        if group is None or group.itwin_id != view.itwin_id:
            raise errors.OperationError(errors.not_found("Group"))
    for tag_id in view.tag_ids:
        tag = call.world.tags.get(tag_id)
        if tag is None or tag.itwin_id not in {None, view.itwin_id}:
            raise errors.OperationError(errors.not_found("Tag"))
    return attrs.evolve(view, tag_ids=list(dict.fromkeys(view.tag_ids)))


def check_view_change(call: Call, view: SavedViewRecord, verb: str = "update") -> None:
    """Fail if the caller may not change a saved view, or nobody may."""
    check_change(call, view)
    if view.legacy:
        detail = errors.Detail("InvalidChange", _LEGACY)
        raise errors.OperationError(api.SAVED_VIEWS.invalid(f"Cannot {verb} savedview.", [detail]))


def _drop(call: Call, view: SavedViewRecord) -> None:
    check_view_change(call, view, "delete")
    call.world.belongings.drop(SavedViewRecord, view.id, view.itwin_id)


def _views(call: Call) -> list[SavedViewRecord]:
    itwin_id, imodel_id = container(call, call.text("iTwinId"), call.text("iModelId"))
    group_id = call.text("groupId")
    if group_id is not None:
        group = GROUPS.find(call, group_id)
        if group is None:
            raise errors.OperationError(errors.not_found("Group"))
        itwin_id = itwin_id or group.itwin_id
    found = seen(call, SavedViewRecord, itwin_id, imodel_id)
    return sorted(
        (view for view in found if group_id in {None, view.group_id}),
        key=lambda view: view.display_name,
    )


def _check_filters(call: Call) -> list[Detail]:
    given = {name for name in ("iTwinId", "iModelId", "groupId") if call.text(name)}
    if "iTwinId" in given or given == {"groupId"}:
        return []
    message = "iTwinId or groupId is required; iModelId is used with iTwinId."
    return [errors.Detail("MissingRequiredParameter", message, "iTwinId")]


def _extensions(call: Call, view: SavedViewRecord) -> Iterable[SavedViewExtensionRecord]:
    return call.world.belongings.of(SavedViewExtensionRecord, view.id).values()


def _complete(call: Call, view: SavedViewRecord, shown: JsonObject) -> JsonObject:
    extensions = [
        shown_extension(one, view, call.origin, parsed=True) for one in _extensions(call, view)
    ]
    return {**shown, **_around(call, view), "extensions": list[Json](extensions)}


def _complete_summary(call: Call, view: SavedViewRecord, shown: JsonObject) -> JsonObject:
    extensions = [extension_link(one, view.id, call.origin) for one in _extensions(call, view)]
    return {**shown, **_around(call, view), "extensions": list[Json](extensions)}


def _around(call: Call, view: SavedViewRecord) -> JsonObject:
    here = f"{call.origin}/savedviews/{view.id}"
    links = owner_links(call.origin, view.itwin_id, view.imodel_id, view.creator_id)
    if view.group_id is not None:
        links["group"] = {"href": f"{call.origin}/savedviews/groups/{view.group_id}"}
    links["image"] = {"href": f"{here}/image?size=full"}
    links["thumbnail"] = {"href": f"{here}/image"}
    tags = [call.world.tags[tag_id] for tag_id in view.tag_ids if tag_id in call.world.tags]
    return {
        "tags": [{"id": tag.id, "displayName": tag.display_name} for tag in tags],
        "_links": links,
    }


VIEWS = Collection[SavedViewRecord](
    api=api.SAVED_VIEWS,
    name="SavedView",
    key="savedView",
    keys="savedViews",
    word="savedview",
    schema=schemas.VIEW,
    show=lambda view, _: view.with_data(),
    summary_schema=schemas.VIEW_SUMMARY,
    summarize=SavedViewRecord.minimal,
    complete=_complete,
    complete_summary=_complete_summary,
    find=lambda call, view_id: find(call, SavedViewRecord, view_id),
    put=lambda call, view: call.world.belongings.put(view, view.itwin_id),
    drop=_drop,
    list_failure="Cannot get savedviews.",
    paging=_SavedViewPaging(),
)
_SINGLE = attrs.evolve(
    VIEWS, summary_schema=schemas.VIEW_MINIMAL, summarize=SavedViewRecord.with_data
)

ROUTES = (
    VIEWS.list(
        "GET /savedviews",
        "Get All Saved Views",
        _views,
        parameters=tuple(Parameter(name, TEXT) for name in ("iTwinId", "iModelId", "groupId")),
        checks=(_check_filters,),
    ),
    VIEWS.create("POST /savedviews", "Create Saved View", _create, body=schemas.VIEW_CREATE),
    _SINGLE.get("GET /savedviews/{id}", "Get Saved View", shown="preferred"),
    VIEWS.update(
        "PATCH /savedviews/{id}", "Update Saved View", body=schemas.VIEW_UPDATE, stamp=_changed
    ),
    VIEWS.delete("DELETE /savedviews/{id}", "Delete Saved View", refuses=True),
)
