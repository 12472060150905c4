"""The web page at the emulator's root."""

from __future__ import annotations

from functools import cache
from importlib import resources

from itwin_async.emulator.responses import Answer

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:"
)


@cache
def page() -> Answer:
    """Return the page, which needs nothing from elsewhere."""
    body = resources.files(__package__ or "").joinpath("page.html").read_bytes()
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY}
    return Answer(200, body, headers)
