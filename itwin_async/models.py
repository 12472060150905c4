"""Values that every API shares."""

from __future__ import annotations

import attrs


@attrs.frozen
class Link:
    """Address of a related entity."""

    href: str | None = None


@attrs.frozen
class PageLinks:
    """The paging links of an answer, as the platform wrote them; ``None`` where there is none."""

    self: str | None = attrs.field(default=None, alias="itself")
    prev: str | None = None
    next: str | None = None
