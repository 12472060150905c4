"""How links, continuation tokens and JSON are written."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

import attrs
import msgspec

from itwin_async.emulator.json_types import Json

_HOSTILE = "+/=\u00e9%"


@attrs.frozen
class LinkStyle:
    r"""
    How links are written.

    Args:
        origin: scheme and host of all links; those of the request when None.
        next_on_last_page: whether a `next` is sent although nothing follows.
        null_links: whether a missing link is sent as null; as each API does when None (iModels:
            null; iTwins: left out).
        escape_ampersand: whether JSON bodies have `\u0026` instead of `&`.
        hostile_tokens: whether continuation tokens have characters that break when a client decodes
            and encodes a link instead of sending it unchanged.
        storage_link_lifetime: seconds for which a signed URL of the storage is valid.
        data_url_images: whether pictures of saved views are `data:` URLs, not signed ones.

    """

    origin: str | None = None
    next_on_last_page: bool = False
    null_links: bool | None = None
    escape_ampersand: bool = False
    hostile_tokens: bool = False
    storage_link_lifetime: float = 3600.0
    data_url_images: bool = False

    def encode(self, content: Json) -> bytes:
        """Write JSON."""
        body = msgspec.json.encode(content)
        return body.replace(b"&", b"\\u0026") if self.escape_ampersand else body

    def write_token(self, item_id: str) -> str:
        """Return the token of the page after an item, percent-encoded for a link."""
        token = base64.urlsafe_b64encode(f'"{item_id}"'.encode()).decode().rstrip("=")
        return quote(_HOSTILE + token, safe="") if self.hostile_tokens else token

    def read_token(self, token: str) -> str | None:
        """Return the item of a token; None for a token that `write_token` did not write."""
        if self.hostile_tokens:
            if not token.startswith(_HOSTILE):
                return None
            token = token.removeprefix(_HOSTILE)
        try:
            text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            item_id = text.decode("ascii")
        except (binascii.Error, ValueError):
            return None
        if len(item_id) < 3 or not item_id[0] == item_id[-1] == '"':  # noqa: PLR2004 - quotes, and an id
            return None
        return item_id[1:-1]
