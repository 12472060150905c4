"""Whether a JSON text came to its end, told as cheaply as its form allows."""

from __future__ import annotations

import re

import msgspec

_LINKS = re.compile(rb'"_links"\s*:')
_TAIL_LIMIT = 16 * 1024
_MEMBERS = msgspec.json.Decoder(dict[str, object])
_ANY = msgspec.json.Decoder(msgspec.Raw)


def closing_links(body: bytes) -> object:
    """
    Parse the ``_links`` member that closes a page, without its items.

    Returns ``None`` where it does not stand at the end. Only where the member closes the whole body
    is what follows it one closing brace, so that any other value proves the body complete.
    """
    start = body.rfind(b'"_links"')
    if start < 0 or len(body) - start > _TAIL_LIMIT or not _LINKS.match(body, start):
        return None
    try:
        tail = _MEMBERS.decode(b"{" + body[start:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return tail["_links"]


def is_complete(body: bytes) -> bool:
    """Tell whether a JSON text was not cut off; one that is malformed otherwise counts as whole."""
    try:
        _ANY.decode(body)
    except msgspec.DecodeError as problem:
        return "truncated" not in str(problem)
    except (UnicodeDecodeError, RecursionError):
        pass
    return True
