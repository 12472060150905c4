"""Values that every API shares."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias

import attrs

from itwin_async._json.model import model


@model
class Link:
    """Address of a related entity."""

    href: str | None = None


class _Unset(Enum):
    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


Unset: TypeAlias = Literal[_Unset.UNSET]
UNSET: Final = _Unset.UNSET
"""Leave a member as it is, where ``None`` would set it to null."""


@attrs.frozen
class Content:
    """
    Bytes of a known type, such as a picture.

    Attributes:
        body: the bytes.
        content_type: their media type, for instance ``"image/png"``; empty if not told.

    """

    body: bytes = attrs.field(repr=False)
    content_type: str = ""
