"""The iModels API: iModels, favorites and recents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors, personal
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.ordering import order_by, orders
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.routes import Parameter, Route
from itwin_async.emulator.platform.stored import STORAGE_LINK
from itwin_async.emulator.responses import Response
from itwin_async.emulator.world.records import Extent, IModelRecord
from itwin_async.emulator.world.tables import Rows

_STATE = s.define("iModelState", s.texts("initialized", "notInitialized"))
_POINT = s.define(
    "Point",
    s.objects(
        {
            "latitude": s.between(-90, 90, kind="number", format="double"),
            "longitude": s.between(-180, 180, kind="number", format="double"),
        },
        "latitude",
        "longitude",
    ),
)
_EXTENT = s.define(
    "Extent",
    s.objects({"southWest": _POINT, "northEast": _POINT}, "southWest", "northEast", nullable=True),
)
_LINKS: JsonObject = {
    **s.each(s.LINK, "creator changesets namedVersions complete"),
    "upload": STORAGE_LINK,
}
_SUMMARY_MEMBERS = s.each(s.TEXT, "id displayName dataCenterLocation")
_SUMMARY = s.define("iModelSummary", s.objects(_SUMMARY_MEMBERS))
_IMODEL = s.define(
    "iModel",
    s.objects(
        {
            **_SUMMARY_MEMBERS,
            **s.each(s.TEXT, "name iTwinId"),
            "description": s.TEXT_OR_NULL,
            "state": _STATE,
            "createdDateTime": s.MOMENT,
            "lastChangesetPushDateTime": s.MOMENT_OR_NULL,
            "isSecured": s.FLAG,
            "extent": _EXTENT,
            "containersEnabled": {"type": "integer"},
            "_links": s.define("iModelLinks", s.objects(_LINKS)),
        }
    ),
)
CHANGE: JsonObject = {
    "name": s.NAME,
    "description": s.SHORT_TEXT_OR_NULL,
    "extent": _EXTENT,
    "containersEnabled": s.between(0, 7),
}
_UPDATE = s.define(
    "iModelUpdate",
    s.objects(CHANGE, additionalProperties=True, anyOf=[{"required": [name]} for name in CHANGE]),
)
_ITWIN_ID = Parameter("iTwinId", s.GUID, required=True)


def _find(call: Call, imodel_id: str) -> IModelRecord | None:
    record = call.world.imodel(imodel_id.lower())
    return record if record and call.may_see(record.id, record.itwin_id) else None


def visible_itwin(call: Call, itwin_id: str) -> str:
    """Return the id of an iTwin in lower case, or fail with 404."""
    itwin_id = itwin_id.lower()
    if itwin_id not in call.world.itwins or not call.may_see(itwin_id):
        raise errors.OperationError(errors.not_found("iTwin"))
    return itwin_id


def _visible(call: Call, rows: Rows[IModelRecord]) -> Rows[IModelRecord]:
    denied = call.world.lists_of(call.user.name).denied
    return rows.where(lambda row: row.id not in denied) if denied else rows


def _favorites(call: Call) -> Rows[IModelRecord]:
    itwin_id = visible_itwin(call, call.query["iTwinId"])
    return _visible(call, call.world.favorites_of(call.user.name, itwin_id))


def _recents(call: Call) -> Rows[IModelRecord]:
    itwin_id = visible_itwin(call, call.query["iTwinId"])
    ids = call.world.lists_of(call.user.name).recent_imodels
    located = [found for found in map(call.world.locate, ids) if found and found[0] == itwin_id]
    positions = [position for _, position in located]
    rows = Rows(call.world.tables[itwin_id], positions, ascending=False)
    return _visible(call, rows)


def _imodels(call: Call) -> Rows[IModelRecord]:
    rows = _visible(call, call.world.imodels_of(visible_itwin(call, call.query["iTwinId"])))
    name, state = call.text("name"), call.text("state")
    search = (call.text("$search") or "").lower()
    if name is not None or search or state is not None:

        def matches(row: IModelRecord) -> bool:
            found = search in row.name.lower() or search in (row.description or "").lower()
            return found and name in {None, row.name} and state in {None, row.state}

        rows = rows.where(matches)
    for member, descends in orders(call):
        attribute = {"name": "name", "createdDateTime": "created"}[member]
        rows = rows.sorted(attrgetter(attribute), reverse=descends)
    return rows


def _after(call: Call, rows: Sequence[object], last: str) -> int | None:
    located = call.world.locate(last, gone=True)
    if located is None or located[0] != call.query["iTwinId"].lower():
        return None
    assert isinstance(rows, Rows)  # noqa: S101 - so are all lists of iModels
    return rows.after(located[1])


IMODELS = Collection[IModelRecord](
    api=api.IMODELS,
    name="iModel",
    key="iModel",
    keys="iModels",
    schema=_IMODEL,
    show=IModelRecord.full,
    summary_schema=_SUMMARY,
    summarize=IModelRecord.minimal,
    find=_find,
    put=lambda call, imodel: call.world.put_imodel(imodel),
    drop=lambda call, imodel: call.world.drop_imodel(imodel.id),
    converters={"iTwinId": str.lower, "extent": Extent.from_json},
    list_failure="Cannot get iModels.",
    unique="name",
    taken=lambda call, imodel: call.world.name_taken(imodel),
    paging=Paging(after=_after, filters_first=True),
)


def imodel_url(call: Call) -> str:
    """Return the address of the iModel that a path names, to begin links with."""
    return f"{call.origin}/imodels/{IMODELS.id_of(call)}"


def reading(
    operation: str,
    title: str,
    key: str,
    show: Callable[[Call], Json],
    schema: JsonObject,
    **facts: bool,
) -> Route:
    """Declare the reading of something that is no collection, by its key in the envelope."""
    method, _, path = operation.partition(" ")
    envelope = s.define(f"{key[0].upper()}{key[1:]}Response", s.objects({key: schema}, key))

    def handler(call: Call) -> Response:
        return call.respond(200, {key: show(call)})

    return Route(
        method=method,
        path=path,
        title=title,
        api=api.IMODELS,
        handler=handler,
        results=[envelope],
        **facts,  # type: ignore[arg-type] # all are flags
    )


ROUTES = (
    IMODELS.list(
        "GET /imodels/favorites",
        "Get My Favorite iModels",
        _favorites,
        parameters=(_ITWIN_ID,),
        link_path="/imodels/favorites?iTwinId={iTwinId}",
    ),
    IMODELS.act("PUT /imodels/favorites/{id}", "Add iModel to My Favorites", personal.add_favorite),
    IMODELS.act(
        "DELETE /imodels/favorites/{id}",
        "Remove iModel from My Favorites",
        personal.remove_favorite,
    ),
    IMODELS.list(
        "GET /imodels/recents",
        "Get My Recently Used iModels",
        _recents,
        parameters=(_ITWIN_ID,),
        link_path="/imodels/recents?iTwinId={iTwinId}",
    ),
    IMODELS.act("POST /imodels/recents/{id}", "Add iModel to My Recents", personal.add_recent),
    IMODELS.act(
        "DELETE /imodels/recents/{id}", "Remove iModel from My Recents", personal.remove_recent
    ),
    IMODELS.list(
        "GET /imodels",
        "Get iTwin iModels",
        _imodels,
        parameters=(
            _ITWIN_ID,
            Parameter("$search", s.TEXT),
            Parameter("name", s.TEXT),
            Parameter("state", _STATE),
            order_by("name", "createdDateTime"),
        ),
        link_path="/imodels?itwinId={iTwinId}",
    ),
    IMODELS.get("GET /imodels/{id}", "Get iModel"),
    IMODELS.update("PATCH /imodels/{id}", "Update iModel", body=_UPDATE),
    IMODELS.delete("DELETE /imodels/{id}", "Delete iModel"),
)
