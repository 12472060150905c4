from __future__ import annotations

import io
import struct
import zlib

import pytest
from caller import Caller, error_of

from itwin_async import NotFoundError, PermissionDeniedError, Session, imodels
from itwin_async.emulator import Emulator
from itwin_async.models import Content

JPEG = b"\xff\xd8\xff\xe0" + b"j" * 100


def size_of(picture: Content) -> tuple[int, int]:
    """The size of a PNG, all of whose pixels and checksums are looked at."""
    assert picture.content_type == "image/png"
    body, at, pixels, header = picture.body, 8, b"", (0, 0)
    while at < len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        kind, content = body[at + 4 : at + 8], body[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", body[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + content)
        header = struct.unpack(">II", content[:8]) if kind == b"IHDR" else header
        pixels += content if kind == b"IDAT" else b""
        at += 12 + length
    width, height = header
    assert len(zlib.decompress(pixels)) == (3 * width + 1) * height
    return width, height


async def test_there_is_always_one(client: Session, emulator: Emulator, imodel_id: str) -> None:
    small = await imodels.get_thumbnail(client, imodel_id)
    large = await imodels.get_thumbnail(client, imodel_id, size="large")
    assert (size_of(small), size_of(large)) == ((400, 250), (800, 500))
    assert await imodels.get_thumbnail(client, imodel_id) == small
    others = list(emulator.state.imodels)[1:9]
    assert len({(await imodels.get_thumbnail(client, other)).body for other in others}) == 8


async def test_uploaded(client: Session, emulator: Emulator, imodel_id: str) -> None:
    other = list(emulator.state.imodels)[1]
    before = await imodels.get_thumbnail(client, imodel_id)
    large = await imodels.get_thumbnail(client, other, size="large")
    await imodels.upload_thumbnail(client, imodel_id, large)
    assert await imodels.get_thumbnail(client, imodel_id, size="large") == large
    small = await imodels.get_thumbnail(client, imodel_id)
    assert size_of(small) == (400, 250)
    assert small != before
    await imodels.upload_thumbnail(client, imodel_id, Content(JPEG, "image/jpeg"))
    assert size_of(await imodels.get_thumbnail(client, imodel_id, size="large")) == (800, 500)
    kept = emulator.export()
    async with (
        Emulator(itwins=0) as again,
        Session(again.token, base_url=again.base_url) as session,
    ):
        again.load(kept)
        for size in ("small", "large"):
            assert await imodels.get_thumbnail(
                session, imodel_id, size=size
            ) == await imodels.get_thumbnail(client, imodel_id, size=size)


async def test_who_may(client: Session, ana: Session, emulator: Emulator, imodel_id: str) -> None:
    emulator.set_permissions(imodel_id, "ana", ["imodels_webview", "imodels_write"])
    await imodels.get_thumbnail(ana, imodel_id)
    with pytest.raises(PermissionDeniedError):
        await imodels.upload_thumbnail(ana, imodel_id, JPEG)
    emulator.deny("ana", imodel_id)
    for call in (
        imodels.get_thumbnail(ana, imodel_id),
        imodels.upload_thumbnail(ana, imodel_id, JPEG),
    ):
        with pytest.raises(NotFoundError) as error:
            await call
        assert error.value.code == "iModelNotFound"


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("image/gif", b"GIF89a", 415, "UnsupportedMediaType"),
        ("application/json", b"{}", 415, "UnsupportedMediaType"),
        ("image/png", JPEG, 422, "InvalidiModelsRequest"),
        ("image/jpeg", b"", 422, "InvalidiModelsRequest"),
        ("image/jpeg", JPEG + b"x" * (5 << 20), 413, "RequestTooLarge"),
        ("image/jpeg", JPEG + b"x" * ((5 << 20) - 104), 201, None),
    ],
)
async def test_what_is_refused(
    call: Caller, imodel_id: str, kind: str, body: bytes, status: int, code: str | None
) -> None:
    path = f"/imodels/{imodel_id}/thumbnail"
    reply = await call("PUT", path, data=io.BytesIO(body), headers={"Content-Type": kind})
    assert reply.status == status
    if code is not None:
        assert error_of(reply)["code"] == code
    if status == 422:
        assert error_of(reply)["details"][0]["code"] == "InvalidThumbnailFormat"
    assert (await call("GET", f"{path}?size=huge")).status == 422
