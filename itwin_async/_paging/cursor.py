"""Where a list stands, as an opaque text that another process can go on from."""

from __future__ import annotations

import base64
import hashlib
import re

import attrs
import msgspec

from itwin_async._arguments import invalid
from itwin_async._http.urls import is_target
from itwin_async.errors import ArgumentError

_VERSION = 1
_CLIMBING = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?=/|%2f|%5c|$)", re.IGNORECASE)


@attrs.frozen(eq=False, repr=False)
class Position:
    """
    A position in a list.

    Attributes:
        target: path and query of a page; it names no host.
        offset: items of that page that lie before the position.

    """

    target: str
    offset: int = 0


class CursorCodec:
    """
    Writes and reads the cursors of one list.

    Args:
        operation: name of the list function.
        path: path of the list; a cursor leads only to the same API.
        query: names and values that decide what is in the list, without page size.

    """

    __slots__ = ("_operation", "_path", "_query", "_scope")

    def __init__(self, operation: str, path: str, query: tuple[tuple[str, str], ...]) -> None:
        self._operation = operation
        self._path = path
        self._query = query
        self._scope: str | None = None

    def write(self, position: Position) -> str:
        """Write a cursor: letters, digits, ``-`` and ``_``."""
        parts = [_VERSION, self._operation, self.scope, position.target, position.offset]
        return base64.urlsafe_b64encode(msgspec.json.encode(parts)).rstrip(b"=").decode()

    def read(self, cursor: object) -> Position:
        """
        Read a cursor and check that it belongs to this list.

        Raises:
            ArgumentError: it is damaged, of another version, or of another list.

        """
        operation, scope, position = _parse(cursor)
        if operation != self._operation:
            raise _foreign(f"cursor belongs to {operation}, not {self._operation}")
        if scope != self.scope:
            raise _foreign(f"cursor belongs to {operation} with other arguments")
        if _api(position.target) != _api(self._path):
            raise _damaged(cursor)
        return position

    @property
    def operation(self) -> str:
        """Name of the list function."""
        return self._operation

    @property
    def scope(self) -> str:
        """Fingerprint of the arguments that decide what is in the list."""
        if self._scope is None:
            parts = (self._path, *(f"{name}={value}" for name, value in self._query))
            text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(text, digest_size=9).digest()
            self._scope = base64.urlsafe_b64encode(digest).decode()
        return self._scope


def _foreign(message: str) -> ArgumentError:
    return ArgumentError(message, argument="cursor")


def _damaged(cursor: object) -> ArgumentError:
    return invalid("cursor", cursor, "a cursor of this package, unchanged")


def _parse(text: object) -> tuple[str, str, Position]:
    if not isinstance(text, str):
        raise _damaged(text)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, *parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
        if bytes(version) != str(_VERSION).encode():
            number = msgspec.json.decode(version, type=int)
            raise _foreign(f"cursor has version {number}, this package reads {_VERSION}")
        operation, scope, target, offset = msgspec.convert(
            [msgspec.json.decode(part) for part in parts], tuple[str, str, str, int]
        )
    except ArgumentError:
        raise
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise _damaged(text) from None
    if offset < 0 or not is_target(target) or _CLIMBING.search(target.partition("?")[0]):
        raise _damaged(text)
    return operation, scope, Position(target, offset)


def _api(target: str) -> str:
    return "/".join(re.split("[/?]", target.lower())[:2])
