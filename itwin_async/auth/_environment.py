"""Credentials and platform from environment variables."""

from __future__ import annotations

import os
import re

import attrs
from yarl import URL

from itwin_async._http import urls
from itwin_async._http.credentials import TokenSource
from itwin_async._http.network import Network, network_of_environment
from itwin_async.auth._discovery import issuer_url
from itwin_async.auth.authorization_code import AuthorizationCode
from itwin_async.auth.client_credentials import ClientCredentials
from itwin_async.auth.stores import DefaultStore, SignInStore, StoredSignIn
from itwin_async.errors import ConfigurationError
from itwin_async.settings import Settings

_SERVICES = ("ITWIN", "ITP_SERVICE")
_PREFIXES = {"prod": "", "qa": "qa-", "dev": "dev-"}
_PREFIX = re.compile(r"([a-z0-9]+-)?", re.IGNORECASE)
_OFFICIAL = {
    "https://ims.bentley.com": {"https://api.bentley.com/"},
    "https://qa-ims.bentley.com": {"https://qa-api.bentley.com/", "https://dev-api.bentley.com/"},
}


@attrs.frozen
class Platform:
    """Addresses of a platform and of its sign-in server."""

    base_url: str
    issuer: str


@attrs.frozen
class Credentials:
    """A token source, what it is in words, and the platform that it is for."""

    source: TokenSource = attrs.field(repr=False)
    description: str
    platform: Platform


def variable(name: str) -> str:
    """Return an environment variable without blanks around it; empty if it is not set."""
    return os.environ.get(name, "").strip()


def find_platform() -> Platform:
    """
    Return the platform that the environment selects.

    ``ITWIN_BASE_URL`` and ``ITWIN_ISSUER`` override ``ITWIN_ENVIRONMENT`` (``prod``, ``qa`` or
    ``dev``), and that overrides ``IMJS_URL_PREFIX`` (such as ``qa-``).

    Raises:
        ConfigurationError: a variable is invalid.

    """
    prefix = _prefix()
    # There is no sign-in server for dev; it shares that of qa.
    sign_in_prefix = "qa-" if prefix == "dev-" else prefix
    base_url = variable("ITWIN_BASE_URL") or f"https://{prefix}api.bentley.com"
    issuer = variable("ITWIN_ISSUER") or f"https://{sign_in_prefix}ims.bentley.com"
    return Platform(str(urls.base_url(base_url)), str(issuer_url(issuer)))


def find_credentials(
    store: SignInStore | None = None, network: Network | None = None
) -> Credentials:
    """
    Return the token, service or stored sign-in of the environment, in this order.

    The sign-in server is reached as ``network`` says, by default as the environment says.

    Raises:
        ConfigurationError: there is none of them, or a variable is invalid.

    """
    platform = find_platform()
    token = "ITWIN_ACCESS_TOKEN"  # noqa: S105 - the variable's name
    if variable(token):
        return Credentials(variable(token), f"the token in {token}", platform)
    for first in _SERVICES:
        name, secret = f"{first}_CLIENT_ID", f"{first}_CLIENT_SECRET"
        if variable(name) and os.environ.get(secret):
            service = ClientCredentials(
                variable(name),
                os.environ[secret],
                issuer=platform.issuer,
                **network_of_sign_in(platform, network),
            )
            return Credentials(service, f"the service in {name}", platform)
    store = store or DefaultStore()
    record = store.load(platform.issuer)
    if record is None:
        raise ConfigurationError(
            "no credentials: set ITWIN_ACCESS_TOKEN to an access token, or ITWIN_CLIENT_ID and "
            "ITWIN_CLIENT_SECRET to those of a service, or sign in with 'itwin-async login'"
            f"{_incomplete_service()}"
        )
    _check_platform(record, platform)
    person = AuthorizationCode.of(record, store=store, **network_of_sign_in(platform, network))
    return Credentials(person, "the stored sign-in", platform)


def network_of_sign_in(platform: Platform, network: Network | None = None) -> Network:
    """Tell how the sign-in server is reached."""
    return {**network_of_environment(URL(platform.issuer)), **(network or {})}


def complete(settings: Settings) -> tuple[Credentials, Settings]:
    """
    Find credentials, and complete the settings of a session by what the environment says.

    Raises:
        ConfigurationError: as ``find_credentials``.

    """
    given = Network()
    if "proxy" in settings:
        given["proxy"] = settings["proxy"]
    if "ssl" in settings:
        given["ssl"] = settings["ssl"]
    if "trust_env" in settings:
        given["trust_env"] = settings["trust_env"]
    found = find_credentials(network=given)
    return found, complete_network(settings, found.platform)


def complete_network(settings: Settings, platform: Platform) -> Settings:
    """
    Complete the settings of a session by the platform, the proxies and certificates found.

    Raises:
        ConfigurationError: the file of certificates cannot be read.

    """
    completed = settings.copy()
    completed.setdefault("base_url", platform.base_url)
    if settings.get("client_session") is None:
        base_url = settings.get("base_url", platform.base_url)
        network = network_of_environment(URL(base_url))
        completed.setdefault("trust_env", network.get("trust_env", False))
        if "ssl" in network and settings.get("connector") is None:
            completed.setdefault("ssl", network["ssl"])
    return completed


def _check_platform(record: StoredSignIn, platform: Platform) -> None:
    # A file .env that came with somebody's project can set ITWIN_BASE_URL.
    if platform.base_url not in {record.base_url, *_OFFICIAL.get(record.issuer, ())}:
        raise ConfigurationError(
            f"the stored sign-in is for {record.base_url!r}, not for {platform.base_url!r}; "
            "to use it there, run 'itwin-async login' again with ITWIN_BASE_URL set"
        )


def _prefix() -> str:
    name = variable("ITWIN_ENVIRONMENT").lower()
    if name:
        if name not in _PREFIXES:
            raise ConfigurationError(f"ITWIN_ENVIRONMENT must be prod, qa or dev; got {name!r}")
        return _PREFIXES[name]
    prefix = variable("IMJS_URL_PREFIX").lower()
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"IMJS_URL_PREFIX must be like 'qa-'; got {prefix!r}")
    return prefix


def _incomplete_service() -> str:
    for first in _SERVICES:
        for present, missing in (("ID", "SECRET"), ("SECRET", "ID")):
            if variable(f"{first}_CLIENT_{present}"):
                return f" ({first}_CLIENT_{present} is set, but not {first}_CLIENT_{missing})"
    return ""
