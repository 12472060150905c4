"""Pages, links and continuation tokens."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs
import msgspec

from itwin_async.emulator.world.ids import is_guid

if TYPE_CHECKING:
    from itwin_async.emulator.json_types import Json, JsonObject
    from itwin_async.emulator.requests import Query

DEFAULT_TOP = 100
MAX_TOP = 1000
START = "00000000-0000-0000-0000-000000000000"
_HOSTILE = "+/=\u00e9%"


@attrs.frozen
class LinkStyle:
    r"""
    How links are written.

    Args:
        origin: scheme and host of all links; those that the request named when absent.
        next_on_last_page: whether a `next` is sent although nothing follows.
        null_links: whether a link that is not there is sent as null; each API's own habit when
            absent (iModels: null; iTwins: left out).
        escape_ampersand: whether JSON bodies carry `\u0026` in place of `&`.
        hostile_tokens: whether continuation tokens hold characters that break when a client
            decodes and encodes a link instead of sending it back as it is.

    """

    origin: str | None = None
    next_on_last_page: bool = False
    null_links: bool | None = None
    escape_ampersand: bool = False
    hostile_tokens: bool = False


def whole_number(query: Query, name: str, default: int, low: int, high: int | None) -> int | None:
    """
    Return a number from a query.

    Returns:
        The number, or nothing when it is none or out of bounds.

    """
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.removeprefix("+").isdigit() and len(text) < 12):  # noqa: PLR2004 - no such collection
        return None
    value = int(text)
    return value if low <= value and (high is None or value <= high) else None


def write_token(item_id: str, style: LinkStyle) -> str:
    """
    Return a continuation token, percent-encoded for a link.

    Args:
        item_id: the last item of the page before.
        style: how links are written.

    """
    token = base64.urlsafe_b64encode(f'"{item_id}"'.encode()).decode().rstrip("=")
    return quote(_HOSTILE + token, safe="") if style.hostile_tokens else token


def read_token(token: str, style: LinkStyle) -> str | None:
    """
    Return the id inside a continuation token.

    Returns:
        The id, or nothing for a token that `write_token` did not write.

    """
    if style.hostile_tokens:
        if not token.startswith(_HOSTILE):
            return None
        token = token.removeprefix(_HOSTILE)
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        item_id = text.decode("ascii")
    except (binascii.Error, ValueError):
        return None
    item_id = item_id[1:-1] if item_id[:1] == item_id[-1:] == '"' else ""
    return item_id if is_guid(item_id) else None


def link(href: str | None) -> JsonObject | None:
    """Return a link object."""
    return None if href is None else {"href": href}


def page_body(key: str, rows: list[Json], links: JsonObject, style: LinkStyle) -> bytes:
    """
    Return the body of a page.

    Args:
        key: the envelope's name.
        rows: the items.
        links: `self`, `prev` and `next`.
        style: how links are written.

    """
    return encode({key: rows, "_links": links}, style)


def encode(content: Json, style: LinkStyle) -> bytes:
    """Write JSON the way the platform does."""
    body = msgspec.json.encode(content)
    return body.replace(b"&", b"\\u0026") if style.escape_ampersand else body
