"""The sign-in server's address and its discovery document."""

from __future__ import annotations

from typing import Annotated

import attrs
import msgspec
from yarl import URL

from itwin_async._http import urls
from itwin_async.errors import ConfigurationError, DecodeError

PRODUCTION_ISSUER = "https://ims.bentley.com"


@attrs.frozen
class Endpoints:
    """Where the sign-in server takes requests; ``None`` for what it does not offer."""

    token: URL
    authorization: URL | None = None
    revocation: URL | None = None


class _Document(msgspec.Struct):
    token_endpoint: Annotated[str, msgspec.Meta(min_length=1)]
    issuer: str | None = None
    authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None


def issuer_url(value: str | URL) -> URL:
    """Check the address of a sign-in server and strip its trailing slash."""
    url = _safe_url(str(value).rstrip("/"))
    if url is None or url.raw_query_string or url.raw_fragment:
        raise ConfigurationError(
            "issuer must be an https URL (http only on loopback) without query, "
            f"such as {PRODUCTION_ISSUER!r}"
        )
    return url


def discovery_url(issuer: URL) -> URL:
    """Return the address of the discovery document."""
    return URL(f"{str(issuer).rstrip('/')}/.well-known/openid-configuration", encoded=True)


def read_endpoints(issuer: URL, body: bytes) -> Endpoints:
    """
    Read a discovery document.

    Raises:
        DecodeError: it is not a discovery document.
        ConfigurationError: it belongs to another issuer, or an endpoint in it is not safe.

    """
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise DecodeError(f"the sign-in server's discovery document: {problem}") from None
    if document.issuer is None or _normalized(document.issuer) != _normalized(str(issuer)):
        raise ConfigurationError(
            f"the server at {str(issuer)!r} has the issuer {str(document.issuer)[:120]!r}; "
            "configure that one"
        )
    return Endpoints(
        _endpoint("token_endpoint", document.token_endpoint),
        _optional_endpoint("authorization_endpoint", document.authorization_endpoint),
        _optional_endpoint("revocation_endpoint", document.revocation_endpoint),
    )


def _optional_endpoint(name: str, value: str | None) -> URL | None:
    return _endpoint(name, value) if value else None


def _endpoint(name: str, value: str) -> URL:
    url = _safe_url(value)
    if url is None or url.raw_fragment:
        raise ConfigurationError(
            f"the sign-in server's {name} must be an https URL (http only on loopback)"
        )
    return url


def _safe_url(text: str) -> URL | None:
    try:
        url = urls.parse(text)
    except ValueError:
        return None
    host = url.host
    if not host or url.port is None or url.user is not None or url.password is not None:
        return None
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    safe = url.scheme == "https" or (url.scheme == "http" and urls.is_loopback(host))
    return url if safe else None


def _normalized(issuer: str) -> str:
    return issuer.rstrip("/").lower()
