"""Values that every API shares."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias
from uuid import UUID

import attrs

from itwin_async._json.model import model

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None
"""What JSON can say."""

Id: TypeAlias = str | UUID
"""Id of an entity; where the platform documents a GUID, a ``uuid.UUID`` is as good as its text."""


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
