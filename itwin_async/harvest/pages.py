"""What a harvest makes of pages: the lists that their items have; and what can be read again."""

from __future__ import annotations

from collections.abc import Sequence

from itwin_async.errors import ApiError, ArgumentError, DecodeError, InvalidRequestError, ITwinError
from itwin_async.harvest.sources import Source

RESTARTS = 3
"""How often a list is read from its start again."""

_GONE = 410


def lists_in(
    source: Source[object], above: str, items: Sequence[object]
) -> tuple[list[tuple[str, str | None]], dict[int, str]]:
    """
    Find the lists of outer items: their keys, with the items' display names.

    Returns:
        The lists, and what is wrong with the items that have no id, by their positions.

    """
    keys, odd = list[tuple[str, str | None]](), dict[int, str]()
    for position, item in enumerate(items):
        try:
            if source.only is None or source.only(item):
                keys.append((source.key_of(above, item), _name(item)))
        except ValueError as problem:
            odd[position] = str(problem)
    return keys, odd


def keys_of(
    source: Source[object], above: str, items: Sequence[object]
) -> list[tuple[str, str | None]]:
    """
    Find the lists of outer items, all of which must have an id.

    Raises:
        DecodeError: an item has none.

    """
    keys, odd = lists_in(source, above, items)
    for problem in odd.values():
        raise DecodeError(f"the list of lists cannot be read: {problem}")
    return keys


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
