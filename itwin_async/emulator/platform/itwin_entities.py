"""The iTwins API: create, get, update and delete an iTwin, and its account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.bodies import check_text, invalid, number_or_none, text_or_none
from itwin_async.emulator.platform.itwins import find
from itwin_async.emulator.platform.paging import encode
from itwin_async.emulator.responses import JSON_TYPE, Answer, no_content
from itwin_async.emulator.world.generate import ACCOUNT
from itwin_async.emulator.world.records import CLASS_OF, STATUSES, ITwinRecord

if TYPE_CHECKING:
    from itwin_async.emulator.json_types import JsonObject
    from itwin_async.emulator.platform.calls import Call
    from itwin_async.emulator.platform.errors import Detail

_TEXTS = {
    "type": "type",
    "number": "number",
    "displayName": "display_name",
    "geographicLocation": "geographic_location",
    "ianaTimeZone": "iana_time_zone",
    "dataCenterLocation": "data_center_location",
    "status": "status",
    "parentId": "parent_id",
}
_NUMBERS = {"latitude": 90, "longitude": 180}
_NEVER_NULL = {"number", "displayName", "dataCenterLocation", "status"}


def get_itwin(call: Call) -> Answer:
    """Get an iTwin."""
    record = find(call)
    if record is None:
        return errors.not_found("iTwin")
    return _answer(call, 200, record.full() if call.full else record.minimal())


def create_itwin(call: Call) -> Answer:
    """Create an iTwin."""
    content = call.json()
    if content is None:
        return errors.invalid_itwins("Cannot create iTwin.", [errors.unparsable()])
    details = check_text(content, "class", required=True)
    details += check_text(content, "subClass", required=True)
    if not details and CLASS_OF.get(str(content["subClass"])) != content["class"]:
        details.append(invalid("subClass", content["subClass"]))
    details += check_text(content, "displayName", required=True)
    details += _check(content)
    if details:
        return errors.invalid_itwins("Cannot create iTwin.", details)
    world, now = call.world, call.clock.stamp(3)
    new_id = world.new_id()
    account = world.mint.guid(ACCOUNT, 0)
    record = ITwinRecord(
        id=new_id,
        display_name="",
        class_=str(content["class"]),
        sub_class=str(content["subClass"]),
        number=new_id,
        parent_id=account,
        account_id=account,
        created=now,
        created_by=call.user.id,
        modified=now,
        modified_by=call.user.id,
    )
    record = _changed(record, content)
    if _taken(call, record):
        return errors.exists("iTwin", "number")
    world.put_itwin(record)
    return _answer(call, 201, record.full())


def update_itwin(call: Call) -> Answer:
    """Change members of an iTwin."""
    record = find(call)
    if record is None:
        return errors.not_found("iTwin")
    content = call.json()
    if content is None:
        return errors.invalid_itwins("Cannot update iTwin.", [errors.unparsable()])
    details = _check(content)
    if "displayName" in content:
        details += check_text(content, "displayName", required=True)
    if details:
        return errors.invalid_itwins("Cannot update iTwin.", details)
    record = attrs.evolve(
        _changed(record, content), modified=call.clock.stamp(3), modified_by=call.user.id
    )
    if _taken(call, record):
        return errors.exists("iTwin", "number")
    call.world.put_itwin(record)
    return _answer(call, 200, record.full())


def delete_itwin(call: Call) -> Answer:
    """Delete an iTwin and its iModels."""
    record = find(call)
    if record is None:
        return errors.not_found("iTwin")
    call.world.drop_itwin(record.id)
    return no_content()


def get_primary_account(call: Call) -> Answer:
    """Get the account that the caller belongs to."""
    return _answer(call, 200, _account(call))


def get_account(call: Call) -> Answer:
    """Get the account that an iTwin belongs to."""
    if find(call) is None:
        return errors.not_found("iTwin")
    return _answer(call, 200, _account(call))


def _account(call: Call) -> JsonObject:
    return {
        "id": call.world.mint.guid(ACCOUNT, 0),
        "class": "Account",
        "subClass": "Account",
        "type": None,
        "number": "Example Corp.",
        "displayName": "Example Corp.",
    }


def _check(content: JsonObject) -> list[Detail]:
    details: list[Detail] = []
    for name in _TEXTS:
        if name != "displayName":
            details += check_text(content, name, nullable=name not in _NEVER_NULL)
    if isinstance(content.get("status"), str) and content["status"] not in STATUSES:
        details.append(invalid("status", content["status"]))
    for name, bound in _NUMBERS.items():
        if content.get(name) is None:
            continue
        value = number_or_none(content, name)
        if value is None or abs(value) > bound:
            details.append(invalid(name, content[name]))
    return details


def _changed(record: ITwinRecord, content: JsonObject) -> ITwinRecord:
    changes: dict[str, Any] = {}
    for name, attribute in _TEXTS.items():
        if name in content:
            changes[attribute] = text_or_none(content, name)
    for name in _NUMBERS:
        if name in content:
            changes[name] = number_or_none(content, name)
    return attrs.evolve(record, **changes)


def _taken(call: Call, record: ITwinRecord) -> bool:
    rows = call.world.itwins.values()
    return any(row.number == record.number and row.id != record.id for row in rows)


def _answer(call: Call, status: int, content: JsonObject) -> Answer:
    return Answer(status, encode({"iTwin": content}, call.style), {"Content-Type": JSON_TYPE})
