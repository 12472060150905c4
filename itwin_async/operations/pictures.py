"""Pictures that the platform takes as bytes."""

from __future__ import annotations

from itwin_async._arguments import instance, invalid
from itwin_async.models import Content

_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
# Of the two meanings of MB the larger, so that nothing is refused that the platform may take.
_LIMIT = 5 * 1024 * 1024


def picture(name: str, value: object) -> Content:
    """
    Check a PNG or JPEG picture of at most 5 MB, and say which of them it is.

    Raises:
        ArgumentError: it is none, or not of the type that it says.

    """
    given = value if isinstance(value, Content) else None
    body = given.body if given else instance(name, value, bytes, "bytes or a Content")
    kinds = [kind for kind, start in _SIGNATURES.items() if body.startswith(start)]
    if not kinds or (given and given.content_type not in {"", *kinds}):
        raise invalid(name, value, "a PNG or JPEG picture, of the type that it says")
    if len(body) > _LIMIT:
        raise invalid(name, value, f"at most {_LIMIT} bytes")
    return Content(body, kinds[0])
