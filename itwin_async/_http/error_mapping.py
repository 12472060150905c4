"""How an answer with an error status becomes an exception, whatever its body is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from itwin_async._http.urls import shown
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ErrorDetail,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

_LONGEST = 10 * 365 * 86400.0  # seconds
_TEXT_LIMIT = 300
_STORAGE_CODE = re.compile(rb"<Code>([0-9A-Za-z]{1,80})</Code>")

_NOT_MODIFIED = 304  # leads nowhere
_MEMBER = "a service must be a member, as CLIENT_ID@apps.imsoidc.bentley.com"
_HINTS = {
    "headernotfound": "no token arrived; something on the way may take Authorization headers out",
    "resourcenotfound": "the path is wrong, or the Accept header names a version that is not there",
}
_HINTS_BY_STATUS = {
    401: "the token has expired, is of another environment, or lacks the scope itwin-platform",
    403: f"the user has no role with this permission in the iTwin; {_MEMBER}",
    404: f"the id is wrong, or the caller may not see what has it; {_MEMBER} of its iTwin",
}

_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
}


def error_from_response(
    status: int,
    body: bytes,
    *,
    method: str,
    path: str,
    request_id: str,
    retry_after: float | None = None,
    location: str | None = None,
) -> ApiError:
    """
    Make the exception for an answer with an error status.

    The body may be the documented envelope, a bare error object, or anything else.
    """
    error = _error_object(body)
    known = {"code", "message", "target", "details"}
    code = _text(error.get("code"))
    return _class(status)(
        _redirected(location) or _text(error.get("message")) or _first_text(body) or "no message",
        status=status,
        code=code,
        target=_text(error.get("target")),
        details=_details(error.get("details")),
        retry_after=retry_after,
        extra={key: value for key, value in error.items() if key not in known},
        hint=_hint(status, (code or "").lower()),
        method=method,
        path=path,
        request_id=request_id,
    )


def _hint(status: int, code: str) -> str:
    """Name the usual causes; what the platform says is the same for several of them."""
    if code in _HINTS:  # each belongs to one status
        return _HINTS[code]
    if 300 <= status < 400 and status != _NOT_MODIFIED:  # noqa: PLR2004
        return "redirects are not followed"
    return _HINTS_BY_STATUS.get(status, "")


def _redirected(location: str | None) -> str:
    if location is None:
        return ""
    return f"a redirect to {shown(location)}, which gets neither a request nor the token"


def error_from_storage(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    method: str,
    path: str,
    request_id: str,
    retry_after: float | None = None,
) -> ApiError:
    """Make the exception for an error of a storage host; only its code is told of the body."""
    # The text may quote the signature, or what it was made of.
    found = _STORAGE_CODE.search(body)
    code = found[1].decode() if found else headers.get("x-ms-error-code", "")
    cls = _class(status)
    return cls(
        "the storage failed" if cls is ServerError else "the storage refused the request",
        status=status,
        code=code if code.isascii() and code.isalnum() else None,
        retry_after=retry_after,
        method=method,
        path=path,
        request_id=request_id,
    )


def _class(status: int) -> type[ApiError]:
    server = 500  # the first status that the other side is to blame for
    return _BY_STATUS.get(status, ServerError if status >= server else ApiError)


def _error_object(body: bytes) -> Mapping[str, object]:
    try:
        parsed: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    envelope: dict[str, object] = parsed
    inner = envelope.get("error", envelope)
    return inner if isinstance(inner, dict) else {}


def _details(value: object) -> tuple[ErrorDetail, ...]:
    if not isinstance(value, list):
        return ()
    entries: list[object] = value
    return tuple(_detail(entry) for entry in entries if isinstance(entry, dict))


def _detail(entry: dict[str, object]) -> ErrorDetail:
    inner = entry.get("innerError", entry.get("innererror"))
    return ErrorDetail(
        code=_text(entry.get("code")),
        message=_text(entry.get("message")),
        target=_text(entry.get("target")),
        inner_code=_text(inner.get("code")) if isinstance(inner, dict) else None,
    )


def _text(value: object) -> str | None:
    return value[:_TEXT_LIMIT] if isinstance(value, str) and value else None


def _first_text(body: bytes) -> str:
    text = body[: 4 * _TEXT_LIMIT].decode("utf-8", "replace")
    return " ".join(text.split())[:_TEXT_LIMIT]


def parse_retry_after(value: str | None, now: float) -> float | None:
    """
    Read a ``Retry-After`` header: seconds, or an HTTP date compared with the wall clock ``now``.

    Returns ``None`` where the header is missing or malformed, and never less than 0.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text) if text.replace(".", "", 1).lstrip("+-").isdecimal() else None
    except ValueError:
        return None
    if seconds is None:
        seconds = _seconds_until(text, now)
    if seconds is None:
        return None
    return min(max(seconds, 0.0), _LONGEST)


def _seconds_until(text: str, now: float) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now
