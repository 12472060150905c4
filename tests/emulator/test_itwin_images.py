from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from caller import Caller, error_of

from itwin_async import ApiError, Content, InvalidRequestError, NotFoundError, Session, itwins
from itwin_async.emulator import Emulator

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1) * height)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int) -> bytes:
    application = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + b"\0" * 9
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    return b"\xff\xd8" + application + frame + b"\xff\xd9"


@pytest.mark.parametrize(
    ("picture", "media_type", "suffix"),
    [(png(40, 30), "image/png", ".png"), (jpeg(500, 100), "image/jpeg", ".jpg")],
)
async def test_life_of_an_image(
    platform: Session,
    emulator: Emulator,
    call: Caller,
    itwin_id: str,
    picture: bytes,
    media_type: str,
    suffix: str,
) -> None:
    with pytest.raises(NotFoundError):
        await itwins.get_image(platform, itwin_id)
    made = await itwins.upload_image(platform, itwin_id, picture)
    found = await itwins.get_image(platform, itwin_id)
    assert (found.id, found.small_image_name, found.large_image_name) == (
        made.id,
        made.small_image_name,
        made.large_image_name,
    )
    for name, url in (
        (found.small_image_name, found.small_image_url),
        (found.large_image_name, found.large_image_url),
    ):
        assert name is not None
        assert url is not None
        assert name.startswith(found.id)
        assert name.endswith(suffix)
        async with call.session.get(url) as response:
            assert response.content_type == media_type
            assert await response.read() == picture
    itwin = await itwins.get_itwin(platform, itwin_id)
    assert itwin.image_name == found.small_image_name
    assert itwin.image is not None
    emulator.clock.advance(3700)
    async with call.session.get(itwin.image) as response:
        assert response.status == 403
    fresh = await itwins.list_itwins(platform).full().first()
    assert fresh is not None
    assert fresh.image is not None
    async with call.session.get(fresh.image) as response:
        assert response.status == 200
    await itwins.delete_image(platform, itwin_id)
    gone = await itwins.get_itwin(platform, itwin_id)
    assert (gone.image, gone.image_name) == (None, None)
    for missing in (itwins.get_image, itwins.delete_image):
        with pytest.raises(NotFoundError):
            await missing(platform, itwin_id)


async def test_another_image_has_another_name(
    platform: Session, emulator: Emulator, call: Caller, itwin_id: str
) -> None:
    first = await itwins.upload_image(platform, itwin_id, png(4, 4))
    saved = emulator.export()
    second = await itwins.upload_image(platform, itwin_id, png(5, 5))
    assert second.small_image_name != first.small_image_name
    assert first.small_image_url is not None
    async with call.session.get(first.small_image_url) as response:
        assert response.status == 404
    async with Emulator(itwins=0) as other:
        other.load(saved)
        async with Session(other.token, base_url=other.base_url) as session:
            loaded = await itwins.get_image(session, itwin_id)
            assert loaded.small_image_name == first.small_image_name
            assert loaded.large_image_url is not None
            async with call.session.get(loaded.large_image_url) as response:
                assert await response.read() == png(4, 4)


async def test_what_is_refused(platform: Session, call: Caller, itwin_id: str) -> None:
    for wrong in (png(501, 100), png(100, 501), jpeg(501, 100), png(0, 5), b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(InvalidRequestError) as caught:
            await itwins.upload_image(platform, itwin_id, wrong)
        assert caught.value.code == "InvalidiTwinsRequest"
    path = f"/itwins/{itwin_id}/image"
    mislabelled = await call("PUT", path, data=png(4, 4), headers={"Content-Type": "image/jpeg"})
    assert error_of(mislabelled)["code"] == "InvalidiTwinsRequest"
    other = await call("PUT", path, data=png(4, 4), headers={"Content-Type": "image/gif"})
    assert other.status == 415
    large = b"\xff\xd8\xff\xe0".ljust(6 * 1024 * 1024, b"\0")
    refused = await call("PUT", path, data=BytesIO(large), headers={"Content-Type": "image/jpeg"})
    assert refused.status == 413
    with pytest.raises(NotFoundError):
        await itwins.upload_image(platform, UNKNOWN, png(4, 4))
    with pytest.raises(NotFoundError):
        await itwins.get_image(platform, itwin_id)


async def test_an_image_of_exactly_the_limit_is_taken(platform: Session, itwin_id: str) -> None:
    picture = png(500, 100)
    picture += b"\0" * (5 * 1024 * 1024 - len(picture))
    await itwins.upload_image(platform, itwin_id, Content(picture, "image/png"))


async def test_only_administrators_delete_itwins(
    platform: Session, emulator: Emulator, itwin_id: str
) -> None:
    emulator.set_administrator("demo", on=False)
    with pytest.raises(ApiError) as caught:
        await itwins.delete_itwin(platform, itwin_id)
    assert (caught.value.status, caught.value.code) == (403, "InsufficientPermissions")
    emulator.set_administrator("demo")
    await itwins.delete_itwin(platform, itwin_id)
