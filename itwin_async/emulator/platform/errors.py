"""The error bodies of the platform, word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from itwin_async.emulator.responses import Answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from itwin_async.emulator.json_types import Json, JsonObject


@attrs.frozen
class Detail:
    """One of several things that are wrong with a request."""

    code: str
    message: str
    target: str | None = None

    def json(self) -> JsonObject:
        """Return the detail as the platform writes it."""
        found: JsonObject = {"code": self.code, "message": self.message}
        if self.target is not None:
            found["target"] = self.target
        return found


def error(
    status: int,
    code: str,
    message: str,
    details: Sequence[Detail] = (),
    *,
    headers: Mapping[str, str] | None = None,
    refused: bool = False,
) -> Answer:
    """
    Return an error in the platform's envelope.

    Args:
        status: the HTTP status.
        code: the error's code.
        message: what a person reads.
        details: what exactly is wrong.
        headers: headers beside the content type.
        refused: whether the request itself is at fault.

    """
    content: dict[str, Json] = {"code": code, "message": message}
    if details:
        content["details"] = [detail.json() for detail in details]
    answer = json_answer(status, {"error": content}, headers)
    if not refused:
        return answer
    words = "; ".join(detail.message for detail in details) or message
    return attrs.evolve(answer, refused=f"{status} {code}: {words}")


def header_not_found() -> Answer:
    """401 for a request without a token."""
    message = "Header Authorization was not found in the request. Access denied."
    return error(401, "HeaderNotFound", message, refused=True)


def invalid_scheme(scheme: str) -> Answer:
    """401 for an authorization scheme other than Bearer."""
    message = f"Authorization scheme '{scheme}' is not valid."
    return error(401, "InvalidAuthorizationScheme", message, refused=True)


def unauthorized() -> Answer:
    """401 for a token that is no longer, or was never, good."""
    return error(401, "Unauthorized", "Access token is not valid or has expired.")


def insufficient_permissions() -> Answer:
    """403 of the Saved Views API."""
    message = "The user has insufficient permissions for the requested operation."
    return error(403, "InsufficientPermissions", message)


def resource_not_found() -> Answer:
    """404 of the gateway: a wrong address or a wrong version in `Accept`."""
    message = "The requested resource was not found. Verify the API URL and the Accept header."
    return error(404, "ResourceNotFound", message, refused=True)


def not_found(what: str) -> Answer:
    """
    404 for a thing that is not there.

    Args:
        what: `iModel`, `iTwin` or `Tag`.

    """
    word = what.lower() if what == "Tag" else what
    return error(404, f"{what}NotFound", f"Requested {word} is not available.")


def exists(what: str, target: str) -> Answer:
    """409 for a thing whose name is taken."""
    message = f"{what} already exists."
    detail = Detail("InvalidValue", f"The {target} is already in use.", target)
    return error(409, f"{what}Exists", message, [detail])


def invalid_imodels(message: str, details: Sequence[Detail]) -> Answer:
    """422 of the iModels API."""
    return error(422, "InvalidiModelsRequest", message, details, refused=True)


def invalid_itwins(message: str, details: Sequence[Detail]) -> Answer:
    """422 of the iTwins API."""
    return error(422, "InvalidiTwinsRequest", message, details, refused=True)


def invalid_savedviews(message: str, details: Sequence[Detail]) -> Answer:
    """422 of the Saved Views API."""
    return error(422, "InvalidSavedviewsRequest", message, details, refused=True)


def too_many_requests(path: str, headers: Mapping[str, str]) -> Answer:
    """429 in the words of the API that a path belongs to."""
    if path.lower().startswith("/imodels"):
        code = "RateLimitExceeded"
        message = (
            "The client sent more requests than allowed by this API for the current tier of the "
            "client."
        )
    else:
        code = "TooManyRequests"
        message = "More requests were received than the subscription rate-limit allows."
    return error(429, code, message, headers=headers)


def too_large() -> Answer:
    """Return the 413 for a body that no operation needs."""
    return error(413, "RequestTooLarge", "The request body is too large.", refused=True)


def unparsable() -> Detail:
    """Return the detail for a body that is no JSON object."""
    message = "Failed to parse request body. Make sure it is a valid JSON."
    return Detail("InvalidRequestBody", message)


def for_status(status: int, path: str, headers: Mapping[str, str]) -> Answer:
    """
    Return the body that the platform would most likely send with a status.

    Args:
        status: the HTTP status.
        path: the path that was asked for.
        headers: headers beside the content type.

    """
    api = path.lower().lstrip("/").partition("/")[0]
    outer = {"imodels": "InvalidiModelsRequest", "itwins": "InvalidiTwinsRequest"}
    thing = "iTwin" if api == "itwins" else "Tag" if api == "savedviews" else "iModel"
    if api in {"connect", ".well-known"}:
        return json_answer(status, {"error": "temporarily_unavailable"}, headers)
    if status == 429:  # noqa: PLR2004 - the status is the name
        return too_many_requests(path, headers)
    known = {
        401: unauthorized(),
        403: insufficient_permissions(),
        404: not_found(thing),
        409: error(409, f"{thing}Exists", f"{thing} already exists."),
        422: error(422, outer.get(api, "InvalidSavedviewsRequest"), "Request is not valid."),
    }
    answer = known.get(status)
    if answer is None:
        answer = error(status, "Unknown", "An unknown error occurred.")
    return attrs.evolve(answer, headers={**answer.headers, **headers})
