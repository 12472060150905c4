"""Tokens as a sign-in server returns them, and the claims inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any

import attrs
import msgspec

from itwin_async._http.attempt import Response
from itwin_async._http.credentials import Secret
from itwin_async.errors import DecodeError

_DEFAULT_LIFETIME = 3600.0


class _TokenResponse(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]+\Z")]
    token_type: Annotated[str, msgspec.Meta(pattern="(?i)^bearer$")] = "Bearer"  # noqa: S105
    expires_in: Any = None  # some servers send a string
    refresh_token: str | None = None


@attrs.frozen
class Tokens:
    """An access token and what came with it; ``expires_in`` in seconds."""

    access: Secret
    expires_in: float | None = None
    refresh: Secret | None = None

    def lifetime(self, now: float) -> float:
        """
        Return for how many seconds the access token is valid from when it was issued.

        Args:
            now: wall clock in seconds since 1970.

        """
        if self.expires_in is not None:
            return self.expires_in
        claims = read_claims(self.access)
        end, start = _number(claims.get("exp")), _number(claims.get("iat"))
        if end is None:
            return _DEFAULT_LIFETIME
        return max(0.0, end - (now if start is None else start))


def read_tokens(response: Response) -> Tokens:
    """Read a successful response of the token endpoint."""
    found = _decode(response.body)
    if isinstance(found, Tokens):
        return found
    raise response.blame(DecodeError(f"the sign-in server's token response: {found}"))


def _decode(body: bytes) -> Tokens | str:
    # Faults are returned: no frame of a traceback may hold a token.
    try:
        response = msgspec.json.decode(body, type=_TokenResponse)
    except msgspec.DecodeError as problem:
        return str(problem)  # quotes no values
    except (UnicodeDecodeError, RecursionError):
        return "not JSON"
    refresh = Secret(response.refresh_token) if response.refresh_token else None
    return Tokens(Secret(response.access_token), _seconds(response.expires_in), refresh)


def _seconds(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else -1.0
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < float("inf") else None


def read_claims(token: Secret) -> Mapping[str, object]:
    """Read the claims of a JWT without checking its signature; empty for other tokens."""
    parts = token.reveal().split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return {}
    try:
        data = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(data, type=dict[str, object])
    except (ValueError, msgspec.DecodeError, RecursionError):
        return {}


def user_name(token: Secret) -> str:
    """Return the name, address or id in a token's claims; empty if there is none."""
    claims = read_claims(token)
    for name in ("name", "email", "preferred_username", "sub", "client_id"):
        value = claims.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
