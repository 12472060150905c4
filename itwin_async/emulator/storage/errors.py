"""The errors of the storage, in the XML of Azure Blob Storage."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from itwin_async.emulator.responses import Response

XML_TYPE = "application/xml"


class StorageError(Exception):
    """Ends a request to the storage with an error response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def error(
    status: int,
    code: str,
    message: str,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    violation: bool = False,
) -> Response:
    """
    Return an error.

    Args:
        status: the HTTP status.
        code: its code, also in a header.
        message: its message.
        detail: why an authentication failed.
        headers: further headers.
        violation: whether the storage would refuse such a request from anybody.

    """
    more = f"<AuthenticationErrorDetail>{escape(detail)}</AuthenticationErrorDetail>"
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        f"{more * bool(detail)}</Error>"
    )
    return Response(
        status,
        body.encode(),
        {"Content-Type": XML_TYPE, "x-ms-error-code": code, **(headers or {})},
        f"{status} {code}: {message}" if violation else "",
    )


def unauthenticated(detail: str) -> Response:
    """403 for a signature that is missing, wrong or expired."""
    message = (
        "Server failed to authenticate the request. Make sure the value of Authorization header is "
        "formed correctly including the signature."
    )
    return error(403, "AuthenticationFailed", message, detail)


def condition_not_met() -> Response:
    """412 for a condition of the headers."""
    message = "The condition specified using HTTP conditional header(s) is not met."
    return error(412, "ConditionNotMet", message)


def invalid_query(name: str) -> Response:
    """400 for a parameter of the query."""
    message = (
        f"Value for one of the query parameters specified in the request URI is invalid: {name}."
    )
    return error(400, "InvalidQueryParameterValue", message)


def for_status(status: int) -> Response:
    """Return the error that a storage would most likely send with a status."""
    known = {
        403: unauthenticated("Signature did not match."),
        404: BLOB_NOT_FOUND,
        412: condition_not_met(),
        416: error(416, "InvalidRange", "The range specified is invalid for the current size."),
        503: error(503, "ServerBusy", "The server is busy."),
    }
    return known.get(status) or error(
        status,
        "InternalError",
        "The server encountered an internal error. Please retry the request.",
    )


BEARER_TOKEN = error(
    400,
    "InvalidAuthenticationInfo",
    "A signed URL needs no Authorization header: tokens of the platform never go to a storage.",
    violation=True,
)
BLOB_NOT_FOUND = error(404, "BlobNotFound", "The specified blob does not exist.")
NOT_PERMITTED = error(
    403,
    "AuthorizationPermissionMismatch",
    "This request is not authorized to perform this operation using this permission.",
)
RESOURCE_NOT_FOUND = error(
    404, "ResourceNotFound", "The specified resource does not exist.", violation=True
)
MD5_MISMATCH = error(
    400,
    "Md5Mismatch",
    "The MD5 value specified in the request did not match with the MD5 value calculated by the "
    "server.",
)
INVALID_BLOCK_LIST = error(400, "InvalidBlockList", "The specified block list is invalid.")
INVALID_BLOCK = error(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
INVALID_XML = error(400, "InvalidXmlDocument", "The XML specified is not syntactically valid.")
