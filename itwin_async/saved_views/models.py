"""What the Saved Views API tells about a tag."""

from __future__ import annotations

import attrs

from itwin_async._json.naming import spelled
from itwin_async.models import Link


@spelled(imodel="imodel")
@attrs.frozen
class TagLinks:
    """
    Addresses of what belongs to a tag; the platform may leave out any of them.

    Attributes:
        itwin: the iTwin.
        imodel: the iModel.
        creator: the user who made it.
        project: the iTwin at the address of a retired API; in older answers.

    """

    itwin: Link | None = None
    imodel: Link | None = None
    creator: Link | None = None
    project: Link | None = None


@attrs.frozen
class Tag:
    """
    A tag that organizes saved views.

    Attributes:
        id: opaque id.
        display_name: name to show.
        links: addresses of what belongs to it.

    """

    id: str
    display_name: str | None = None
    links: TagLinks | None = None
