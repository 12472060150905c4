"""Signed URLs: who has one may read or write one blob until it expires."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from itwin_async.emulator.requests import Query

PREFIX = "/_storage"
VERSION = "2021-12-02"
READ, WRITE, LIST = "r", "cw", "l"
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def is_storage(path: str) -> bool:
    """Whether a path belongs to the storage."""
    return path.startswith(f"{PREFIX}/")


def sign(seed: int, container: str, name: str | None, permissions: str, expires: float) -> str:
    """
    Return path and query of a signed URL.

    Args:
        seed: the seed of the world, which the key is made from.
        container: the container of the blob.
        name: the name of the blob; None for all of the container.
        permissions: what it allows, as READ or WRITE.
        expires: until when, in seconds since the epoch.

    """
    until = datetime.fromtimestamp(math.ceil(expires), UTC).strftime(_FORMAT)
    signature = _signature(seed, container, name, permissions, until)
    kind = "c" if name is None else "b"
    query = {"sv": VERSION, "sr": kind, "sp": permissions, "se": until, "sig": signature}
    path = "/".join([PREFIX, *(quote(part, safe="") for part in (container, name) if part)])
    return f"{path}?{urlencode(query)}"


def verify(seed: int, container: str, name: str, query: Query, now: float) -> str:
    """Return what a signed URL allows; ValueError, with the reason, if it allows nothing."""
    permissions, until = query.get("sp", ""), query.get("se", "")
    signed = None if query.get("sr") == "c" else name
    expected = _signature(seed, container, signed, permissions, until)
    if not hmac.compare_digest(expected.encode(), query.get("sig", "").encode()):
        raise ValueError("Signature did not match.")
    expires = datetime.strptime(until, _FORMAT).replace(tzinfo=UTC)
    if now >= expires.timestamp():
        moment = expires.strftime("%a, %d %b %Y %H:%M:%S GMT")
        raise ValueError(f"Signed expiry time [{moment}] must be after the current time.")
    return permissions


def _signature(seed: int, container: str, name: str | None, permissions: str, until: str) -> str:
    key = hashlib.sha256(f"storage:{seed}".encode()).digest()
    text = "\n".join([permissions, until, f"/{container}/{name or ''}", VERSION])
    digest = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
