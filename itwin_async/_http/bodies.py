"""Compressed bodies: whole, or an error."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Protocol

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class BodyError(Exception):
    """A body is no use; whether another attempt may bring a better one."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class Sink(Protocol):
    """
    Takes the body of an answer piece by piece, where one in memory would be too large.

    It outlives an attempt: the next one asks for what is missing.

    Attributes:
        reached: how far into the body it ever was, in bytes; an attempt that gets further is not
            counted as a failure.
        taken: bytes that came, over all attempts.

    """

    reached: int
    taken: int

    def headers(self) -> Mapping[str, str]:
        """Return what the next attempt asks for, such as a range."""
        ...

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """
        Take note of an answer whose body follows.

        Raises:
            BodyError: it is not the one that was asked for.

        """
        ...

    async def take(self, piece: bytes) -> None:
        """
        Take the next piece.

        Raises:
            BodyError: it cannot be kept.

        """
        ...


def too_large(limit: int) -> BodyError:
    """Make the error for a body above the limit, in bytes."""
    return BodyError(f"the answer is larger than {limit} bytes", retryable=False)


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """
    Decompress a whole body.

    Raises:
        BodyError: the data is damaged, ends early or is too large, or the encoding is unknown.

    """
    for name in reversed(encoding.lower().split(",")):
        body = _decompress(body, name.strip(), limit)
    return body


def _decompress(body: bytes, encoding: str, limit: int) -> bytes:
    if encoding in {"identity", ""}:
        return body
    window = _WINDOWS.get(encoding)
    if window is None:
        message = f"the answer has the Content-Encoding {encoding!r}, which was not asked for"
        raise BodyError(message, retryable=False)
    if window > 0 and encoding == "deflate" and body[0] & 0x0F != zlib.DEFLATED:
        window = -15  # many servers leave the zlib header out
    parts, left = [], limit
    while body:
        stream = zlib.decompressobj(window)
        try:
            part = stream.decompress(body, left + 1)
        except zlib.error:
            raise BodyError("the answer could not be decompressed") from None
        left -= len(part)
        if left < 0:
            raise too_large(limit)
        if not stream.eof:
            raise BodyError("the answer ends in the middle of its compressed data")
        parts.append(part)
        body = stream.unused_data  # gzip may have several members
    return parts[0] if len(parts) == 1 else b"".join(parts)
