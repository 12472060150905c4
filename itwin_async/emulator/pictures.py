"""PNG and JPEG pictures: their type, their size, and one of a single colour."""

from __future__ import annotations

import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER_END = 24
SIGNATURES = {"image/png": _PNG, "image/jpeg": b"\xff\xd8\xff"}


def type_of(image: bytes) -> str | None:
    """Return the media type that a picture begins as."""
    return next((name for name, start in SIGNATURES.items() if image.startswith(start)), None)


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


def png_size(image: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG."""
    if type_of(image) != "image/png" or len(image) < _HEADER_END:
        return None
    width, height = struct.unpack(">II", image[16:_HEADER_END])
    return width, height


def jpeg_size(image: bytes) -> tuple[int, int] | None:
    """Return width and height of the first frame of a JPEG."""
    if type_of(image) != "image/jpeg":
        return None
    at = 2
    while at + 9 <= len(image) and image[at] == 0xFF:  # noqa: PLR2004 - every marker begins so
        kind, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4])
        # C4, C8 and CC are between the frames, but are none.
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004
            height, width = struct.unpack(">HH", image[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None
