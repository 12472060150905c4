"""What the world is made of, and how each thing looks on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    def from_json(cls, content: Mapping[str, object]) -> Extent:
        """Return the extent of its JSON form; ValueError if it is none or not on the Earth."""
        corners: list[float] = []
        for name in ("southWest", "northEast"):
            corner = content.get(name)
            for axis, bound in (("latitude", 90), ("longitude", 180)):
                degrees = corner.get(axis) if isinstance(corner, dict) else None
                if isinstance(degrees, bool) or not isinstance(degrees, (int, float)):
                    raise ValueError(f"extent.{name}.{axis} must be a number")  # noqa: TRY004 - one kind of error
                if abs(degrees) > bound:
                    raise ValueError(f"extent.{name}.{axis} must be from -{bound} to {bound}")
                corners.append(degrees)
        return cls(*corners)

    def json(self) -> JsonObject:
        """Return the extent as the iModels API writes it."""
        return {
            "southWest": {"latitude": self.south, "longitude": self.west},
            "northEast": {"latitude": self.north, "longitude": self.east},
        }


@attrs.frozen(kw_only=True)
class ITwinRecord:
    """An iTwin."""

    id: str
    display_name: str
    class_: str = "Endeavor"
    sub_class: str = "Project"
    type: str | None = None
    number: str
    status: str = "Active"
    geographic_location: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    iana_time_zone: str | None = None
    data_center_location: str = "East US"
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
        return {
            "id": self.id,
            "class": self.class_,
            "subClass": self.sub_class,
            "type": self.type,
            "number": self.number,
            "displayName": self.display_name,
        }

    def full(self) -> JsonObject:
        """Return the full representation."""
        return {
            **self.minimal(),
            "geographicLocation": self.geographic_location,
            "latitude": self.latitude,
            "longitude": self.longitude,
            "ianaTimeZone": self.iana_time_zone,
            "dataCenterLocation": self.data_center_location,
            "status": self.status,
            "parentId": self.parent_id,
            "iTwinAccountId": self.account_id,
            "imageName": self.image_name,
            "image": self.image,
            "createdDateTime": self.created,
            "createdBy": self.created_by,
            "lastModifiedDateTime": self.modified,
            "lastModifiedBy": self.modified_by,
        }


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
        links: JsonObject = {}
        if self.itwin_id is not None:
            links["iTwin"] = {"href": f"{origin}/iTwins/{self.itwin_id}"}
        if self.imodel_id is not None:
            links["imodel"] = {"href": f"{origin}/imodels/{self.imodel_id}"}
        if self.itwin_id is not None:
            members = f"{origin}/accesscontrol/iTwins/{self.itwin_id}/members"
            links["creator"] = {"href": f"{members}/{self.creator_id}"}
        return {"id": self.id, "displayName": self.display_name, "_links": links}
