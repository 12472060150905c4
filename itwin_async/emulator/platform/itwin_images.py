"""The iTwins API: the image of an iTwin."""

from __future__ import annotations

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.pictures import jpeg_size, png_size
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.itwins import ITWINS, image_of
from itwin_async.emulator.platform.routes import Route
from itwin_async.emulator.platform.stored import download_url
from itwin_async.emulator.responses import Response
from itwin_async.emulator.storage.blobs import put_blob
from itwin_async.emulator.world.itwin_data import ITwinImageRecord

_PATH = "/itwins/{id}/image"
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg"}
_LARGEST_RATIO = 5
_ANSWER = s.define(
    "iTwinImageResponse",
    s.objects(
        {
            "image": s.define(
                "iTwinImage",
                s.objects(
                    s.each(s.TEXT, "id smallImageName smallImageUrl largeImageName largeImageUrl")
                ),
            )
        },
        "image",
    ),
)


def _upload(call: Call) -> Response:
    itwin_id = ITWINS.id_of(call)
    image, media_type = call.request.body, call.content_type
    size = png_size(image) if media_type == "image/png" else jpeg_size(image)
    if size is None or min(size) == 0:
        return _refused(f"The image is not a valid {media_type}.")
    if max(size) > _LARGEST_RATIO * min(size):
        return _refused(
            "The width or height dimensions of the image cannot be greater than "
            f"{_LARGEST_RATIO} times the size of each other."
        )
    _drop(call, itwin_id)
    record = ITwinImageRecord(id=call.world.new_id(), suffix=_SUFFIXES[media_type])
    call.world.belongings.put(record, itwin_id)
    # Pictures are not scaled here: both files are the image as it was sent.
    for name in (record.small_name, record.large_name):
        put_blob(call.world, call.clock, record.id, name, image, content_type=media_type)
    return call.respond(201, _shown(call, record))


def _get(call: Call) -> Response:
    return call.respond(200, _shown(call, _one(call, ITWINS.id_of(call))))


def _delete(call: Call) -> Response:
    itwin_id = ITWINS.id_of(call)
    _one(call, itwin_id)
    _drop(call, itwin_id)
    return Response(204)


def _one(call: Call, itwin_id: str) -> ITwinImageRecord:
    record = image_of(call, itwin_id)
    if record is None:
        raise errors.OperationError(errors.not_found("iTwinImage"))
    return record


def _drop(call: Call, itwin_id: str) -> None:
    record = image_of(call, itwin_id)
    if record is not None:
        call.world.belongings.drop(ITwinImageRecord, record.id, itwin_id)


def _shown(call: Call, record: ITwinImageRecord) -> JsonObject:
    return {
        "image": {
            "id": record.id,
            "smallImageName": record.small_name,
            "smallImageUrl": download_url(call, record.id, record.small_name),
            "largeImageName": record.large_name,
            "largeImageUrl": download_url(call, record.id, record.large_name),
        }
    }


def _refused(message: str) -> Response:
    details = [Detail("InvalidRequestBody", message)]
    return api.ITWINS.invalid("Cannot upload iTwin Image.", details)


ROUTES = (
    Route(
        method="PUT",
        path=_PATH,
        title="Upload iTwin Image",
        api=api.ITWINS,
        handler=_upload,
        success=201,
        results=[_ANSWER],
        takes=tuple(_SUFFIXES),
    ),
    Route(
        method="GET",
        path=_PATH,
        title="Get iTwin Image",
        api=api.ITWINS,
        handler=_get,
        results=[_ANSWER],
    ),
    Route(
        method="DELETE",
        path=_PATH,
        title="Delete iTwin Image",
        api=api.ITWINS,
        handler=_delete,
        success=204,
    ),
)
