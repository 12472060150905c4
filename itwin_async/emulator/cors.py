"""What lets pages of another origin call the emulator from a browser."""

from __future__ import annotations

from multidict import CIMultiDict

from itwin_async.emulator.requests import Request
from itwin_async.emulator.responses import Response

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_HEADERS = "Authorization, Accept, Content-Type, Prefer, X-Correlation-Id, X-Max-Return"
_EXPOSED = (
    "Location, Retry-After, X-Correlation-Id, X-Max-Return, "
    "iTwinPlatform-RateLimit-RemainingCalls, iTwinPlatform-RateLimit-Retry-After-Seconds"
)
_MAX_AGE = "7200"


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what a page of another origin may send."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def preflight(request: Request) -> Response:
    """Return the answer to a preflight: any origin may send anything."""
    headers = request.headers.get("Access-Control-Request-Headers") or _HEADERS
    return Response(
        204,
        headers={
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": headers,
            "Access-Control-Max-Age": _MAX_AGE,
        },
    )


def headers_of(response: Response) -> CIMultiDict[str]:
    """Return the headers of a response and those that let any page read it."""
    headers = CIMultiDict(
        {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
    )
    headers.update(response.headers)
    return headers
