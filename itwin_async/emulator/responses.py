"""The response that goes back."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec

from itwin_async.emulator.json_types import Json

JSON_TYPE = "application/json; charset=utf-8"


@attrs.frozen
class Response:
    """
    What goes back.

    Args:
        status: the HTTP status.
        body: the bytes of the body.
        headers: the headers, the content type among them.
        violation: why the platform would refuse such a request from anybody; empty for a
            well-formed request.

    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    violation: str = ""

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        """Return the response with headers added or replaced."""
        return attrs.evolve(self, headers={**self.headers, **headers}) if headers else self


def json_response(status: int, content: Json, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a JSON body."""
    return Response(
        status, msgspec.json.encode(content), {"Content-Type": JSON_TYPE, **(headers or {})}
    )


def html_response(status: int, body: bytes, *, policy: str) -> Response:
    """Return a page under a content security policy."""
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Response(status, body, headers)
