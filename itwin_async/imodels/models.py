"""What the iModels API tells about an iModel, and what several of its resources share."""

from __future__ import annotations

from datetime import datetime

import attrs

from itwin_async._json.geojson import feature, point, rectangle
from itwin_async._json.model import model
from itwin_async.models import Link


@model
class Point:
    """A point on the Earth, in degrees (WGS 84)."""

    latitude: float
    longitude: float

    @property
    def __geo_interface__(self) -> dict[str, object]:
        """The point as GeoJSON geometry; an empty one where it is none on the Earth."""
        return point(self.longitude, self.latitude) or {"type": "Point", "coordinates": ()}


@model
class Extent:
    """The rectangle on the Earth that encloses an iModel."""

    south_west: Point
    north_east: Point

    @property
    def __geo_interface__(self) -> dict[str, object]:
        """
        The rectangle as GeoJSON geometry; one that crosses the antimeridian becomes two.

        An empty one where it is none on the Earth.
        """
        return self._geometry or {"type": "Polygon", "coordinates": ()}

    @property
    def _geometry(self) -> dict[str, object] | None:
        low, high = self.south_west, self.north_east
        return rectangle(low.longitude, low.latitude, high.longitude, high.latitude)


@model
class StorageLink:
    """
    Signed address of a file, good for minutes to an hour; no token must be sent there.

    Attributes:
        href: the address; a secret, and so not shown.
        storage_type: ``"azure"`` or ``"google"``; open set.

    """

    href: str | None = attrs.field(default=None, repr=False)
    storage_type: str | None = None


@model
class Application:
    """The application that made something."""

    id: str | None = None
    name: str | None = None


@model
class IModelLinks:
    """
    Addresses of what belongs to an iModel; the platform may leave out any of them.

    Attributes:
        creator: the user who made it.
        changesets: its changesets.
        named_versions: its named versions.
        upload: where its baseline file is sent; only after ``create_imodel`` from such a file.
        complete: what ``complete_baseline_file`` calls afterwards.

    """

    creator: Link | None = None
    changesets: Link | None = None
    named_versions: Link | None = None
    upload: StorageLink | None = None
    complete: Link | None = None


@model
class IModelSummary:
    """
    An iModel as lists with ``prefer="minimal"`` give it.

    Only ``id`` is sure to be there; the platform may leave out the rest.

    Attributes:
        id: GUID of the iModel.
        display_name: name to show.
        data_center_location: where the data is kept, for instance ``"North Europe"``; open set.

    """

    id: str
    display_name: str | None = None
    data_center_location: str | None = None


@model
class IModel(IModelSummary):
    """
    An iModel as lists with ``prefer="representation"`` give it.

    Attributes:
        name: name, unique in the iTwin.
        description: free text.
        state: ``"initialized"`` or ``"notInitialized"``; open set.
        created_date_time: when it was created; always with a time zone.
        last_changeset_push_date_time: when the last changeset was pushed; newer than the documented
            schema, often absent.
        itwin_id: GUID of the iTwin that it belongs to.
        is_secured: whether permissions are set on the iModel itself.
        extent: where on the Earth it lies.
        containers_enabled: bit set, technology preview.
        links: addresses of what belongs to it.

    """

    name: str | None = None
    description: str | None = None
    state: str | None = None
    created_date_time: datetime | None = None
    last_changeset_push_date_time: datetime | None = None
    itwin_id: str | None = None
    is_secured: bool | None = None
    extent: Extent | None = None
    containers_enabled: int | None = None
    links: IModelLinks | None = None

    @property
    def __geo_interface__(self) -> dict[str, object]:
        """The iModel as GeoJSON feature; without a possible extent its geometry is ``None``."""
        geometry = None if self.extent is None else self.extent._geometry  # noqa: SLF001
        return feature(self.id, self, geometry)
