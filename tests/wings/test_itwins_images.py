from __future__ import annotations

from typing import Any

import pytest
from doubles import CannedServer

from itwin_async import ArgumentError, Session, itwins

from .sent import GUID, session_of

IMAGE = {
    "id": GUID,
    "smallImageName": "s.png",
    "smallImageUrl": "https://images.example.net/s.png?sig=abc",
    "largeImageName": "l.png",
    "largeImageUrl": "https://images.example.net/l.png?sig=abc",
}
LIMIT = 5 * 1024 * 1024


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg"])
async def test_bytes_go_out_as_they_are(canned: CannedServer, content_type: Any) -> None:
    canned.script({"image": IMAGE})
    body = b"\x89PNG\r\n\x00\xff" * 9
    async with session_of(canned) as session:
        image = await itwins.upload_image(session, GUID, body, content_type=content_type)
        assert await itwins.get_image(session, GUID) == image
        await itwins.delete_image(session, GUID)
    assert [seen.method for seen in canned.seen] == ["PUT", "GET", "DELETE"]
    assert {seen.target for seen in canned.seen} == {f"/itwins/{GUID}/image"}
    assert canned.seen[0].body == body
    assert canned.seen[0].headers["Content-Type"] == content_type
    assert image.large_image_url == IMAGE["largeImageUrl"]
    assert "sig=" not in repr(image)


@pytest.mark.parametrize(
    ("image", "content_type", "argument"),
    [
        (b"", "image/png", "image"),
        (b"x" * (LIMIT + 1), "image/png", "image"),
        ("text", "image/png", "image"),
        (None, "image/png", "image"),
        (b"x", "image/gif", "content_type"),
        (b"x", "", "content_type"),
        (b"x", None, "content_type"),
    ],
)
async def test_what_is_no_picture(image: Any, content_type: Any, argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        await itwins.upload_image(Session("t"), GUID, image, content_type=content_type)
    assert caught.value.argument == argument
    assert len(str(caught.value)) < 250


async def test_the_largest_picture(canned: CannedServer) -> None:
    canned.script({"image": IMAGE})
    async with session_of(canned) as session:
        await itwins.upload_image(session, GUID, b"x" * LIMIT, content_type="image/png")
    assert len(canned.seen[0].body) == LIMIT
