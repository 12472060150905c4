"""What a harvest makes of pages: the lists that their items have; and what can be read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from itwin_async.errors import ApiError, ArgumentError, DecodeError, InvalidRequestError, ITwinError
from itwin_async.harvest.sources import Source

_GONE = 410


def keys_of(
    source: Source[object], above: str, items: Sequence[object]
) -> Iterator[tuple[str, str | None]]:
    """
    Find the lists of outer items: their keys, and the items' display names.

    Raises:
        DecodeError: an item has no id.

    """
    try:
        for item in items:
            if source.only is None or source.only(item):
                yield source.key_of(above, item), _name(item)
    except ValueError as problem:
        raise DecodeError(f"the list of lists cannot be read: {problem}") from None


def is_stale(error: ITwinError) -> bool:
    """Tell whether a list may be readable from its start where it cannot be resumed."""
    if isinstance(error, ArgumentError):
        return error.argument == "cursor"
    if isinstance(error, ApiError) and error.status == _GONE:
        return True
    return isinstance(error, InvalidRequestError)


def _name(item: object) -> str | None:
    name = getattr(item, "display_name", None)
    return name if isinstance(name, str) else None
