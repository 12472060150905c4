"""What the world is made of, and how each thing looks on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import attrs

from itwin_async.emulator.json_types import JsonObject

CLASS_OF = {
    "Account": "Account",
    "Asset": "Thing",
    "Portfolio": "Thing",
    "Program": "Endeavor",
    "Project": "Endeavor",
    "WorkPackage": "Endeavor",
}
STATUSES = ("Active", "Inactive", "Trial")
_MEMBERS = {
    "class_": "class",
    "itwin_id": "iTwinId",
    "imodel_id": "iModelId",
    "account_id": "iTwinAccountId",
    "created": "createdDateTime",
    "modified": "lastModifiedDateTime",
    "modified_by": "lastModifiedBy",
    "last_changeset": "lastChangesetPushDateTime",
}
_KINDS: dict[object, Mapping[str, str]] = {}


def members(kind: type[attrs.AttrsInstance]) -> Mapping[str, str]:
    """Return, by member on the wire, the attributes of a kind of records."""
    found = _KINDS.get(kind)
    if found is None:
        names = [field.name for field in attrs.fields(kind)]
        found = _KINDS[kind] = {_member(name): name for name in names}
    return found


def _member(attribute: str) -> str:
    first, *rest = attribute.split("_")
    return _MEMBERS.get(attribute, first + "".join(map(str.capitalize, rest)))


@attrs.frozen
class UserRecord:
    """
    A person or a service that may call.

    Args:
        name: its name in tests.
        id: its GUID.
        email: its address, also its display name.

    """

    name: str
    id: str
    email: str


@attrs.frozen
class Extent:
    """A rectangle on the Earth, in degrees."""

    south: float
    west: float
    north: float
    east: float

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Extent:
        """Return the extent of its JSON form; ValueError if it is none."""
        try:
            corners = [content["southWest"], content["northEast"]]
            south, west, north, east = (
                float(corner[axis]) for corner in corners for axis in ("latitude", "longitude")
            )
        except (KeyError, TypeError):
            message = "extent must have southWest and northEast, each with latitude and longitude"
            raise ValueError(message) from None
        return cls(south, west, north, east)

    def json(self) -> JsonObject:
        """Return the extent as the iModels API writes it."""
        return {
            "southWest": {"latitude": self.south, "longitude": self.west},
            "northEast": {"latitude": self.north, "longitude": self.east},
        }


@attrs.frozen(kw_only=True)
class ITwinRecord:
    """An iTwin; the order of its attributes is that on the wire."""

    id: str
    class_: str = "Endeavor"
    sub_class: str = "Project"
    type: str | None = None
    number: str
    display_name: str
    geographic_location: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    iana_time_zone: str | None = None
    data_center_location: str = "East US"
    status: str = "Active"
    parent_id: str | None = None
    account_id: str
    image_name: str | None = None
    image: str | None = None
    created: str
    created_by: str
    modified: str | None = None
    modified_by: str | None = None

    def minimal(self) -> JsonObject:
        """Return the six members of the summary."""
        summary = islice(members(ITwinRecord).items(), 6)
        return {name: getattr(self, attribute) for name, attribute in summary}

    def full(self) -> JsonObject:
        """Return the full representation."""
        return {name: getattr(self, attribute) for name, attribute in members(ITwinRecord).items()}


@attrs.frozen(kw_only=True)
class IModelRecord:
    """An iModel."""

    id: str
    itwin_id: str
    name: str
    description: str | None = None
    state: str = "initialized"
    data_center_location: str = "East US"
    created: str
    last_changeset: str | None = None
    creator_id: str
    is_secured: bool = False
    extent: Extent | None = None
    containers_enabled: int = 0

    @property
    def display_name(self) -> str:
        """The display name, which equals the name."""
        return self.name

    def minimal(self) -> JsonObject:
        """Return the three members of the summary."""
        return {
            "id": self.id,
            "displayName": self.name,
            "dataCenterLocation": self.data_center_location,
        }

    def full(self, origin: str) -> JsonObject:
        """Return the full representation, with links to an origin (scheme and host)."""
        here = f"{origin}/imodels/{self.id}"
        return {
            **self.minimal(),
            "name": self.name,
            "description": self.description,
            "state": self.state,
            "createdDateTime": self.created,
            "lastChangesetPushDateTime": self.last_changeset,
            "iTwinId": self.itwin_id,
            "isSecured": self.is_secured,
            "extent": None if self.extent is None else self.extent.json(),
            "containersEnabled": self.containers_enabled,
            "_links": {
                "creator": {"href": f"{here}/users/{self.creator_id}"},
                "changesets": {"href": f"{here}/changesets"},
                "namedVersions": {"href": f"{here}/namedversions"},
            },
        }


@attrs.frozen(kw_only=True)
class TagRecord:
    """A tag for saved views."""

    id: str
    display_name: str
    itwin_id: str | None = None
    imodel_id: str | None = None
    creator_id: str

    def full(self, origin: str) -> JsonObject:
        """Return the tag, with links to an origin (scheme and host)."""
        links = owner_links(origin, self.itwin_id, self.imodel_id, self.creator_id)
        return {"id": self.id, "displayName": self.display_name, "_links": links}


def owner_links(
    origin: str, itwin_id: str | None, imodel_id: str | None, creator_id: str
) -> JsonObject:
    """Return the links of what the Saved Views API keeps for an iTwin or iModel."""
    links: JsonObject = {}
    if itwin_id is not None:
        links["iTwin"] = {"href": f"{origin}/iTwins/{itwin_id}"}
    if imodel_id is not None:
        links["imodel"] = {"href": f"{origin}/imodels/{imodel_id}"}
    if itwin_id is not None:
        members = f"{origin}/accesscontrol/iTwins/{itwin_id}/members"
        links["creator"] = {"href": f"{members}/{creator_id}"}
    return links
