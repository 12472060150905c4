"""What the sign-in server knows: applications, codes and refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from urllib.parse import unquote_plus

import attrs

from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.responses import Response, json_response
from itwin_async.emulator.world.ids import guid_of

PLATFORM_SCOPE = "itwin-platform"
OFFLINE_SCOPE = "offline_access"
USER_SCOPES = ("openid", "email", "profile", "organization")
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuthError(Exception):
    """
    An error of OAuth.

    Args:
        code: the error code.
        description: the message.
        status: the HTTP status.

    """

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(code, description, status)
        self.code = code
        self.description = description
        self.status = status

    def response(self) -> Response:
        """Return the response of the token endpoint."""
        content: JsonObject = {"error": self.code, "error_description": self.description}
        headers = dict(_NO_STORE)
        if self.status == 401:  # noqa: PLR2004 - the status is the name
            headers["WWW-Authenticate"] = 'Basic realm="emulator"'
        return json_response(self.status, content, headers)


@attrs.frozen
class OAuthClient:
    """
    An application that may ask for tokens.

    Args:
        client_id: its id.
        secret: its secret; None for a public application.
        redirect_uris: its registered redirect URIs.
        scopes: the scopes that it may ask for.

    """

    client_id: str
    secret: str | None = None
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = (PLATFORM_SCOPE, OFFLINE_SCOPE, *USER_SCOPES)

    @property
    def service_user(self) -> str:
        """The name of the user that a service is."""
        return f"{self.client_id}@apps.imsoidc.bentley.com"


@attrs.frozen
class TokenRequest:
    """
    A request to the token endpoint.

    Args:
        grant: the grant type.
        client_id: the application.
        status: the status of the response.
        error: the error code, if any.
        time: when, by the emulator's clock.

    """

    grant: str
    client_id: str
    status: int
    error: str | None
    time: float


def default_clients() -> dict[str, OAuthClient]:
    """Return the applications that every emulator knows."""
    callbacks = tuple(f"http://localhost:{port}/signin-callback" for port in (3000, 3301))
    clients = (
        OAuthClient("demo-service", "demo-secret", scopes=(PLATFORM_SCOPE,)),
        OAuthClient("demo-native", redirect_uris=callbacks),
    )
    return {client.client_id: client for client in clients}


def token_response(content: JsonObject) -> Response:
    """Return a successful response of the token endpoint."""
    return json_response(200, content, _NO_STORE)


def basic_credentials(header: str) -> tuple[str, str]:
    """Return the form-encoded id and secret of a header; OAuthError if it is malformed."""
    scheme, _, value = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        text = base64.b64decode(value.strip(), validate=True).decode("ascii")
    except ValueError:
        raise OAuthError("invalid_client", "The Authorization header is not valid.", 401) from None
    client_id, colon, secret = text.partition(":")
    if not colon:
        raise OAuthError("invalid_client", "The Authorization header is not valid.", 401)
    return unquote_plus(client_id), unquote_plus(secret)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def read_scopes(text: str | None, client: OAuthClient) -> tuple[str, ...]:
    """Return a list of scopes; OAuthError if the application may not ask for one of them."""
    if not text:
        return tuple(scope for scope in client.scopes if scope == PLATFORM_SCOPE)
    scopes = tuple(dict.fromkeys(text.split()))
    for scope in scopes:
        if scope not in client.scopes:
            raise OAuthError("invalid_scope", f"The scope '{scope}' is not allowed.")
    return scopes


def write_jwt(claims: Mapping[str, object]) -> str:
    """Return a JSON web token; its signature is not a real one."""
    header = {"alg": "RS256", "kid": "emulator", "typ": "JWT"}
    parts = [_part(json.dumps(part).encode()) for part in (header, claims)]
    signature = _part(hashlib.sha512(".".join(parts).encode()).digest() * 4)
    return ".".join([*parts, signature])


def secret_text(kind: str, number: int) -> str:
    """Return a code or refresh token."""
    return _part(hashlib.sha256(f"{kind}:{number}:{guid_of(kind)}".encode()).digest())


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
