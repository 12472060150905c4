"""Identifiers from a seed, reversible: a world of a million rows needs no index."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import uuid

_MASK = (1 << 64) - 1
_FIRST = 0x9E3779B97F4A7C15
_SECOND = 0xC2B2AE3D27D4EB4F
_THIRD = 0x165667B19E3779F9
_FIRST_BACK = pow(_FIRST, -1, 1 << 64)
_SECOND_BACK = pow(_SECOND, -1, 1 << 64)
_GROUP_BITS = 28
_ROW_BITS = 32
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_guid(text: str) -> bool:
    """Whether a text is a GUID in the usual form with hyphens."""
    return _GUID.fullmatch(text) is not None


def guid_of(text: str) -> str:
    """Return a GUID that always belongs to the same text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def opaque_of(text: str) -> str:
    """Return an identifier of 66 characters as the Saved Views API uses them."""
    digest = hashlib.sha512(text.encode()).digest()
    return "A" + base64.urlsafe_b64encode(digest).decode().rstrip("=")[:65]


def combined_of(entity_id: str, itwin_id: str, imodel_id: str | None = None) -> str:
    """Return an identifier of the Saved Views API, which names iTwin and iModel, from GUIDs."""
    ids = [entity_id, itwin_id, *([imodel_id] if imodel_id else [])]
    raw = b"\0" + b"".join(uuid.UUID(one).bytes_le for one in ids)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class GuidGenerator:
    """
    Makes GUIDs for numbered things and finds the numbers again.

    Args:
        seed: equal seeds give equal GUIDs on every machine.

    """

    def __init__(self, seed: int) -> None:
        source = random.Random(seed)  # noqa: S311 - test data, and the same everywhere
        self._key = source.getrandbits(64)
        self._check = source.getrandbits(64)

    def number(self, kind: int, group: int, row: int) -> int:
        """Return a number of 64 bits that looks random and belongs to this thing alone."""
        value = (kind << (_GROUP_BITS + _ROW_BITS)) | (group << _ROW_BITS) | row
        value = ((value ^ self._key) * _FIRST) & _MASK
        value ^= value >> 32
        value = (value * _SECOND) & _MASK
        return value ^ (value >> 32)

    def guid(self, kind: int, group: int, row: int = 0) -> str:
        """
        Return the GUID of a thing.

        Args:
            kind: what it is, 0 to 15.
            group: the number of its container, or its own.
            row: its number in the container.

        """
        return self.spell(self.number(kind, group, row))

    def spell(self, number: int) -> str:
        """Write a number that `number` made as a GUID."""
        check = ((number ^ self._check) * _THIRD) & _MASK
        check ^= check >> 29
        high = f"{number:016x}"
        low = f"{check & 0xFFFFFFFFFFFFFF:014x}"
        variant = "89ab"[check >> 62]
        return f"{high[:8]}-{high[8:12]}-4{high[12:15]}-{variant}{high[15]}{low[:2]}-{low[2:]}"

    def find(self, guid: str) -> tuple[int, int, int] | None:
        """
        Return the kind, group and row of a GUID in lower case; None if it was made elsewhere.
        """
        digits = guid.replace("-", "")
        number = int(digits[:12] + digits[13:16] + digits[17], 16)
        if self.spell(number) != guid:
            return None
        number ^= number >> 32
        value = (number * _SECOND_BACK) & _MASK
        value ^= value >> 32
        value = ((value * _FIRST_BACK) & _MASK) ^ self._key
        kind = value >> (_GROUP_BITS + _ROW_BITS)
        group = (value >> _ROW_BITS) & ((1 << _GROUP_BITS) - 1)
        return kind, group, value & ((1 << _ROW_BITS) - 1)
