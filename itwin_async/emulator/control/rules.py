"""The rules that a world built by hand obeys: those of the operations."""

from __future__ import annotations

from typing import cast

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform.schemas import SCHEMAS, problems
from itwin_async.emulator.world.records import IModelRecord, ITwinRecord
from itwin_async.emulator.world.state import World


def check_itwin(world: World, itwin: ITwinRecord) -> None:
    """Raise ValueError for an iTwin that the platform would not create."""
    _check("iTwin", itwin.full())
    if world.number_taken(itwin):
        raise ValueError(f"number: {itwin.number!r} is the number of another iTwin")


def check_imodel(world: World, imodel: IModelRecord) -> None:
    """Raise ValueError for an iModel that the platform would not create."""
    _check("iModel", imodel.full(""))
    if world.name_taken(imodel):
        raise ValueError(f"name: {imodel.name!r} is the name of another iModel of the iTwin")


def _check(kind: str, content: JsonObject) -> None:
    for name in (kind, f"{kind}Create"):
        schema = cast("JsonObject", SCHEMAS[name])
        known = cast("JsonObject", schema["properties"])
        found = {member: value for member, value in content.items() if member in known}
        for problem in problems(found, schema):
            raise ValueError(str(problem))
