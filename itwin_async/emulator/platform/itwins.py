"""The iTwins API: iTwins, their account, favorites and recents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors, odata, personal
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.administrators import administrates, require_administrator
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.paging import Paging
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.stored import download_url
from itwin_async.emulator.world.factories import account_of, new_itwin
from itwin_async.emulator.world.itwin_data import ITwinImageRecord
from itwin_async.emulator.world.records import CLASS_OF, STATUSES, ITwinRecord, members

DEFAULT_REACH, MAX_REACH = 1000, 10_000
_REACH = "X-Max-Return"
SCOPE = "X-iTwin-Query-Scope"
_WIDER_SCOPES = frozenset({"all", "organizationadmin"})
_STATUS = s.texts(*STATUSES)
_CLASSES = sorted(set(CLASS_OF.values()))
_KIND: JsonObject = {"class": s.texts(*_CLASSES), "subClass": s.texts(*CLASS_OF)}
_LATITUDE = s.between(-90, 90, kind="number", format="double", nullable=True)
_LONGITUDE = s.between(-180, 180, kind="number", format="double", nullable=True)
_SUMMARY_MEMBERS: JsonObject = {
    **s.each(s.TEXT, "id number displayName"),
    **_KIND,
    "type": s.TEXT_OR_NULL,
    "status": _STATUS,
}
_SUMMARY = s.define("iTwinSummary", s.objects(_SUMMARY_MEMBERS))
_ITWIN = s.define(
    "iTwin",
    s.objects(
        {
            **_SUMMARY_MEMBERS,
            "latitude": _LATITUDE,
            "longitude": _LONGITUDE,
            "createdDateTime": s.MOMENT,
            "lastModifiedDateTime": s.MOMENT_OR_NULL,
            **s.each(s.TEXT, "dataCenterLocation iTwinAccountId createdBy"),
            **s.each(s.TEXT_OR_NULL, "geographicLocation ianaTimeZone parentId"),
            **s.each(s.TEXT_OR_NULL, "imageName image lastModifiedBy"),
        }
    ),
)
_CHANGE: JsonObject = {
    "displayName": s.NAME,
    "status": _STATUS,
    **s.each(s.SHORT_TEXT, "number dataCenterLocation"),
    **s.each(s.SHORT_TEXT_OR_NULL, "type geographicLocation ianaTimeZone parentId"),
    "latitude": _LATITUDE,
    "longitude": _LONGITUDE,
}


def _kind_of(class_: str) -> JsonObject:
    fitting: list[Json] = [name for name, of in CLASS_OF.items() if of == class_]
    return {"properties": {"class": {"enum": [class_]}, "subClass": {"enum": fitting}}}


_CREATE = s.define(
    "iTwinCreate",
    s.objects(
        {**_KIND, **_CHANGE},
        "class",
        "subClass",
        "displayName",
        additionalProperties=True,
        anyOf=[_kind_of(class_) for class_ in _CLASSES],
    ),
)
_UPDATE = s.define("iTwinUpdate", s.objects(_CHANGE, additionalProperties=True))
_MEMBERS = members(ITwinRecord)
_EXACT = ("type", "number", "displayName", "parentId", "iTwinAccountId")
SUB_CLASSES: JsonObject = {
    "type": "string",
    "description": "One or several subclasses, separated by commas; all when empty.",
    "pattern": f"^(({'|'.join(CLASS_OF)})(, ?({'|'.join(CLASS_OF)}))*)?$",
}
_FILTERS = (
    Parameter(
        "subClass",
        SUB_CLASSES,
        message="A valid iTwin SubClass was not specified in the query.",
    ),
    Parameter(
        "status",
        _STATUS,
        message="Status value is incorrect. Valid values are Active, Inactive and Trial.",
    ),
    Parameter(
        "includeInactive",
        {**s.FLAG, "default": False},
        message="The includeInactive parameter must be true or false.",
    ),
    *(Parameter(name, s.TEXT) for name in (*_EXACT, "$search")),
    Parameter(SCOPE, s.TEXT, where="header"),
)

_ODATA: Mapping[str, Callable[[str, Mapping[str, str]], object]] = {
    "$filter": odata.Filter,
    "$orderby": odata.read_order,
    "$select": odata.read_names,
}


def _check_status(call: Call) -> list[Detail]:
    if "includeInactive" not in call.query or "status" not in call.query:
        return []
    message = (
        "The includeInactive parameter should not be used at the same time as the status parameter."
    )
    return [errors.Detail("InvalidParameter", message, "includeInactive")]


def check_odata(call: Call) -> list[Detail]:
    """Return what is wrong with the expressions of a call; OperationError for a syntax error."""
    details: list[Detail] = []
    if call.text("$filter"):
        for name in filter(call.query.__contains__, ("status", *_EXACT, "$search")):
            message = f"The {name} parameter should not be used at the same time as the $filter."
            details.append(errors.Detail("InvalidParameter", message, name))
    for name, read in _ODATA.items():
        text = call.text(name)
        try:
            if text:
                read(text, _MEMBERS)
        except odata.UnknownPropertyError as error:
            message = f"The {name} string contains an unknown property '{error}'."
            details.append(errors.Detail("InvalidValue", message, name))
        except odata.ODataSyntaxError as error:
            response = errors.error(422, api.ITWINS.invalid_code, str(error), violation=True)
            raise errors.OperationError(response) from None
    return details


def _find(call: Call, itwin_id: str) -> ITwinRecord | None:
    record = call.world.itwins.get(itwin_id.lower())
    return record if record and call.may_see(record.id) else None


def _find_or_account(call: Call, itwin_id: str) -> ITwinRecord | None:
    account = account_of(call.world)
    return account if itwin_id.lower() == account.id else _find(call, itwin_id)


def _drop(call: Call, itwin: ITwinRecord) -> None:
    require_administrator(call)
    call.world.drop_itwin(itwin.id)


def image_of(call: Call, itwin_id: str) -> ITwinImageRecord | None:
    """Return the image of an iTwin."""
    return next(iter(call.world.belongings.of(ITwinImageRecord, itwin_id).values()), None)


def _image(call: Call, itwin: ITwinRecord, shown: JsonObject) -> JsonObject:
    image = image_of(call, itwin.id)
    if image is None:
        return shown
    url = download_url(call, image.id, image.small_name)
    return {**shown, "imageName": image.small_name, "image": url}


def _create(call: Call, content: JsonObject) -> ITwinRecord:
    new = attrs.evolve(new_itwin(call.world, call.clock), created_by=call.user.id)
    return _modified(call, ITWINS.changed(new, content))


def _modified(call: Call, itwin: ITwinRecord) -> ITwinRecord:
    return attrs.evolve(itwin, modified=call.clock.stamp(3), modified_by=call.user.id)


def _matches(call: Call) -> Callable[[ITwinRecord], bool]:
    text = call.text("subClass")
    sub_classes = {part.strip() for part in text.split(",")} if text else set(CLASS_OF)
    status, everything = call.text("status"), call.values["includeInactive"]
    search = (call.text("$search") or "").lower()
    wider = (call.text(SCOPE) or "").lower() in _WIDER_SCOPES and administrates(call)
    exact = [(_MEMBERS[name], call.text(name)) for name in _EXACT]
    wanted = [(attribute, text.lower()) for attribute, text in exact if text is not None]
    denied = set[str]() if wider else call.world.lists_of(call.user.name).denied
    expression = call.text("$filter")
    condition = odata.Filter(expression, _MEMBERS) if expression else None
    # Who filters by the status wants what the list leaves out by default.
    everything = everything or (condition is not None and "status" in condition.names)

    def matches(row: ITwinRecord) -> bool:
        if row.id in denied or row.sub_class not in sub_classes:
            return False
        if row.status != status if status else row.status == "Inactive" and not everything:
            return False
        if any((getattr(row, attribute) or "").lower() != text for attribute, text in wanted):
            return False
        if condition is not None and not condition.matches(row.full()):
            return False
        return search in row.number.lower() or search in row.display_name.lower()

    return matches


def listed(call: Call, itwins: Iterable[ITwinRecord]) -> list[ITwinRecord]:
    """Return the iTwins that the parameters of a call select."""
    return list(filter(_matches(call), itwins))


def _favorites(call: Call) -> list[ITwinRecord]:
    favorites = call.world.lists_of(call.user.name).favorite_itwins
    return listed(call, (row for row in call.world.itwins.values() if row.id in favorites))


def _recents(call: Call) -> list[ITwinRecord]:
    ids = call.world.lists_of(call.user.name).recent_itwins
    return listed(call, (call.world.itwins[key] for key in ids if key in call.world.itwins))


def _sort_key(name: str) -> Callable[[ITwinRecord], tuple[bool, float, str]]:
    attribute = _MEMBERS[name]
    return lambda row: odata.order_key(getattr(row, attribute))


def _itwins(call: Call) -> list[ITwinRecord]:
    rows = listed(call, call.world.itwins.values())
    order = call.text("$orderby")
    for name, descends in reversed(odata.read_order(order, _MEMBERS) if order else []):
        rows.sort(key=_sort_key(name), reverse=descends)
    return rows[: call.number(_REACH)]


def _account_of(call: Call) -> ITwinRecord:
    _WITH_ACCOUNT.one(call)
    return account_of(call.world)


ITWINS = Collection[ITwinRecord](
    api=api.ITWINS,
    name="iTwin",
    key="iTwin",
    keys="iTwins",
    schema=_ITWIN,
    show=lambda itwin, _: itwin.full(),
    summary_schema=_SUMMARY,
    summarize=ITwinRecord.minimal,
    find=_find,
    put=lambda call, itwin: call.world.put_itwin(itwin),
    drop=_drop,
    complete=_image,
    list_failure="Cannot query iTwins.",
    unique="number",
    taken=lambda call, itwin: call.world.number_taken(itwin),
    paging=Paging(
        top_message="The $top query option must be a positive integer that does not exceed 1000.",
        skip_message="The $skip query option must be a non-negative integer.",
    ),
)
_WITH_ACCOUNT = attrs.evolve(ITWINS, find=_find_or_account)

ROUTES = (
    ITWINS.list(
        "GET /itwins/favorites",
        "Get My Favorite iTwins",
        _favorites,
        parameters=_FILTERS,
        checks=(_check_status,),
        link_path="/iTwins/favorites",
    ),
    ITWINS.act("POST /itwins/favorites/{id}", "Add iTwin to My Favorites", personal.add_favorite),
    ITWINS.act(
        "DELETE /itwins/favorites/{id}", "Remove iTwin from My Favorites", personal.remove_favorite
    ),
    ITWINS.list(
        "GET /itwins/recents",
        "Get My Recently Used iTwins",
        _recents,
        parameters=_FILTERS,
        checks=(_check_status,),
    ),
    ITWINS.act("POST /itwins/recents/{id}", "Add iTwin to My Recents", personal.add_recent),
    ITWINS.list(
        "GET /itwins",
        "Get My iTwins",
        _itwins,
        parameters=(
            Parameter(_REACH, s.between(1, MAX_REACH, default=DEFAULT_REACH), where="header"),
            *_FILTERS,
            *(Parameter(name, s.TEXT) for name in _ODATA),
        ),
        checks=(_check_status, check_odata),
        headers=lambda call: {_REACH: str(call.number(_REACH))},
    ),
    ITWINS.create("POST /itwins", "Create iTwin", _create, body=_CREATE),
    ITWINS.get(
        "GET /itwins/myprimaryaccount",
        "Get My Primary Account",
        lambda call: account_of(call.world),
        shown="minimal",
    ),
    _WITH_ACCOUNT.get("GET /itwins/{id}", "Get iTwin", shown="preferred"),
    ITWINS.update("PATCH /itwins/{id}", "Update iTwin", body=_UPDATE, stamp=_modified),
    ITWINS.delete("DELETE /itwins/{id}", "Delete iTwin", forbids=True),
    ITWINS.get("GET /itwins/{id}/account", "Get iTwin Account", _account_of, shown="preferred"),
)
