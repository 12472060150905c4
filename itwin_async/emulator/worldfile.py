"""
A world as JSON: what `load` reads and `export` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from itwin_async.emulator.build import WorldBuilding
    from itwin_async.emulator.records import Json, JsonObject
    from itwin_async.emulator.state import World

_ITWIN = {
    "id": "id", "displayName": "display_name", "subClass": "sub_class", "status": "status",
    "type": "type", "number": "number", "latitude": "latitude", "longitude": "longitude",
    "geographicLocation": "geographic_location", "ianaTimeZone": "iana_time_zone",
    "dataCenterLocation": "data_center_location", "parentId": "parent_id",
    "createdDateTime": "created",
}  # fmt: skip
_IMODEL = {
    "id": "id", "displayName": "display_name", "name": "display_name",
    "description": "description", "extent": "extent", "state": "state",
    "createdDateTime": "created", "isSecured": "is_secured",
    "containersEnabled": "containers_enabled", "lastChangesetPushDateTime": "last_changeset",
}  # fmt: skip
_DERIVED = {
    "class", "iTwinAccountId", "image", "imageName", "createdBy", "lastModifiedDateTime",
    "lastModifiedBy", "imodels", "iModels", "_links", "iTwinId", "dataCenterLocation",
}  # fmt: skip


def load_world(builder: WorldBuilding, content: object) -> None:
    """
    Add to a world what a mapping says.

    The mapping has `itwins`, a list of iTwins as on the wire, each with its `imodels`; and
    `favorites` and `recents`, by user name lists of ids or display names, the newest first.

    Raises:
        ValueError: something is not as it should be; the message names the place.

    """
    top = _mapping(content, "the world")
    unknown = sorted(set(top) - {"itwins", "iTwins", "favorites", "recents", "users"})
    if unknown:
        raise ValueError(f"the world has no member {unknown[0]!r}")
    names: dict[str, str] = {}
    for index, item in enumerate(_list(top.get("itwins", top.get("iTwins", [])), "itwins")):
        where = f"itwins[{index}]"
        row = _mapping(item, where)
        itwin = builder.add_itwin(**_fields(row, _ITWIN, where))  # type: ignore[arg-type]
        names[itwin.display_name] = itwin.id
        imodels = _list(row.get("imodels", row.get("iModels", [])), f"{where}.imodels")
        for number, model in enumerate(imodels):
            place = f"{where}.imodels[{number}]"
            fields = _fields(_mapping(model, place), _IMODEL, place)
            imodel = builder.add_imodel(itwin.id, **fields)  # type: ignore[arg-type]
            names[imodel.name] = imodel.id
    for index, name in enumerate(_list(top.get("users", []), "users")):
        if not isinstance(name, str):
            raise ValueError(f"users[{index}] must be a name")  # noqa: TRY004 - one kind of error
        builder.add_user(name)
    for kind, act in (("favorites", builder.favorite), ("recents", builder.recent)):
        for user, ids in _mapping(top.get(kind, {}), kind).items():
            entities = [names.get(str(item), str(item)) for item in _list(ids, f"{kind}.{user}")]
            try:
                act(user, *(reversed(entities) if kind == "recents" else entities))
            except KeyError as error:
                raise ValueError(f"{kind}.{user} names {error}, which is not there") from None


def export_world(world: World) -> JsonObject:
    """
    Return a world as a mapping that `load_world` takes.
    """
    itwins: list[Json] = []
    for itwin in world.itwins.values():
        imodels: list[Json] = []
        for record in world.shelves[itwin.id]:
            row = record.full("")
            del row["_links"]
            imodels.append(row)
        itwins.append({**itwin.full(), "imodels": imodels})
    favorites: JsonObject = {}
    recents: JsonObject = {}
    for user in world.users:
        marks, used = world.favorites[user], world.recents[user]
        favorites[user] = [*marks.itwins, *marks.imodels]
        recents[user] = [*used.itwins, *used.imodels]
    users: list[Json] = list(world.users)
    return {"users": users, "itwins": itwins, "favorites": favorites, "recents": recents}


def _fields(row: Mapping[str, object], known: Mapping[str, str], where: str) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in row.items():
        if name in known:
            fields[known[name]] = value
        elif name not in _DERIVED:
            raise ValueError(f"{where} has no member {name!r}")
    return fields


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be an object")  # noqa: TRY004 - one kind of error
    return cast("Mapping[str, object]", value)


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list")  # noqa: TRY004 - one kind of error
    return cast("list[object]", value)
