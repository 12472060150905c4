"""What may be shown of an answer: never the token that was sent."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec

from itwin_async._http.credentials import Authorization

_SHORTEST_SECRET = 8
_SHOWN = 60
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MAY_BE_TOKEN = re.compile(
    # Behind "bearer", with characters written in a way that hides them, or long and not a GUID.
    rf"(?<=bearer )\S+|[^\s\"]*[\\%]\S*|(?<![\w.~+/=-])(?!{_GUID}(?![\w.~+/=-]))[\w.~+/=-]{{24,}}",
    re.IGNORECASE,
)


def masked(body: bytes, authorization: Authorization | None) -> bytes:
    """Replace the secret that a request carried, however JSON writes it."""
    if authorization is None or len(authorization.secret.reveal()) < _SHORTEST_SECRET:
        return body
    if b"\\" in body:
        # JSON can write a character in several ways; this makes it one.
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            body = msgspec.json.encode(msgspec.json.decode(body))
        body = body.replace(msgspec.json.encode(authorization.secret.reveal())[1:-1], b"***")
    return body.replace(authorization.secret.reveal().encode(), b"***")


def excerpt(body: bytes, authorization: Authorization | None) -> str:
    """Cut out the beginning of a body, without the secret of its request or what may be one."""
    start = masked(body[: 8 * 1024], authorization)[:_SHOWN].decode("utf-8", "replace")
    return _MAY_BE_TOKEN.sub("***", " ".join(start.split()))
