"""What an access token says about itself; a hint, never a proof."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import cast

import msgspec

from itwin_async._http.credentials import Secret

_HOUR = 3600.0


def read_claims(token: Secret) -> Mapping[str, object]:
    """
    Read the claims of a token without checking its signature.

    Args:
        token: the access token.

    Returns:
        The claims; none if it is no JWT.

    """
    parts = token.reveal().split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return {}
    try:
        data = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims: object = msgspec.json.decode(data)
    except (ValueError, msgspec.DecodeError, RecursionError):
        return {}
    return cast("Mapping[str, object]", claims) if isinstance(claims, dict) else {}


def expiry(token: Secret) -> float | None:
    """
    Tell when a token ends, by what it says.

    Args:
        token: the access token.

    Returns:
        Seconds since 1970, or ``None`` if it does not say.

    """
    return _number(read_claims(token).get("exp"))


def lifetime(token: Secret, said: float | None, now: float) -> float:
    """
    Tell how long a token that was just made is good for.

    Args:
        token: the access token.
        said: what the sign-in server said, in seconds.
        now: wall clock in seconds since 1970.

    Returns:
        Seconds; an hour where nothing tells.

    """
    if said is not None:
        return said
    end, start = expiry(token), _number(read_claims(token).get("iat"))
    if end is None:
        return _HOUR
    return max(0.0, end - (now if start is None else start))


def person(token: Secret) -> str:
    """
    Name whom a token stands for.

    Args:
        token: the access token.

    Returns:
        A name, an address or an id; empty if the token says nothing.

    """
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
