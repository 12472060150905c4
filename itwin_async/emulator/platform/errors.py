"""The error responses of the platform, word for word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.responses import Response, json_response

_WORDS = {
    **{kind: kind.lower() for kind in ("Extension", "Group", "Image", "SavedView", "Tag")},
    "iTwinImage": "iTwin Image",
    "iTwinRepository": "iTwin Repository",
    "iTwinRepositoryResource": "iTwin Repository Resource",
}


@attrs.frozen
class Detail:
    """One of several things that are wrong with a request."""

    code: str
    message: str
    target: str | None = None
    inner_code: str | None = None

    def json(self) -> JsonObject:
        """Return the detail as the platform writes it."""
        found: JsonObject = {"code": self.code, "message": self.message}
        if self.target is not None:
            found["target"] = self.target
        if self.inner_code is not None:
            found["innerError"] = {"code": self.inner_code}
        return found


class OperationError(Exception):
    """Ends an operation with an error response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def error(
    status: int,
    code: str,
    message: str,
    details: Sequence[Detail] = (),
    *,
    headers: Mapping[str, str] | None = None,
    violation: bool = False,
) -> Response:
    """
    Return an error in the platform's envelope.

    Args:
        status: the HTTP status.
        code: the error's code.
        message: the error's message.
        details: what exactly is wrong.
        headers: headers beside the content type.
        violation: whether the platform would refuse such a request from anybody.

    """
    content: dict[str, Json] = {"code": code, "message": message}
    if details:
        content["details"] = [detail.json() for detail in details]
    response = json_response(status, {"error": content}, headers)
    if not violation:
        return response
    reasons = "; ".join(detail.message for detail in details) or message
    return attrs.evolve(response, violation=f"{status} {code}: {reasons}")


def invalid_scheme(scheme: str) -> Response:
    """401 for an authorization scheme other than Bearer."""
    message = f"Authorization scheme '{scheme}' is not valid."
    return error(401, "InvalidAuthorizationScheme", message, violation=True)


def words_of(kind: str) -> str:
    """Return how messages write a kind, such as `iTwin Repository` for `iTwinRepository`."""
    return _WORDS.get(kind, kind)


def not_found(kind: str) -> Response:
    """404 for an entity of a kind, such as `iModel`."""
    return error(404, f"{kind}NotFound", f"Requested {words_of(kind)} is not available.")


def method_not_allowed(allowed: Iterable[str]) -> Response:
    """405 for a path that is served with other methods."""
    methods = ", ".join(sorted(allowed))
    message = f"The requested resource supports {methods}."
    return error(405, "MethodNotAllowed", message, headers={"Allow": methods}, violation=True)


HEADER_NOT_FOUND = error(
    401,
    "HeaderNotFound",
    "Header Authorization was not found in the request. Access denied.",
    violation=True,
)
UNAUTHORIZED = error(
    401,
    "Unauthorized",
    "Access denied due to invalid access_token. Make sure that issuer is correct, the token is not "
    "expired and is not corrupted.",
)
INSUFFICIENT_PERMISSIONS = error(
    403,
    "InsufficientPermissions",
    "The user has insufficient permissions for the requested operation.",
)
RESOURCE_NOT_FOUND = error(
    404,
    "ResourceNotFound",
    "The requested resource was not found. Verify the API URL and the Accept header.",
    violation=True,
)
TOO_LARGE = error(413, "RequestTooLarge", "The request body is too large.", violation=True)
UNKNOWN = error(500, "Unknown", "An unknown error occurred.")
UNPARSABLE = Detail(
    "InvalidRequestBody", "Failed to parse request body. Make sure it is a valid JSON."
)


def unsupported_media_type(kinds: Sequence[str] = ("application/json",)) -> Response:
    """415 for a body of another content type than those."""
    message = f"The content type must be {' or '.join(kinds)}."
    return error(415, "UnsupportedMediaType", message, violation=True)


def missing(name: str) -> Detail:
    """Return the detail for a required member that is missing."""
    return Detail("MissingRequiredProperty", "Required property is missing.", name)


def too_long(name: str, limit: int) -> Detail:
    """Return the detail for a text that is too long."""
    message = f"Provided '{name}' value is not valid. The value exceeds allowed {limit} characters."
    return Detail("InvalidValue", message, name)


def invalid(name: str, shown: str, code: str = "InvalidValue") -> Detail:
    """Return the detail for an invalid value of a member or parameter."""
    return Detail(code, f"'{shown}' is not a valid '{name}' value.", name)
