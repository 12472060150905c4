"""What a sign-in server answers: tokens, or a refusal put into words that hold no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

import attrs
import msgspec

from itwin_async._http.attempt import Response
from itwin_async._http.credentials import Secret
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    DecodeError,
    RateLimitError,
    ServerError,
    TransportError,
)

_SERVER = 500  # the first status that the server itself is to blame for
_WORDS = {
    "invalid_client": "the sign-in server does not accept the client id with this secret",
    "invalid_scope": "the client may not ask for these scopes",
    "invalid_grant": "the sign-in has ended; sign in again with 'itwin-async login'",
    "unauthorized_client": "the client is not registered for this way to sign in",
    "unsupported_grant_type": "the sign-in server does not offer this way to sign in",
    "invalid_request": "the sign-in server found the request malformed",
    "access_denied": "the sign-in was refused",
    "login_required": "the person has to sign in",
    "consent_required": "the person has to agree first",
    "interaction_required": "the person has to sign in",
    "unsupported_response_type": "the sign-in server does not offer this way to sign in",
    "server_error": "the sign-in server failed",
    "temporarily_unavailable": "the sign-in server is busy",
}


@attrs.frozen
class Tokens:
    """
    What a token endpoint handed out.

    Attributes:
        access: the access token.
        lifetime: seconds that it is good for, or ``None`` if that was not said.
        refresh: the refresh token, or ``None``.

    """

    access: Secret
    lifetime: float | None = None
    refresh: Secret | None = None


def read_tokens(response: Response) -> Tokens:
    """
    Read the answer of a token endpoint.

    Args:
        response: the answer; its status is 2xx.

    Returns:
        The tokens.

    Raises:
        DecodeError: it holds no token.

    """
    found = _tokens(response)
    if isinstance(found, Tokens):
        return found
    raise response.blame(DecodeError(f"the sign-in server's answer {found}"))


def _tokens(response: Response) -> Tokens | str:
    # Faults are returned: no frame of a traceback may hold the answer.
    try:
        answer: object = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "is not JSON"
    if not isinstance(answer, Mapping):
        return "is not an object"
    kind, access = answer.get("token_type", "Bearer"), answer.get("access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return "holds a token of another kind than Bearer"
    if not isinstance(access, str) or not access or not (access.isascii() and access.isprintable()):
        return "holds no access token"
    refresh = answer.get("refresh_token")
    if refresh is not None and not isinstance(refresh, str):
        return "holds a refresh token that is not a text"
    return Tokens(
        Secret(access), _seconds(answer.get("expires_in")), Secret(refresh) if refresh else None
    )


def _seconds(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else -1.0
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < float("inf") else None


def explain(error: ApiError, secrets: Iterable[Secret]) -> ApiError:
    """
    Put a sign-in server's refusal into an error of ours that quotes nothing it might have echoed.

    Args:
        error: what the answer was taken for.
        secrets: what the request held.

    Returns:
        Another error: ``AuthenticationError`` for a refusal, ``ServerError`` for 5xx.

    """
    code, description = _said(error.message)
    if code is None:
        words = f"the sign-in server answered with {error.status}"
        if error.status < _SERVER:
            words = f"{words}: no token for this client"
    else:
        words = _WORDS[code]
        if description and not _holds(description, secrets):
            words = f"{words} (it says: {description})"
    cls: type[ApiError] = AuthenticationError
    if error.status >= _SERVER or isinstance(error, RateLimitError):
        cls = RateLimitError if isinstance(error, RateLimitError) else ServerError
    return cls(
        words,
        status=error.status,
        code=code,
        retry_after=error.retry_after,
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


def refusal(code: str, description: str = "") -> AuthenticationError:
    """
    Make the error for a refusal that came to the redirect address.

    Args:
        code: OAuth's error code.
        description: what the sign-in server adds.

    Returns:
        The error, not raised.

    """
    known = code if code in _WORDS else None
    words = _WORDS.get(code, "the sign-in was refused")
    text = " ".join(description.split())[:200]
    if text and text.isprintable():
        words = f"{words} (it says: {text})"
    return AuthenticationError(words, status=401, code=known)


def lost(error: TransportError) -> TransportError:
    """
    Say that no token could be had, and that therefore the platform was not asked.

    Args:
        error: how the token request failed.

    Returns:
        Another error.

    """
    return TransportError(
        f"no answer from the sign-in server: {error.args[0]}",
        sent=False,
        timeout=error.timeout,
        retryable=error.retryable,
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


def _said(body: str) -> tuple[str | None, str]:
    try:
        answer: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Long answers are cut; their code usually comes first.
        found = next((code for code in _WORDS if f'"error":"{code}"' in body.replace(" ", "")), "")
        return found or None, ""
    if not isinstance(answer, Mapping):
        return None, ""
    code, text = answer.get("error"), answer.get("error_description")
    if not isinstance(code, str) or code not in _WORDS:
        return None, ""
    text = text if isinstance(text, str) and text.isprintable() else ""
    return code, text[:200]


def _holds(text: str, secrets: Iterable[Secret]) -> bool:
    # A server may quote the request. What is secret may be as short as a letter, then nothing is
    # quoted back.
    for secret in secrets:
        value = secret.reveal()
        forms = {value, quote_plus(value), quote(value, safe=""), " ".join(value.split())}
        if any(form and form in text for form in forms):
            return True
    return False
