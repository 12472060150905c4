"""Pictures of iTwins."""

from __future__ import annotations

import attrs

from itwin_async._json.model import model
from itwin_async.itwins.api import api
from itwin_async.models import Content, Id
from itwin_async.operations import picture
from itwin_async.session import Session


@model
class ITwinImage:
    """
    The picture of an iTwin, in two sizes; the addresses are signed and need no token.

    Attributes:
        id: GUID of the iTwin.
        small_image_name: name of the small one, which ``ITwin.image`` shows too.
        small_image_url: its address.
        large_image_name: name of the large one.
        large_image_url: its address.

    """

    id: str
    small_image_name: str | None = None
    small_image_url: str | None = attrs.field(default=None, repr=False)
    large_image_name: str | None = None
    large_image_url: str | None = attrs.field(default=None, repr=False)


_PATH = "/{itwin_id}/image"

UPLOAD = api.entity("upload_image", f"PUT {_PATH}", "Upload iTwin Image", ITwinImage, key="image")
GET = api.entity("get_image", f"GET {_PATH}", "Get iTwin Image", ITwinImage, key="image")
DELETE = api.nothing("delete_image", f"DELETE {_PATH}", "Delete iTwin Image")


async def upload_image(session: Session, itwin_id: Id, image: bytes | Content) -> ITwinImage:
    """
    Set the picture of an iTwin.

    It is PNG or JPEG, of the type that it says if it says one, and has at most 5 MB. The platform
    refuses one with a side of more than five times the other.
    """
    return await UPLOAD(session, itwin_id=itwin_id, content=picture("image", image))


async def get_image(session: Session, itwin_id: Id) -> ITwinImage:
    """Get the addresses of an iTwin's picture; ``NotFoundError`` if it has none."""
    return await GET(session, itwin_id=itwin_id)


async def delete_image(session: Session, itwin_id: Id) -> None:
    """Delete the picture of an iTwin."""
    await DELETE(session, itwin_id=itwin_id)
