"""Pictures of saved views."""

from __future__ import annotations

import base64
import binascii
from typing import Literal, TypeAlias, get_args
from urllib.parse import unquote_to_bytes

from itwin_async._arguments import instance, invalid, one_of
from itwin_async.errors import ArgumentError
from itwin_async.models import Content
from itwin_async.operations import picture
from itwin_async.saved_views.api import api
from itwin_async.session import Session

ImageSize: TypeAlias = Literal["thumbnail", "full"]

GET = api.entity("get_image", "GET /{saved_view_id}/image", "Get Image", str, key="href")
UPDATE = api.nothing("update_image", "PUT /{saved_view_id}/image", "Update Image")


async def get_image(session: Session, saved_view_id: str, *, size: ImageSize = "thumbnail") -> str:
    """
    Get the address of a saved view's picture.

    It is signed and needs no token, or is a ``data:`` URL, which ``image_bytes`` reads.
    """
    query = {"size": one_of("size", size, get_args(ImageSize))}
    return await GET(session, saved_view_id=saved_view_id, query=query)


async def update_image(session: Session, saved_view_id: str, image: bytes | Content) -> None:
    """Set the picture of a saved view: PNG or JPEG, which is sent as a ``data:`` URL."""
    checked = picture("image", image)
    encoded = base64.b64encode(checked.body).decode()
    body = {"image": f"data:{checked.content_type};base64,{encoded}"}
    await UPDATE(session, saved_view_id=saved_view_id, json=body)


def image_bytes(href: str) -> Content:
    """
    Read the picture that a ``data:`` URL holds, without any request.

    Other addresses are not fetched here; ``files.fetch_picture`` does it.

    Raises:
        ArgumentError: it is no ``data:`` URL, or a damaged one.

    """
    scheme, _, rest = instance("href", href, str, "a string").partition(":")
    head, comma, data = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        raise ArgumentError("href must be a data: URL; others are not fetched", argument="href")
    content_type, semicolon, encoding = head.rpartition(";")
    body = unquote_to_bytes(data)
    if not semicolon or encoding.strip().lower() != "base64":
        return Content(body, head)
    try:
        return Content(base64.b64decode(body, validate=True), content_type)
    except binascii.Error:
        raise invalid("href", href, "a data: URL with base64 that is whole") from None
