"""A world as JSON, as `load` reads and `export` writes it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    from itwin_async.emulator.control.world import WorldControls
    from itwin_async.emulator.json_types import Json, JsonObject
    from itwin_async.emulator.world.state import World

T = TypeVar("T")

_Latitude: TypeAlias = Annotated[float, msgspec.Meta(ge=-90, le=90)] | None
_Longitude: TypeAlias = Annotated[float, msgspec.Meta(ge=-180, le=180)] | None
_Text: TypeAlias = str | None
_ITWIN: Mapping[str, tuple[str, object]] = {
    "id": ("id", _Text), "displayName": ("display_name", _Text), "subClass": ("sub_class", str),
    "status": ("status", str), "type": ("type", _Text), "number": ("number", _Text),
    "latitude": ("latitude", _Latitude), "longitude": ("longitude", _Longitude),
    "geographicLocation": ("geographic_location", _Text),
    "ianaTimeZone": ("iana_time_zone", _Text),
    "dataCenterLocation": ("data_center_location", str), "parentId": ("parent_id", _Text),
    "createdDateTime": ("created", datetime | None),
}  # fmt: skip
_IMODEL: Mapping[str, tuple[str, object]] = {
    "id": ("id", _Text), "displayName": ("display_name", _Text), "name": ("display_name", _Text),
    "description": ("description", _Text), "state": ("state", str),
    "extent": ("extent", dict[str, Any] | tuple[float, float, float, float] | None),
    "createdDateTime": ("created", datetime | None), "isSecured": ("is_secured", bool),
    "containersEnabled": ("containers_enabled", int),
    "lastChangesetPushDateTime": ("last_changeset", datetime | None),
}  # fmt: skip
_DERIVED = {
    "class", "iTwinAccountId", "image", "imageName", "createdBy", "lastModifiedDateTime",
    "lastModifiedBy", "imodels", "iModels", "_links", "iTwinId", "dataCenterLocation",
}  # fmt: skip


def load_world(controls: WorldControls, content: object) -> None:
    """
    Add to a world the content of a mapping.

    The mapping has `itwins`, a list of iTwins as on the wire, each with its `imodels`; and
    `favorites` and `recents`, by user name lists of ids or display names, the newest first.

    Raises:
        ValueError: a value is wrong; the message says where.

    """
    top = _mapping(content, "the world")
    unknown = sorted(set(top) - {"itwins", "iTwins", "favorites", "recents", "users"})
    if unknown:
        raise ValueError(f"the world has no member {unknown[0]!r}")
    names: dict[str, list[str]] = {}
    for index, item in enumerate(_list(top.get("itwins", top.get("iTwins", [])), "itwins")):
        where = f"itwins[{index}]"
        row = _mapping(item, where)
        itwin = _add(controls.add_itwin, _fields(row, _ITWIN, where), where)
        names.setdefault(itwin.display_name, []).append(itwin.id)
        imodels = _list(row.get("imodels", row.get("iModels", [])), f"{where}.imodels")
        for number, model in enumerate(imodels):
            at = f"{where}.imodels[{number}]"
            fields = _fields(_mapping(model, at), _IMODEL, at)
            imodel = _add(functools.partial(controls.add_imodel, itwin.id), fields, at)
            names.setdefault(imodel.name, []).append(imodel.id)
    for index, name in enumerate(_list(top.get("users", []), "users")):
        if not isinstance(name, str):
            raise ValueError(f"users[{index}] must be a name")  # noqa: TRY004 - one kind of error
        controls.add_user(name)
    for kind, act in (("favorites", controls.favorite), ("recents", controls.recent)):
        for user, ids in _mapping(top.get(kind, {}), kind).items():
            controls.add_user(user)
            where = f"{kind}.{user}"
            entities = _list(ids, where)
            for entity in reversed(entities) if kind == "recents" else entities:
                try:
                    act(user, _named(entity, names, where))
                except KeyError:
                    raise ValueError(f"{where} names {entity!r}, which is not there") from None


def _named(entity: object, names: Mapping[str, list[str]], where: str) -> str:
    found = names.get(str(entity), [str(entity)])
    if len(found) > 1:
        raise ValueError(f"{where} names {entity!r}, of which there are {len(found)}; give an id")
    return found[0]


def _add(add: Callable[..., T], fields: Mapping[str, object], where: str) -> T:
    try:
        return add(**fields)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def export_world(world: World) -> JsonObject:
    """Return a world as JSON that `load_world` takes."""
    itwins: list[Json] = []
    for itwin in world.itwins.values():
        imodels: list[Json] = []
        for record in world.imodels_of(itwin.id):
            row = record.full("")
            del row["_links"]
            imodels.append(row)
        itwins.append({**itwin.full(), "imodels": imodels})
    favorites: JsonObject = {}
    recents: JsonObject = {}
    for user in world.users:
        marked, used = world.favorites[user], world.recents[user]
        favorites[user] = [*marked.itwins, *marked.imodels]
        recents[user] = [*used.itwins, *used.imodels]
    users: list[Json] = list(world.users)
    return {"users": users, "itwins": itwins, "favorites": favorites, "recents": recents}


def _fields(
    row: Mapping[str, object], known: Mapping[str, tuple[str, object]], where: str
) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in row.items():
        if name in known:
            field, kind = known[name]
            try:
                found = msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                raise ValueError(f"{where}.{name}: {error}") from None
            # A moment is kept as it was written.
            fields[field] = value if isinstance(found, datetime) else found
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
