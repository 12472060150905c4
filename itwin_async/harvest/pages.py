"""What a harvest makes of pages: the lists that their items have; and what can be read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from itwin_async._http import urls
from itwin_async.errors import ApiError, ArgumentError, DecodeError, InvalidRequestError, ITwinError
from itwin_async.harvest.sources import Source
from itwin_async.session import Session

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


def platform_of(session: Session) -> str:
    """Name the platform, as a target remembers it."""
    # A local platform is found at another port each time.
    url = session.base_url
    return "local" if urls.is_loopback(url.host or "") else str(url.origin())


def _name(item: object) -> str | None:
    name = getattr(item, "display_name", None)
    return name if isinstance(name, str) else None
