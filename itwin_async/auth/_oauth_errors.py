"""Errors of the sign-in server; their messages never contain what the request held."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import msgspec

from itwin_async._http.credentials import Secret
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    RateLimitError,
    ServerError,
    TransportError,
)

_OUTAGES = {"server_error": 500, "temporarily_unavailable": 503}
_MESSAGES = {
    "invalid_client": "the sign-in server does not accept this client id and secret",
    "invalid_scope": "the client is not allowed to request these scopes",
    "invalid_grant": "the sign-in has expired; sign in again with 'itwin-async login'",
    "unauthorized_client": "the client is not registered for this grant type",
    "unsupported_grant_type": "the sign-in server does not support this grant type",
    "invalid_request": "the sign-in server rejected the request as malformed",
    "access_denied": "the sign-in was denied",
    "login_required": "the user has to sign in",
    "consent_required": "the user has to consent first",
    "interaction_required": "the user has to sign in",
    "unsupported_response_type": "the sign-in server does not support authorization codes",
    "server_error": "the sign-in server failed",
    "temporarily_unavailable": "the sign-in server is temporarily unavailable",
}
_REJECTIONS = frozenset({400, 401})
_FIRST_SERVER_ERROR = 500
_DESCRIPTION_LIMIT = 200


class _OAuthError(msgspec.Struct):
    error: str
    error_description: str = ""


def explain(error: ApiError, secrets: Iterable[Secret]) -> ApiError:
    """
    Turn an error response of the sign-in server into the error to raise.

    Only a rejection of the client or its grant is an ``AuthenticationError``. Any other response,
    such as a firewall's 403 or a redirect to a maintenance page, counts as an outage.

    Args:
        error: the response's generic error.
        secrets: what the request held.

    """
    code, description = _parse(error.message)
    message = _message(code, f"the sign-in server responded with {error.status}")
    if description and not _contains(description, secrets):
        message = f"{message} ({description})"
    cls: type[ApiError] = ServerError
    if isinstance(error, RateLimitError):
        cls = RateLimitError
    elif error.status < _FIRST_SERVER_ERROR and code not in _OUTAGES:
        cls = AuthenticationError if code or error.status in _REJECTIONS else ServerError
    return cls(
        message,
        status=error.status,
        code=code,
        retry_after=error.retry_after,
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


def redirect_error(code: str, description: str) -> ApiError:
    """Make the error for an error code that the browser brought to the redirect URI."""
    message = _message(code, "the sign-in was denied")
    text = " ".join(description.split())[:_DESCRIPTION_LIMIT]
    if text and text.isprintable():
        message = f"{message} ({text})"
    if code in _OUTAGES:
        return ServerError(message, status=_OUTAGES[code], code=code)
    return AuthenticationError(message, status=401, code=code if code in _MESSAGES else None)


def unreachable(error: TransportError) -> TransportError:
    """Say that the token request failed, so that no request went to the platform."""
    return TransportError(
        f"no response from the sign-in server: {error.args[0]}",
        sent=False,
        timeout=error.timeout,
        retryable=error.retryable,
        kind="token provider",
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


def _message(code: str | None, default: str) -> str:
    return _MESSAGES.get(code or "", default)


def _parse(body: str) -> tuple[str | None, str]:
    try:
        found = msgspec.json.decode(body, type=_OAuthError)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Long bodies are cut; their code usually comes first.
        compact = body.replace(" ", "")
        return next((code for code in _MESSAGES if f'"error":"{code}"' in compact), None), ""
    if found.error not in _MESSAGES:
        return None, ""
    text = found.error_description
    return found.error, text[:_DESCRIPTION_LIMIT] if text.isprintable() else ""


def _contains(text: str, secrets: Iterable[Secret]) -> bool:
    # A server may quote the request.
    for secret in secrets:
        value = secret.reveal()
        forms = {value, quote_plus(value), quote(value, safe=""), " ".join(value.split())}
        if any(form and form in text for form in forms):
            return True
    return False
