"""The picture of an iModel."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from itwin_async._arguments import one_of
from itwin_async.imodels.api import api
from itwin_async.models import Content, Id
from itwin_async.operations import picture
from itwin_async.session import Session

ThumbnailSize: TypeAlias = Literal["small", "large"]

GET = api.content(
    "get_thumbnail", "GET /{imodel_id}/thumbnail", "Download iModel Thumbnail", media="image/"
)
UPLOAD = api.nothing("upload_thumbnail", "PUT /{imodel_id}/thumbnail", "Upload iModel Thumbnail")


async def get_thumbnail(
    session: Session, imodel_id: Id, *, size: ThumbnailSize = "small"
) -> Content:
    """Get an iModel's picture as PNG: 400 x 250 pixels, or 800 x 500; never none."""
    query = {"size": one_of("size", size, get_args(ThumbnailSize))}
    return await GET(session, query=query, imodel_id=imodel_id)


async def upload_thumbnail(session: Session, imodel_id: Id, image: bytes | Content) -> None:
    """Set an iModel's picture: PNG or JPEG, up to 5 MB; a type that is given must be its own."""
    await UPLOAD(session, content=picture("image", image), imodel_id=imodel_id)
