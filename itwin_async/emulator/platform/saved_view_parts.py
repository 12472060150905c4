"""The Saved Views API: extensions and pictures of saved views."""

from __future__ import annotations

import base64
import binascii

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import saved_view_schemas as schemas
from itwin_async.emulator.platform.belongings import belonging_to, belongings
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.saved_view_extensions import (
    extension_link,
    extension_of,
    shown_extension,
)
from itwin_async.emulator.platform.saved_view_views import VIEWS, check_view_change
from itwin_async.emulator.platform.schemas import texts
from itwin_async.emulator.platform.stored import download_url
from itwin_async.emulator.storage.blobs import find_blob, put_blob
from itwin_async.emulator.world.saved_views import (
    IMAGE,
    SavedViewExtensionRecord,
    SavedViewRecord,
)


def _create(call: Call, content: JsonObject) -> SavedViewExtensionRecord:
    check_view_change(call, VIEWS.one(call))
    return extension_of(content)


def _drop(call: Call, extension: SavedViewExtensionRecord) -> None:
    view = VIEWS.one(call)
    check_view_change(call, view)
    call.world.belongings.drop(SavedViewExtensionRecord, extension.id, view.id)


def _image(call: Call, view: SavedViewRecord) -> JsonObject:
    image = find_blob(call.world, view.id, IMAGE)
    if image is None:
        raise errors.OperationError(errors.not_found("Image"))
    if not call.style.data_url_images:
        return {"href": download_url(call, view.id, IMAGE)}
    data = base64.b64encode(image.read()).decode()
    return {"href": f"data:{image.content_type};base64,{data}"}


def _set_image(call: Call, view: SavedViewRecord, content: JsonObject) -> None:
    check_view_change(call, view)
    head, _, data = str(content["image"]).partition(",")
    try:
        body = base64.b64decode(data, validate=True)
    except binascii.Error:
        message = "image must be a base64Image."
        detail = errors.Detail("InvalidRequestBody", message, "image")
        raise errors.OperationError(
            api.SAVED_VIEWS.invalid("Cannot update savedview.", [detail])
        ) from None
    content_type = head.removeprefix("data:").removesuffix(";base64")
    put_blob(call.world, call.clock, view.id, IMAGE, body, content_type=content_type)


EXTENSIONS = belongings(
    SavedViewExtensionRecord,
    VIEWS,
    api=api.SAVED_VIEWS,
    name="Extension",
    key="extension",
    keys="extensions",
    schema=schemas.EXTENSION,
    show=lambda _, __: {},
    complete=lambda call, extension, _: shown_extension(extension, VIEWS.one(call), call.origin),
    id_name="extensionName",
    drop=_drop,
)
_LISTED = belongings(
    SavedViewExtensionRecord,
    VIEWS,
    api=api.SAVED_VIEWS,
    name="ExtensionLink",
    key="extension",
    keys="extensions",
    schema=schemas.EXTENSION_LINK,
    show=lambda _, __: {},
    complete=lambda call, extension, _: extension_link(extension, VIEWS.id_of(call), call.origin),
    linked=False,
)
_ALL = "/savedviews/{id}/extensions"
_ONE = f"{_ALL}/{{extensionName}}"

ROUTES = (
    _LISTED.list(
        f"GET {_ALL}", "Get All Extensions", belonging_to(SavedViewExtensionRecord, VIEWS)
    ),
    EXTENSIONS.create(f"PUT {_ALL}", "Create Extension", _create, body=schemas.EXTENSION_PUT),
    EXTENSIONS.get(f"GET {_ONE}", "Get Extension"),
    EXTENSIONS.delete(f"DELETE {_ONE}", "Delete Extension", refuses=True),
    VIEWS.answer(
        "GET /savedviews/{id}/image",
        "Get Image",
        _image,
        schema=schemas.HREF,
        parameters=(Parameter("size", texts("thumbnail", "full")),),
    ),
    VIEWS.receive("PUT /savedviews/{id}/image", "Update Image", _set_image, body=schemas.IMAGE_PUT),
)
