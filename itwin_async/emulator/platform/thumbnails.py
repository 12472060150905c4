"""Thumbnails of iModels; where none was uploaded, a picture that is made on the spot."""

from __future__ import annotations

from hashlib import sha256

from itwin_async.emulator.pictures import SIGNATURES, png, png_size
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


def _download(call: Call) -> Response:
    imodel_id = IMODELS.id_of(call)
    size = _SIZES[call.text("size") or "small"]
    uploaded = call.world.belongings.of(ThumbnailRecord, imodel_id).get("thumbnail")
    if uploaded is not None and png_size(uploaded.image) == size:
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
    if not image.startswith(SIGNATURES[call.content_type]):
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
        takes=tuple(SIGNATURES),
        forbids=True,
    ),
)
