"""The picture of an iModel."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from itwin_async._arguments import instance, invalid, one_of
from itwin_async.imodels.api import api
from itwin_async.models import Content
from itwin_async.session import Session

ThumbnailSize: TypeAlias = Literal["small", "large"]

GET = api.content(
    "get_thumbnail", "GET /{imodel_id}/thumbnail", "Download iModel Thumbnail", media="image/"
)
UPLOAD = api.nothing("upload_thumbnail", "PUT /{imodel_id}/thumbnail", "Upload iModel Thumbnail")

_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_LIMIT = 5 * 1024 * 1024


async def get_thumbnail(
    session: Session, imodel_id: str, *, size: ThumbnailSize = "small"
) -> Content:
    """Get an iModel's picture as PNG: 400 x 250 pixels, or 800 x 500; never none."""
    query = {"size": one_of("size", size, get_args(ThumbnailSize))}
    return await GET(session, query=query, imodel_id=imodel_id)


async def upload_thumbnail(session: Session, imodel_id: str, image: Content | bytes) -> None:
    """Set an iModel's picture: PNG or JPEG, up to 5 MB; a type that is given must be its own."""
    await UPLOAD(session, content=_picture(image), imodel_id=imodel_id)


def _picture(image: object) -> Content:
    if not isinstance(image, Content):
        image = Content(instance("image", image, bytes, "bytes or a Content"))
    kinds = [kind for kind, start in _SIGNATURES.items() if image.body.startswith(start)]
    if not kinds or image.content_type not in {"", *kinds}:
        raise invalid("image", image, "a PNG or JPEG picture, of the type that it says")
    if len(image.body) > _LIMIT:
        raise invalid("image", image, f"at most {_LIMIT} bytes")
    return Content(image.body, kinds[0])
