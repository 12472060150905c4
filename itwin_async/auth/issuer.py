"""The sign-in server's address, and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec
from yarl import URL

from itwin_async._http import urls
from itwin_async.errors import ConfigurationError, DecodeError

PRODUCTION_ISSUER = "https://ims.bentley.com"

_EXAMPLE = f"give an address such as {PRODUCTION_ISSUER!r}"


@attrs.frozen
class Endpoints:
    """
    Where the sign-in server takes requests.

    Attributes:
        token: hands out tokens.
        authorization: where a person signs in; ``None`` if there is no such page.
        revocation: takes tokens back; ``None`` if it cannot.

    """

    token: URL
    authorization: URL | None = None
    revocation: URL | None = None


def issuer_url(value: str | URL) -> URL:
    """
    Check the address of a sign-in server.

    Args:
        value: https, or http on loopback; a slash at the end is taken off.

    Returns:
        The address.

    Raises:
        ConfigurationError: it is not such an address.

    """
    text = str(value).rstrip("/")
    url = _safe_url(text)
    if url is None or url.raw_query_string or url.raw_fragment:
        raise ConfigurationError(
            f"the issuer must be https (or http on loopback) without query; {_EXAMPLE}"
        )
    return url


def discovery_url(issuer: URL) -> URL:
    """
    Tell where a sign-in server describes itself.

    Args:
        issuer: its address.

    Returns:
        The address of the document.

    """
    return URL(f"{str(issuer).rstrip('/')}/.well-known/openid-configuration", encoded=True)


def read_endpoints(issuer: URL, body: bytes) -> Endpoints:
    """
    Read a sign-in server's description of itself.

    Args:
        issuer: its address; the document must name the same.
        body: the document.

    Returns:
        Where it takes requests.

    Raises:
        DecodeError: it is no such document.
        ConfigurationError: it belongs to another issuer, or an address in it is not safe.

    """
    try:
        document: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise DecodeError("the sign-in server's description is not JSON") from None
    if not isinstance(document, Mapping) or not isinstance(document.get("token_endpoint"), str):
        raise DecodeError(
            "the sign-in server's description names no token endpoint",
            json_path="$.token_endpoint",
        )
    named = document.get("issuer")
    if not isinstance(named, str) or _plain(named) != _plain(str(issuer)):
        raise ConfigurationError(
            f"the server at {str(issuer)!r} calls itself {str(named)[:120]!r}; "
            "set the issuer to the name that the sign-in server gives itself"
        )
    token = _endpoint(document, "token_endpoint")
    if token is None:
        raise DecodeError(
            "the sign-in server's description names no token endpoint",
            json_path="$.token_endpoint",
        )
    return Endpoints(
        token,
        _endpoint(document, "authorization_endpoint"),
        _endpoint(document, "revocation_endpoint"),
    )


def _endpoint(document: Mapping[object, object], name: str) -> URL | None:
    value = document.get(name)
    if value is None or value == "":
        return None
    url = _safe_url(value) if isinstance(value, str) else None
    if url is None or url.raw_fragment:
        raise ConfigurationError(
            f"refused the {name} of the sign-in server: it must be https, or http on loopback"
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
    fit = url.scheme == "https" or (url.scheme == "http" and urls.is_loopback(host))
    return url if fit else None


def _plain(text: str) -> str:
    return text.rstrip("/").lower()
