from __future__ import annotations

from typing import Any

import pytest
from doubles import CannedServer
from sent import GUID, session_of

from itwin_async import ArgumentError, Content, Session, itwins, saved_views

IMAGE = {
    "id": GUID,
    "smallImageName": "s.png",
    "smallImageUrl": "https://images.example.net/s.png?sig=abc",
    "largeImageName": "l.png",
    "largeImageUrl": "https://images.example.net/l.png?sig=abc",
}
LIMIT = 5 * 1024 * 1024


PNG, JPEG = b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff\xd8\xff\xe0\x00"


@pytest.mark.parametrize(
    ("image", "content_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (Content(PNG), "image/png"),
        (Content(JPEG, "image/jpeg"), "image/jpeg"),
    ],
)
async def test_bytes_go_out_as_they_are(
    canned: CannedServer, image: Content | bytes, content_type: str
) -> None:
    canned.script({"image": IMAGE})
    async with session_of(canned) as session:
        found = await itwins.upload_image(session, GUID, image)
        assert await itwins.get_image(session, GUID) == found
        await itwins.delete_image(session, GUID)
    assert [seen.method for seen in canned.seen] == ["PUT", "GET", "DELETE"]
    assert {seen.target for seen in canned.seen} == {f"/itwins/{GUID}/image"}
    assert canned.seen[0].body == (image.body if isinstance(image, Content) else image)
    assert canned.seen[0].headers["Content-Type"] == content_type
    assert found.large_image_url == IMAGE["largeImageUrl"]
    assert "sig=" not in repr(found)


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"GIF89a",
        PNG + b"x" * LIMIT,
        "text",
        None,
        Content(PNG, "image/jpeg"),
        Content(PNG, "image/gif"),
        Content(b"x", "image/png"),
    ],
)
async def test_what_is_no_picture(image: Any) -> None:
    for upload in (itwins.upload_image, saved_views.update_image):
        with pytest.raises(ArgumentError) as caught:
            await upload(Session("t"), GUID, image)
        assert caught.value.argument == "image"
        assert len(str(caught.value)) < 250


async def test_the_largest_picture_is_sent_again(canned: CannedServer) -> None:
    largest = PNG.ljust(LIMIT, b"x")
    canned.script(503, {"image": IMAGE})
    async with session_of(canned) as session:
        await itwins.upload_image(session, GUID, largest)
    for seen in canned.seen:
        assert seen.body == largest
        assert seen.headers["Content-Length"] == str(LIMIT)
        assert seen.headers["Content-Type"] == "image/png"
    assert len(canned.seen) == 2
