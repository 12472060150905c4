"""Conditions and ranges of the headers of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime

from itwin_async.emulator.responses import Response
from itwin_async.emulator.storage import errors
from itwin_async.emulator.storage.blobs import BlobRecord
from itwin_async.emulator.storage.errors import StorageError

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


def http_date(seconds: float) -> str:
    """Write a moment as headers have it."""
    return formatdate(seconds, usegmt=True)


def check_conditions(headers: Mapping[str, str], blob: BlobRecord | None, *, read: bool) -> None:
    """Raise StorageError if a condition is not met; 304 for a reader whose copy is current."""
    wanted, unwanted = headers.get("If-Match"), headers.get("If-None-Match")
    if wanted is not None and not (blob and _matches(wanted, blob.etag)):
        raise StorageError(errors.condition_not_met())
    since = _moment(headers.get("If-Unmodified-Since"))
    if blob and since is not None and int(blob.modified) > since:
        raise StorageError(errors.condition_not_met())
    if blob is None:
        return
    known = unwanted is not None and _matches(unwanted, blob.etag)
    if unwanted is None:
        since = _moment(headers.get("If-Modified-Since"))
        known = since is not None and int(blob.modified) <= since
    if known and read:
        raise StorageError(Response(304, b"", {"ETag": f'"{blob.etag}"'}))
    if known and unwanted == "*":
        message = "The specified blob already exists."
        raise StorageError(errors.error(409, "BlobAlreadyExists", message))
    if known:
        raise StorageError(errors.condition_not_met())


def wanted_range(headers: Mapping[str, str], blob: BlobRecord) -> tuple[int, int] | None:
    """
    Return the first byte that a reader wants and the one behind the last; None for all.

    A range of another form than ``bytes=first-last`` is ignored, as Azure does.
    """
    match = _RANGE.fullmatch(headers.get("x-ms-range") or headers.get("Range", ""))
    current = headers.get("If-Range")
    if match is None or (current is not None and not _is_current(current, blob)):
        return None
    first = int(match[1])
    end = min(int(match[2]) + 1, blob.size) if match[2] else blob.size
    if first >= blob.size or (match[2] and int(match[2]) < first):
        message = "The range specified is invalid for the current size of the resource."
        content_range = {"Content-Range": f"bytes */{blob.size}"}
        raise StorageError(errors.error(416, "InvalidRange", message, headers=content_range))
    return first, end


def _matches(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]
    return "*" in tags or etag in tags


def _is_current(header: str, blob: BlobRecord) -> bool:
    if header.startswith('"'):
        return header.strip('"') == blob.etag
    moment = _moment(header)
    return moment is not None and int(blob.modified) == int(moment)


def _moment(header: str | None) -> float | None:
    try:
        return None if header is None else parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
