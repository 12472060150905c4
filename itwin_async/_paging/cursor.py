"""Where a walk over pages stands, as an opaque text that another process can go on from."""

from __future__ import annotations

import base64
import hashlib
import re

import attrs
import msgspec

from itwin_async._http.urls import is_target
from itwin_async.errors import ArgumentError

_VERSION = 1
_ALLOWED = "a cursor that this package made"
_CLIMBING = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?=/|%2f|%5c|$)", re.IGNORECASE)


@attrs.frozen(eq=False, repr=False)
class Cursor:
    """
    A place in a list: the page, and how many of its items were handed out.

    Args:
        operation: name of the list function.
        scope: fingerprint of the arguments that decide what is in the list.
        target: path and query of the page; it names no host.
        offset: items of that page that lie behind.

    """

    operation: str
    scope: str
    target: str
    offset: int

    def encode(self) -> str:
        """
        Write the cursor as text.

        Returns:
            Text of letters, digits, ``-`` and ``_``.

        """
        parts = [_VERSION, self.operation, self.scope, self.target, self.offset]
        return base64.urlsafe_b64encode(msgspec.json.encode(parts)).rstrip(b"=").decode()


def decode_cursor(text: object, *, operation: str, scope: str, path: str) -> Cursor:
    """
    Read a cursor and check that it belongs to this list.

    Args:
        text: what ``Cursor.encode`` wrote.
        operation: name of the list function.
        scope: fingerprint of its arguments.
        path: path of the list; a cursor may lead only to the same API.

    Returns:
        The cursor.

    Raises:
        ArgumentError: it is damaged, of a later version, or of another list.

    """
    cursor = _parse(text)
    if _api(cursor.target) != _api(path):
        raise ArgumentError("cursor", text, _ALLOWED)
    if cursor.operation != operation:
        raise ArgumentError("cursor", cursor.operation, f"one of {operation}")
    if cursor.scope != scope:
        raise ArgumentError(
            "cursor", "one of other arguments", f"one of {operation} as called here"
        )
    return cursor


def scope_of(*parts: str) -> str:
    """
    Fingerprint the arguments that decide what is in a list.

    Args:
        parts: path and query parts; page size and level of detail are left out by the caller.

    Returns:
        Twelve characters.

    """
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=9)
    return base64.urlsafe_b64encode(digest.digest()).decode()


def _parse(text: object) -> Cursor:
    if not isinstance(text, str):
        raise ArgumentError("cursor", text, _ALLOWED)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, *parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
        if bytes(version) != str(_VERSION).encode():
            later = f"version {msgspec.json.decode(version, type=int)}"
            raise ArgumentError("cursor", later, f"a cursor of version {_VERSION}")
        operation, scope, target, offset = msgspec.convert(
            [msgspec.json.decode(part) for part in parts], tuple[str, str, str, int]
        )
    except ArgumentError:
        raise
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise ArgumentError("cursor", text, _ALLOWED) from None
    if offset < 0 or not is_target(target) or _CLIMBING.search(target.partition("?")[0]):
        raise ArgumentError("cursor", text, _ALLOWED)
    return Cursor(operation, scope, target, offset)


def _api(target: str) -> str:
    return "/".join(re.split("[/?]", target.lower())[:2])
