"""The iModels API: favorites, recents and the iModels themselves."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING
from urllib.parse import quote

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.paging import (
    DEFAULT_TOP,
    MAX_TOP,
    START,
    link,
    page_body,
    read_token,
    whole_number,
    write_token,
)
from itwin_async.emulator.responses import JSON_TYPE, Answer, no_content
from itwin_async.emulator.world.ids import is_guid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from itwin_async.emulator.json_types import Json, JsonObject
    from itwin_async.emulator.platform.calls import Call
    from itwin_async.emulator.requests import Query
    from itwin_async.emulator.world.records import IModelRecord
    from itwin_async.emulator.world.tables import Shelf

_CANNOT_GET = "Cannot get iModels."
_TOKEN = "$continuationToken"  # noqa: S105 - the name of a parameter


def list_favorites(call: Call) -> Answer:
    """Get my favorite iModels."""
    refusal = _check_list(call)
    if refusal is not None:
        return refusal
    itwin_id = call.query["iTwinId"].lower()
    shelf = call.world.shelves[itwin_id]
    rows = call.world.marks_of(call.user.name, itwin_id).positions(shelf)
    return _page(call, "/imodels/favorites?iTwinId=", shelf, _visible(call, shelf, rows))


def list_imodels(call: Call) -> Answer:
    """Get the iModels of an iTwin."""
    refusal = _check_list(call)
    if refusal is not None:
        return refusal
    shelf = call.world.shelves[call.query["iTwinId"].lower()]
    rows = _filtered(call, shelf, _visible(call, shelf, shelf.positions()))
    return _page(call, "/imodels?itwinId=", shelf, rows)


def list_recents(call: Call) -> Answer:
    """Get my recently used iModels."""
    refusal = _check_list(call)
    if refusal is not None:
        return refusal
    world, itwin_id = call.world, call.query["iTwinId"].lower()
    places = [world.place_of(item) for item in world.lists_of(call.user.name).recent_imodels]
    rows = [place[1] for place in places if place is not None and place[0] == itwin_id]
    shelf = world.shelves[itwin_id]
    return _page(call, "/imodels/recents?iTwinId=", shelf, _visible(call, shelf, rows))


def add_favorite(call: Call) -> Answer:
    """Add an iModel to my favorites."""
    return _mark(call, lambda item: call.world.favorite(call.user.name, item))


def remove_favorite(call: Call) -> Answer:
    """Remove an iModel from my favorites."""
    return _mark(call, lambda item: call.world.favorite(call.user.name, item, on=False))


def add_recent(call: Call) -> Answer:
    """Add an iModel to my recently used ones."""
    return _mark(call, lambda item: call.world.recent(call.user.name, item))


def remove_recent(call: Call) -> Answer:
    """Remove an iModel from my recently used ones."""

    def remove(item: str) -> None:
        recents = call.world.lists_of(call.user.name).recent_imodels
        if item in recents:
            recents.remove(item)
            call.world.version += 1

    return _mark(call, remove)


def find(call: Call) -> IModelRecord | None:
    """Return the iModel that a path names, when the caller may see it."""
    record = call.world.imodel(call.params["id"].lower())
    if record is None or not call.world.may_see(call.user.name, record.id, record.itwin_id):
        return None
    return record


def _mark(call: Call, change: Callable[[str], None]) -> Answer:
    record = find(call)
    if record is None:
        return errors.not_found("iModel")
    change(record.id)
    return no_content()


def _visible(call: Call, shelf: Shelf, rows: Sequence[int]) -> Sequence[int]:
    denied = call.world.lists_of(call.user.name).denied
    if not denied:
        return rows
    return [row for row in rows if shelf.at(row).id not in denied]


def _check_list(call: Call) -> Answer | None:
    query = call.query
    details = [*_check_window(call), *_check_filters(query)]
    itwin_id = query.get("iTwinId")
    if itwin_id is None:
        message = "Required parameter is missing."
        details.insert(0, Detail("MissingRequiredParameter", message, "iTwinId"))
    elif not is_guid(itwin_id):
        details.insert(0, _invalid(itwin_id, "iTwinId"))
    if details or itwin_id is None:
        return errors.invalid_imodels(_CANNOT_GET, details)
    wanted = itwin_id.lower()
    if wanted not in call.world.itwins or not call.world.may_see(call.user.name, wanted):
        return errors.not_found("iTwin")
    return None


def _check_window(call: Call) -> list[Detail]:
    query, details = call.query, list[Detail]()
    if whole_number(query, "$top", DEFAULT_TOP, 1, MAX_TOP) is None:
        details.append(_invalid(query["$top"], "$top"))
    if whole_number(query, "$skip", 0, 0, None) is None:
        details.append(_invalid(query["$skip"], "$skip"))
    if _TOKEN in query:
        token = query[_TOKEN]
        if "$skip" in query:
            message = f"Parameters '$skip' and '{_TOKEN}' are mutually exclusive."
            details.append(Detail("MutuallyExclusiveParametersProvided", message, _TOKEN))
        if token and read_token(token, call.style) is None:
            details.append(_invalid(token, _TOKEN))
    return details


def _check_filters(query: Query) -> list[Detail]:
    details: list[Detail] = []
    if query.get("state", "initialized") not in {"initialized", "notInitialized"}:
        details.append(_invalid(query["state"], "state"))
    if "$orderBy" in query and _order(query["$orderBy"]) is None:
        details.append(_invalid(query["$orderBy"], "$orderBy"))
    return details


def _invalid(value: str, target: str) -> Detail:
    return Detail("InvalidValue", f"'{value}' is not a valid '{target}' value.", target)


def _order(text: str) -> list[tuple[str, bool]] | None:
    found: list[tuple[str, bool]] = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        if name not in {"name", "createdDateTime"} or direction.lower() not in {"", "asc", "desc"}:
            return None
        found.append((name, direction.lower() == "desc"))
    return found


def _filtered(call: Call, shelf: Shelf, rows: Sequence[int]) -> Sequence[int]:
    query = call.query
    name, search, state = query.get("name"), query.get("$search"), query.get("state")
    if name is not None or search is not None or state is not None:
        wanted = (search or "").lower()

        def matches(record: IModelRecord) -> bool:
            if name not in {None, record.name} or state not in {None, record.state}:
                return False
            return wanted in record.name.lower() or wanted in (record.description or "").lower()

        rows = [row for row in rows if matches(shelf.at(row))]
    for column, descending in reversed(
        _order(query["$orderBy"]) or [] if "$orderBy" in query else []
    ):
        attribute = {"name": "name", "createdDateTime": "created"}[column]
        rows = sorted(rows, key=lambda row: getattr(shelf.at(row), attribute), reverse=descending)
    return rows


def _kept(call: Call) -> str:
    names = [name for name in ("name", "$search", "state", "$orderBy") if name in call.query]
    return "".join(f"&{name}={quote(call.query[name], safe='')}" for name in names)


def _in_order(call: Call) -> bool:
    return "$orderBy" not in call.query and not call.path.lower().startswith("/imodels/recents")


def _start(call: Call, rows: Sequence[int], last: str) -> int | None:
    if last == START:
        return 0
    place = call.world.place_of(last, gone=True)
    if place is None or place[0] != call.query["iTwinId"].lower():
        return None
    if _in_order(call):
        return bisect_right(rows, place[1])
    return rows.index(place[1]) + 1 if place[1] in rows else None


def _page(call: Call, target: str, shelf: Shelf, rows: Sequence[int]) -> Answer:
    query, style = call.query, call.style
    top = int(query.get("$top", DEFAULT_TOP))
    origin = style.origin or call.origin
    base = f"{origin}{target}{query['iTwinId'].lower()}"
    links: JsonObject = {}
    if _TOKEN in query:
        last = (read_token(query[_TOKEN], style) or START) if query[_TOKEN] else START
        start = _start(call, rows, last)
        if start is None:
            return errors.invalid_imodels(_CANNOT_GET, [_invalid(query[_TOKEN], _TOKEN)])
        base += f"&$top={top}{_kept(call)}&{_TOKEN}="
        links["self"] = link(base + write_token(last, style))
        if style.null_links:
            links["prev"] = None
    else:
        start = int(query.get("$skip", 0))
        base += f"&$top={top}{_kept(call)}&$skip="
        links["self"] = link(f"{base}{start}")
        links["prev"] = link(f"{base}{max(start - top, 0)}") if start else None
    page = [shelf.at(row) for row in rows[start : start + top]]
    links["next"] = None
    if start + top < len(rows) or (style.next_on_last_page and page):
        by_token = _TOKEN in query
        links["next"] = link(
            base + (write_token(page[-1].id, style) if by_token else f"{start + top}")
        )
    if style.null_links is False:
        links = {name: href for name, href in links.items() if href is not None}
    items: list[Json] = [row.full(origin) if call.full else row.minimal() for row in page]
    return Answer(200, page_body("iModels", items, links, style), {"Content-Type": JSON_TYPE})
