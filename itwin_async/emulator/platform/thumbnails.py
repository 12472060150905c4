"""Thumbnails of iModels; where none was uploaded, a picture that is made on the spot."""

from __future__ import annotations

import struct
import zlib
from hashlib import sha256

from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.imodels import IMODELS
from itwin_async.emulator.platform.permissions import require
from itwin_async.emulator.platform.routes import Parameter, Route
from itwin_async.emulator.responses import Response
from itwin_async.emulator.world.collaboration import ThumbnailRecord

MAX_IMAGE = 5 * 1024 * 1024
_SIZES = {"small": (400, 250), "large": (800, 500)}
_PNG = b"\x89PNG\r\n\x1a\n"
_SIGNATURES = {"image/png": _PNG, "image/jpeg": b"\xff\xd8\xff"}
_HEADER_END = 24


def png(width: int, height: int, colour: bytes) -> bytes:
    """Return a PNG of one colour, given as red, green and blue."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    rows = (b"\0" + colour * width) * height
    return (
        _PNG
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def _size_of(image: bytes) -> tuple[int, int] | None:
    if not image.startswith(_PNG) or len(image) < _HEADER_END:
        return None
    width, height = struct.unpack(">II", image[16:_HEADER_END])
    return width, height


def _download(call: Call) -> Response:
    imodel_id = IMODELS.id_of(call)
    size = _SIZES[call.text("size") or "small"]
    uploaded = call.world.belongings.of(ThumbnailRecord, imodel_id).get("thumbnail")
    if uploaded is not None and _size_of(uploaded.image) == size:
        picture = uploaded.image
    else:
        # Pictures are not scaled or converted here, but other pictures have other colours.
        source = imodel_id.encode() if uploaded is None else uploaded.image
        picture = png(*size, sha256(source).digest()[:3])
    return Response(200, picture, {"Content-Type": "image/png"})


def _upload(call: Call) -> Response:
    imodel_id = IMODELS.id_of(call)
    require(call, imodel_id, "imodels_manage")
    image = call.request.body
    if not image.startswith(_SIGNATURES[call.content_type]):
        message = "Thumbnail format is not valid."
        detail = errors.Detail("InvalidThumbnailFormat", message)
        return api.IMODELS.invalid("Cannot upload Thumbnail.", [detail])
    call.world.belongings.put(ThumbnailRecord(image=image), imodel_id)
    return Response(201)


ROUTES = (
    Route(
        method="GET",
        path="/imodels/{id}/thumbnail",
        title="Download iModel Thumbnail",
        api=api.IMODELS,
        handler=_download,
        parameters=(Parameter("size", {**s.texts(*_SIZES), "default": "small"}),),
        failure="Cannot get Thumbnail.",
        gives="image/png",
    ),
    Route(
        method="PUT",
        path="/imodels/{id}/thumbnail",
        title="Upload iModel Thumbnail",
        api=api.IMODELS,
        handler=_upload,
        success=201,
        takes=tuple(_SIGNATURES),
        forbids=True,
    ),
)
