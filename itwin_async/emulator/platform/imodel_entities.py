"""The iModels API: create, get, update and delete an iModel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.bodies import (
    check_text,
    invalid,
    missing,
    read_extent,
    text_or_none,
)
from itwin_async.emulator.platform.imodels import find
from itwin_async.emulator.platform.paging import encode
from itwin_async.emulator.responses import JSON_TYPE, Answer, no_content
from itwin_async.emulator.world.ids import is_guid
from itwin_async.emulator.world.records import IModelRecord

if TYPE_CHECKING:
    from itwin_async.emulator.json_types import JsonObject
    from itwin_async.emulator.platform.calls import Call
    from itwin_async.emulator.platform.errors import Detail

_CREATION_MODES = ["empty", "fromiModelVersion", "fromBaseline"]


def get_imodel(call: Call) -> Answer:
    """Get an iModel; always the full one."""
    record = find(call)
    return errors.not_found("iModel") if record is None else _answer(call, 200, record)


def create_imodel(call: Call) -> Answer:
    """Create an iModel that is empty and ready at once."""
    content = call.json()
    if content is None:
        details = [missing("iTwinId"), missing("name"), errors.unparsable()]
        return errors.invalid_imodels("Cannot create iModel.", details)
    details = check_text(content, "iTwinId", required=True)
    details += check_text(content, "name", required=True)
    details += _check(content)
    if content.get("creationMode", "empty") not in _CREATION_MODES:
        details.append(invalid("creationMode", content["creationMode"]))
    itwin_id = (text_or_none(content, "iTwinId") or "").lower()
    if itwin_id and not is_guid(itwin_id):
        details.append(invalid("iTwinId", content["iTwinId"]))
    if details:
        return errors.invalid_imodels("Cannot create iModel.", details)
    world, name = call.world, text_or_none(content, "name") or ""
    itwin = world.itwins.get(itwin_id)
    if itwin is None or not world.may_see(call.user.name, itwin_id):
        return errors.not_found("iTwin")
    if any(record.name == name for record in world.shelves[itwin_id]):
        return errors.exists("iModel", "name")
    record = IModelRecord(
        id=world.new_id(),
        itwin_id=itwin_id,
        name=name,
        description=text_or_none(content, "description"),
        data_center_location=itwin.data_center_location,
        created=call.clock.stamp(),
        creator_id=call.user.id,
        extent=read_extent(content.get("extent")),
        containers_enabled=_flags(content) or 0,
    )
    world.put_imodel(record)
    return _answer(call, 201, record, created=True)


def update_imodel(call: Call) -> Answer:
    """Change the name, description or extent of an iModel."""
    record = find(call)
    if record is None:
        return errors.not_found("iModel")
    content = call.json()
    if content is None:
        return errors.invalid_imodels("Cannot update iModel.", [errors.unparsable()])
    details = _check(content)
    if "name" in content:
        details += check_text(content, "name", required=True)
    if not content.keys() & {"name", "description", "extent", "containersEnabled"}:
        details.append(missing("name"))
    if details:
        return errors.invalid_imodels("Cannot update iModel.", details)
    name = text_or_none(content, "name") or record.name
    shelf = call.world.shelves[record.itwin_id]
    if name != record.name and any(other.name == name for other in shelf):
        return errors.exists("iModel", "name")
    record = attrs.evolve(record, name=name)
    if "description" in content:
        record = attrs.evolve(record, description=text_or_none(content, "description"))
    if "extent" in content:
        record = attrs.evolve(record, extent=read_extent(content["extent"]))
    if "containersEnabled" in content:
        record = attrs.evolve(record, containers_enabled=_flags(content) or 0)
    call.world.put_imodel(record)
    return _answer(call, 200, record)


def delete_imodel(call: Call) -> Answer:
    """Delete an iModel."""
    record = find(call)
    if record is None:
        return errors.not_found("iModel")
    call.world.drop_imodel(record.id)
    return no_content()


def _check(content: JsonObject) -> list[Detail]:
    details = check_text(content, "description")
    if "containersEnabled" in content and _flags(content) is None:
        details.append(invalid("containersEnabled", content["containersEnabled"]))
    try:
        read_extent(content.get("extent"))
    except ValueError:
        details.append(invalid("extent", "extent"))
    return details


def _flags(content: JsonObject) -> int | None:
    value = content.get("containersEnabled")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 7:  # noqa: PLR2004 - three flags
        return value
    return None


def _answer(call: Call, status: int, record: IModelRecord, *, created: bool = False) -> Answer:
    content = record.full(call.style.origin or call.origin)
    if created:
        links = content["_links"]
        content["_links"] = {
            **(links if isinstance(links, dict) else {}),
            "upload": None,
            "complete": None,
        }
    return Answer(status, encode({"iModel": content}, call.style), {"Content-Type": JSON_TYPE})
