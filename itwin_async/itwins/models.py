"""What the iTwins API tells about an iTwin."""

from __future__ import annotations

from datetime import datetime

import attrs

from itwin_async._json.geojson import feature, point
from itwin_async._json.model import model


@model
class ITwinSummary:
    """
    An iTwin as lists with ``prefer="minimal"`` give it.

    Only ``id`` is sure to be there; the platform may leave out the rest.

    Attributes:
        id: GUID of the iTwin.
        class_: ``"Thing"``, ``"Endeavor"`` or ``"Account"``; open set.
        sub_class: ``"Asset"``, ``"Project"`` and so on; open set.
        type: free text.
        number: code, unique in the organization.
        display_name: name to show, not unique.
        status: ``"Active"``, ``"Inactive"`` or ``"Trial"``; rarely there in summaries.
        itwin_account_id: GUID of the account at the root; rarely there in summaries.

    """

    id: str
    class_: str | None = None
    sub_class: str | None = None
    type: str | None = None
    number: str | None = None
    display_name: str | None = None
    status: str | None = None
    itwin_account_id: str | None = None


@model
class ITwin(ITwinSummary):
    """
    An iTwin as lists with ``prefer="representation"`` give it.

    Attributes:
        geographic_location: address or city.
        latitude: degrees, -90 to 90.
        longitude: degrees, -180 to 180.
        iana_time_zone: IANA time zone.
        data_center_location: where the data is kept; open set.
        parent_id: GUID of the parent iTwin.
        image_name: name of the picture; changes only with it.
        image: address of a small picture, signed, valid for about an hour.
        created_date_time: when it was created; always with a time zone.
        created_by: id of the user who created it.
        last_modified_date_time: when it was last changed; absent in older answers.
        last_modified_by: id of the user who last changed it; absent in older answers.

    """

    geographic_location: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    iana_time_zone: str | None = None
    data_center_location: str | None = None
    parent_id: str | None = None
    image_name: str | None = None
    image: str | None = attrs.field(default=None, repr=False)
    created_date_time: datetime | None = None
    created_by: str | None = None
    last_modified_date_time: datetime | None = None
    last_modified_by: str | None = None

    @property
    def __geo_interface__(self) -> dict[str, object]:
        """The iTwin as GeoJSON feature; without possible coordinates its geometry is ``None``."""
        if self.longitude is None or self.latitude is None:
            return feature(self.id, self, None)
        return feature(self.id, self, point(self.longitude, self.latitude))
