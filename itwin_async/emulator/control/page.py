"""The web page at the emulator's root."""

from __future__ import annotations

from functools import cache
from importlib import resources

from itwin_async.emulator.responses import Response, html_response

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:"
)


@cache
def page() -> Response:
    """Return the page, which needs nothing from elsewhere."""
    body = resources.files(__package__ or "").joinpath("page.html").read_bytes()
    return html_response(200, body, policy=_POLICY)
