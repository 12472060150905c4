"""What the environment says: which platform, which sign-in server, and whose tokens."""

from __future__ import annotations

import os
import re

import attrs

from itwin_async._http import urls
from itwin_async._http.credentials import TokenSource
from itwin_async.auth.authorization_code import AuthorizationCode
from itwin_async.auth.client_credentials import ClientCredentials
from itwin_async.auth.issuer import issuer_url
from itwin_async.auth.records import SignInStore, StoredSignIn
from itwin_async.auth.stores import DefaultStore
from itwin_async.errors import ConfigurationError

_PREFIXES = {"prod": "", "qa": "qa-", "dev": "dev-"}
_PREFIX = re.compile(r"([a-z0-9]+-)?", re.IGNORECASE)
_NO_CREDENTIALS = (
    "no credentials: set ITWIN_ACCESS_TOKEN to a bearer token, or ITWIN_CLIENT_ID and "
    "ITWIN_CLIENT_SECRET to those of a service, or sign in with 'itwin-async login'"
)


@attrs.frozen
class Place:
    """
    A platform and its sign-in server.

    Attributes:
        base_url: the platform.
        issuer: the sign-in server.

    """

    base_url: str
    issuer: str


@attrs.frozen
class Credentials:
    """
    Where a session gets its tokens from.

    Attributes:
        source: the token or the provider.
        way: which of the three it is, in words.
        place: whom they are for.

    """

    source: TokenSource = attrs.field(repr=False)
    way: str
    place: Place


def find_place() -> Place:
    """
    Tell which platform the environment means.

    ``ITWIN_BASE_URL`` and ``ITWIN_ISSUER`` count more than ``ITWIN_ENVIRONMENT`` (``prod``, ``qa``
    or ``dev``), and that more than ``IMJS_URL_PREFIX`` (such as ``qa-``).

    Returns:
        The platform and its sign-in server.

    Raises:
        ConfigurationError: a value makes no sense.

    """
    prefix = _prefix()
    base_url = _value("ITWIN_BASE_URL") or f"https://{prefix}api.bentley.com"
    # There is no sign-in server for dev; it shares that of qa.
    issuer = _value("ITWIN_ISSUER") or (
        f"https://{'qa-' if prefix == 'dev-' else prefix}ims.bentley.com"
    )
    return Place(str(urls.base_url(base_url)), str(issuer_url(issuer)))


def find_credentials(store: SignInStore | None = None) -> Credentials:
    """
    Find what the environment gives to sign in with.

    Args:
        store: where a person's sign-in is kept.

    Returns:
        A token, a service or a stored sign-in, in this order.

    Raises:
        ConfigurationError: there is none of them, or a value makes no sense.

    """
    place = find_place()
    if _value("ITWIN_ACCESS_TOKEN"):
        return Credentials(_value("ITWIN_ACCESS_TOKEN"), "the token in ITWIN_ACCESS_TOKEN", place)
    service = _service(place)
    if service is not None:
        return service
    store = store or DefaultStore()
    record = store.load(place.issuer)
    if record is None:
        raise ConfigurationError(f"{_NO_CREDENTIALS}{_half()}")
    _check_platform(record, place)
    return Credentials(AuthorizationCode.of(record, store=store), "the stored sign-in", place)


def _service(place: Place) -> Credentials | None:
    for first in ("ITWIN", "ITP_SERVICE"):
        names = f"{first}_CLIENT_ID", f"{first}_CLIENT_SECRET"
        if _value(names[0]) and os.environ.get(names[1]):
            source = ClientCredentials(_value(names[0]), os.environ[names[1]], issuer=place.issuer)
            return Credentials(source, f"the service in {names[0]}", place)
    return None


def _check_platform(record: StoredSignIn, place: Place) -> None:
    """
    Keep a person's tokens from a platform that the person did not sign in for.

    A file .env that came with somebody's project can set ``ITWIN_BASE_URL``.
    """
    official = {
        "https://ims.bentley.com": {"https://api.bentley.com/"},
        "https://qa-ims.bentley.com": {
            "https://qa-api.bentley.com/",
            "https://dev-api.bentley.com/",
        },
    }
    if place.base_url not in {record.base_url, *official.get(record.issuer, ())}:
        raise ConfigurationError(
            f"the stored sign-in is for {record.base_url!r}, not for {place.base_url!r}; "
            "to send it there, sign in again with ITWIN_BASE_URL set: 'itwin-async login'"
        )


def _prefix() -> str:
    name = _value("ITWIN_ENVIRONMENT").lower()
    if name:
        if name not in _PREFIXES:
            raise ConfigurationError(f"ITWIN_ENVIRONMENT must be prod, qa or dev; got {name!r}")
        return _PREFIXES[name]
    prefix = _value("IMJS_URL_PREFIX").lower()
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"IMJS_URL_PREFIX must be like 'qa-'; got {prefix!r}")
    return prefix


def _half() -> str:
    for first in ("ITWIN", "ITP_SERVICE"):
        for there, lacking in (("ID", "SECRET"), ("SECRET", "ID")):
            if os.environ.get(f"{first}_CLIENT_{there}", "").strip():
                return f" ({first}_CLIENT_{there} is set, but not {first}_CLIENT_{lacking})"
    return ""


def _value(name: str) -> str:
    return os.environ.get(name, "").strip()
