"""A world as JSON, as `load` reads and `export` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar, cast

import attrs
import msgspec

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.control.rules import check_imodel, check_itwin
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.schemas import (
    GUID,
    SCHEMAS,
    TEXT,
    TEXT_OR_NULL,
    arrays,
    each,
    objects,
    problems,
)
from itwin_async.emulator.world.factories import new_imodel, new_itwin
from itwin_async.emulator.world.records import (
    CLASS_OF,
    Extent,
    IModelRecord,
    ITwinRecord,
    TagRecord,
    members,
)
from itwin_async.emulator.world.state import World

R = TypeVar("R", bound="attrs.AttrsInstance")

_PIECE = 500
_PERSON = objects({"name": {**TEXT, "minLength": 1}, "id": GUID, "email": TEXT}, "name")
_TAG = objects(
    {**each(TEXT, "id displayName creatorId"), **each(TEXT_OR_NULL, "iTwinId iModelId")},
    "id",
    "displayName",
)
_BELONGINGS: JsonObject = {
    "type": "object",
    "additionalProperties": {"type": "object", "additionalProperties": arrays({})},
}
_LISTS: JsonObject = {"type": "object", "additionalProperties": arrays(TEXT)}


def _properties(name: str) -> JsonObject:
    return cast("Mapping[str, JsonObject]", SCHEMAS)[name]["properties"]  # type: ignore[return-value]


def load_world(world: World, clock: EmulatorClock, content: object) -> None:
    """
    Add to a world the content of a mapping.

    The mapping has `itwins`, a list of iTwins as on the wire, each with its `imodels`; `favorites`,
    `recents` and `denied`, by user name lists of ids or display names, the newest first; `users`,
    names or objects with name, id and email; `tags`; and `belongings`, everything else, as an
    export writes it.

    Raises:
        ValueError: a value is wrong; the message says where.

    """
    top: Any = dict(content) if isinstance(content, Mapping) else content
    top = msgspec.to_builtins(top)
    imodels = arrays(objects(_properties("iModel")))
    itwin_properties = {**_properties("iTwin"), "imodels": imodels, "iModels": imodels}
    itwins = arrays(objects(itwin_properties))
    users: JsonObject = {"users": arrays({}), **each(_LISTS, "favorites recents denied")}
    rest: JsonObject = {
        "itwins": itwins,
        "iTwins": itwins,
        "tags": arrays(_TAG),
        "belongings": _BELONGINGS,
    }
    for problem in problems(top, objects({**users, **rest})):
        raise ValueError(str(problem))
    for index, person in enumerate(top.get("users", [])):
        world.user(**_person(person, f"users[{index}]"))
    ids: dict[str, list[str]] = {}
    for index, row in enumerate(top.get("itwins", top.get("iTwins", []))):
        for name, entity_id in _add_itwin(world, clock, row, f"itwins[{index}]"):
            ids.setdefault(name, []).append(entity_id)
    _load_lists(world, top, ids)
    for row in top.get("tags", []):
        tag = _with(TagRecord(id="", display_name="", creator_id=""), row)
        world.tags[tag.id] = tag
    world.belongings.load(top.get("belongings", {}))


def _load_lists(world: World, top: Mapping[str, Any], ids: Mapping[str, list[str]]) -> None:
    def named(member: str) -> Iterator[tuple[str, list[str]]]:
        for user, names in top.get(member, {}).items():
            where = f"{member}.{world.user(user).name}"
            yield user, [_id_of(world, name, ids, where) for name in names]

    for user, favorites in named("favorites"):
        for entity_id in favorites:
            world.favorite(user, entity_id)
    for user, recents in named("recents"):
        for entity_id in reversed(recents):
            world.recent(user, entity_id)
    for user, denied in named("denied"):
        world.lists_of(user).denied.update(denied)


def add_imodel(
    world: World, clock: EmulatorClock, content: JsonObject, *, front: bool
) -> IModelRecord:
    """Add an iModel as on the wire to its iTwin; ValueError or KeyError if it cannot be added."""
    for problem in problems(content, objects(_properties("iModel"), "iTwinId")):
        raise ValueError(str(problem))
    itwin = world.itwins[str(content["iTwinId"]).lower()]
    imodel = _imodel(world, clock, itwin, dict(content))
    check_imodel(world, imodel)
    world.put_imodel(imodel, front=front)
    return imodel


def export_chunks(world: World) -> Iterator[bytes]:
    """Yield a world as a JSON text that `load_world` takes, piece by piece."""
    users = [attrs.asdict(user) for user in world.users.values()]
    yield b'{"users":' + msgspec.json.encode(users) + b',"itwins":['
    for number, itwin in enumerate(world.itwins.values()):
        start = msgspec.json.encode(itwin.full())[:-1]
        yield (b"," if number else b"") + start + b',"imodels":['
        yield from _joined(map(_exported, world.imodels_of(itwin.id)))
        yield b"]}"
    yield b'],"favorites":{'
    for number, user in enumerate(world.users):
        yield (b"," if number else b"") + msgspec.json.encode(user) + b":["
        listed = world.lists_of(user).favorite_itwins
        itwins = (itwin_id for itwin_id in world.itwins if itwin_id in listed)
        yield from _joined(chain(itwins, world.favorite_imodels(user)))
        yield b"]"
    used = {user: world.recents[user] for user in world.users}
    recents = {user: [*lists.itwins, *lists.imodels] for user, lists in used.items()}
    denied = {
        user: sorted(filter(partial(_knows, world), world.lists_of(user).denied))
        for user in world.users
    }
    tags = [_members_of(tag) for tag in world.tags.values()]
    belongings = world.belongings.export()
    rest = {"recents": recents, "denied": denied, "tags": tags, "belongings": belongings}
    yield b"}," + msgspec.json.encode(rest)[1:]


def _joined(rows: Iterable[Json]) -> Iterator[bytes]:
    """Yield the items of a JSON array without its brackets, many in each piece."""
    rows, comma = iter(rows), b""
    while piece := list(islice(rows, _PIECE)):
        yield comma + msgspec.json.encode(piece)[1:-1]
        comma = b","


def _members_of(tag: TagRecord) -> JsonObject:
    return {name: getattr(tag, attribute) for name, attribute in members(TagRecord).items()}


def _person(content: object, where: str) -> dict[str, str]:
    """Return the name of a user, and the id and address where they are given."""
    person: Any = {"name": content} if isinstance(content, str) else content
    for problem in problems(person, _PERSON):
        raise ValueError(f"{where}: {problem}")
    return cast("dict[str, str]", person)


def _exported(imodel: IModelRecord) -> JsonObject:
    row = imodel.full("")
    del row["_links"]
    return row


def _add_itwin(
    world: World, clock: EmulatorClock, row: dict[str, Any], where: str
) -> Iterator[tuple[str, str]]:
    """Add an iTwin and its iModels, and yield their names and ids."""
    imodels = row.pop("imodels", row.pop("iModels", []))
    if "subClass" in row:
        row["class"] = CLASS_OF[row["subClass"]]
    with _at(where):
        itwin = _with(new_itwin(world, clock, itwin_id=row.pop("id", None)), row)
        check_itwin(world, itwin)
    world.put_itwin(itwin)
    yield itwin.display_name, itwin.id
    for number, content in enumerate(imodels):
        with _at(f"{where}.imodels[{number}]"):
            imodel = _imodel(world, clock, itwin, content)
            check_imodel(world, imodel)
        world.put_imodel(imodel)
        yield imodel.name, imodel.id


def _imodel(
    world: World, clock: EmulatorClock, itwin: ITwinRecord, row: dict[str, Any]
) -> IModelRecord:
    name = row.pop("name", None) or row.pop("displayName", None)
    imodel = new_imodel(world, clock, itwin.id, name, row.pop("id", None))
    if row.get("extent") is not None:
        row["extent"] = Extent.from_json(row["extent"])
    return _with(
        imodel, {**row, "iTwinId": itwin.id, "dataCenterLocation": itwin.data_center_location}
    )


@contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _with(record: R, row: Mapping[str, Any]) -> R:
    attributes = members(type(record))
    changes = {attributes[name]: value for name, value in row.items() if name in attributes}
    return attrs.evolve(record, **changes)  # type: ignore[misc] # records are attrs classes


def _id_of(world: World, name: str, ids: Mapping[str, list[str]], where: str) -> str:
    found = ids.get(name, [name])
    if len(found) > 1:
        raise ValueError(f"{where}: {name!r} is the name of {len(found)} entities; give an id")
    if not _knows(world, found[0]):
        raise ValueError(f"{where}: {name!r} is unknown")
    return found[0]


def _knows(world: World, entity_id: str) -> bool:
    return entity_id in world.itwins or world.locate(entity_id) is not None
