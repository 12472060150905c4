"""The iTwins API: favorites, recents and the list of one's iTwins."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.paging import DEFAULT_TOP, MAX_TOP, link, page_body, whole_number
from itwin_async.emulator.responses import JSON_TYPE, Answer, no_content
from itwin_async.emulator.world.records import CLASS_OF, STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from itwin_async.emulator.json_types import Json, JsonObject
    from itwin_async.emulator.platform.calls import Call
    from itwin_async.emulator.world.records import ITwinRecord

DEFAULT_REACH, MAX_REACH = 1000, 10_000
_FILTERS = (
    "subClass", "status", "type", "includeInactive", "displayName", "number", "parentId",
    "iTwinAccountId", "$search",
)  # fmt: skip


def list_favorites(call: Call) -> Answer:
    """Get my favorite iTwins."""
    wanted = call.world.lists_of(call.user.name).favorite_itwins
    rows = (row for row in call.world.itwins.values() if row.id in wanted)
    return _list(call, "/iTwins/favorites", rows)


def list_recents(call: Call) -> Answer:
    """Get my recently used iTwins."""
    ids = call.world.lists_of(call.user.name).recent_itwins
    rows = (call.world.itwins[item] for item in ids if item in call.world.itwins)
    return _list(call, "/itwins/recents", rows)


def list_itwins(call: Call) -> Answer:
    """Get my iTwins, not more in all than `X-Max-Return` allows."""
    text = call.headers.get("X-Max-Return", str(DEFAULT_REACH))
    reach = (
        int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MAX_REACH)) else 0
    )
    if not 1 <= reach <= MAX_REACH:
        message = f"'{text}' is not a valid 'X-Max-Return' value."
        detail = Detail("InvalidHeaderValue", message, "X-Max-Return")
        return errors.invalid_itwins("Cannot query iTwins.", [detail])
    return _list(call, "/itwins", call.world.itwins.values(), reach=reach)


def add_favorite(call: Call) -> Answer:
    """Add an iTwin to my favorites."""
    return _mark(call, lambda item: call.world.favorite(call.user.name, item))


def remove_favorite(call: Call) -> Answer:
    """Remove an iTwin from my favorites."""
    return _mark(call, lambda item: call.world.favorite(call.user.name, item, on=False))


def add_recent(call: Call) -> Answer:
    """Add an iTwin to my recently used ones."""
    return _mark(call, lambda item: call.world.recent(call.user.name, item))


def find(call: Call) -> ITwinRecord | None:
    """Return the iTwin that a path names, when the caller may see it."""
    record = call.world.itwins.get(call.params["id"].lower())
    if record is None or not call.world.may_see(call.user.name, record.id):
        return None
    return record


def _mark(call: Call, change: Callable[[str], None]) -> Answer:
    record = find(call)
    if record is None:
        return errors.not_found("iTwin")
    change(record.id)
    return no_content()


def _check(call: Call) -> list[Detail]:
    query, details = call.query, list[Detail]()
    if whole_number(query, "$top", DEFAULT_TOP, 1, MAX_TOP) is None:
        message = "The $top query option must be a positive integer that does not exceed 1000."
        details.append(Detail("InvalidValue", message, "$top"))
    if whole_number(query, "$skip", 0, 0, None) is None:
        message = "The $skip query option must be a non-negative integer."
        details.append(Detail("InvalidValue", message, "$skip"))
    if "subClass" in query and not set(_sub_classes(query["subClass"])) <= CLASS_OF.keys():
        message = "A valid iTwin SubClass was not specified in the query."
        details.append(Detail("InvalidValue", message, "subClass"))
    if "status" in query and query["status"] not in STATUSES:
        message = "Status value is incorrect. Valid values are Active, Inactive and Trial."
        details.append(Detail("InvalidValue", message, "status"))
    if "includeInactive" in query:
        if "status" in query:
            message = (
                "The includeInactive parameter should not be used at the same time as the status "
                "parameter."
            )
            details.append(Detail("InvalidParameter", message, "includeInactive"))
        elif query["includeInactive"].lower() not in {"true", "false"}:
            message = "The includeInactive parameter must be true or false."
            details.append(Detail("InvalidValue", message, "includeInactive"))
    return details


def _sub_classes(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _matches(call: Call) -> Callable[[ITwinRecord], bool]:
    query = call.query
    sub_classes = set(_sub_classes(query["subClass"])) if "subClass" in query else set(CLASS_OF)
    status, everything = query.get("status"), query.get("includeInactive", "").lower() == "true"
    search = query.get("$search", "").lower()
    exact = (
        ("type", "type"), ("displayName", "display_name"), ("number", "number"),
        ("parentId", "parent_id"), ("iTwinAccountId", "account_id"),
    )  # fmt: skip
    wanted = [(attribute, query[name].lower()) for name, attribute in exact if name in query]
    denied = call.world.lists_of(call.user.name).denied

    def matches(row: ITwinRecord) -> bool:
        if row.id in denied or row.sub_class not in sub_classes:
            return False
        if row.status != status if status else row.status == "Inactive" and not everything:
            return False
        if any((getattr(row, attribute) or "").lower() != text for attribute, text in wanted):
            return False
        return search in row.number.lower() or search in row.display_name.lower()

    return matches


def _list(
    call: Call, target: str, rows: Iterable[ITwinRecord], *, reach: int | None = None
) -> Answer:
    details = _check(call)
    if details:
        return errors.invalid_itwins("Cannot query iTwins.", details)
    query, style = call.query, call.style
    top, skip = int(query.get("$top", DEFAULT_TOP)), int(query.get("$skip", 0))
    found = list(filter(_matches(call), rows))[:reach]
    page = found[skip : skip + top]
    kept = "".join(f"&{name}={_plain(query[name])}" for name in _FILTERS if name in query)
    base = f"{style.origin or call.origin}{target}?$skip="

    def at(start: int) -> JsonObject | None:
        return link(f"{base}{start}&$top={top}{kept}")

    links: JsonObject = {"self": at(skip), "prev": None, "next": None}
    if skip or style.next_on_last_page:
        links["prev"] = at(max(skip - top, 0))
    if skip + top < len(found) or (style.next_on_last_page and page):
        links["next"] = at(skip + top)
    if not style.null_links:
        links = {name: href for name, href in links.items() if href is not None}
    items: list[Json] = [row.full() if call.full else row.minimal() for row in page]
    headers = {"Content-Type": JSON_TYPE}
    if reach is not None:
        headers["X-Max-Return"] = str(reach)
    return Answer(200, page_body("iTwins", items, links, style), headers)


def _plain(value: str) -> str:
    return quote(value, safe=",")
