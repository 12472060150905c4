"""How a corporate network is reached: proxies and certificate authorities of the environment."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TypedDict
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from itwin_async._http.call_options import Tls
from itwin_async._http.urls import is_loopback
from itwin_async.errors import ConfigurationError

CA_FILE = "ITWIN_CA_FILE"
OF_PYTHON = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # of OpenSSL, and so of Python


class Network(TypedDict, total=False):
    """
    How a host is reached.

    Attributes:
        proxy: address of an HTTP proxy, as for aiohttp.
        ssl: TLS settings, as for aiohttp.
        trust_env: whether proxies are taken from the environment.

    """

    proxy: str | URL | None
    ssl: Tls
    trust_env: bool


def network_of_environment(url: URL) -> Network:
    """
    Read how a host is reached off the environment; there is no proxy to this machine itself.

    Raises:
        ConfigurationError: a variable names something that holds no certificates.

    """
    found = Network(trust_env=not is_loopback(url.host or ""))
    context = _context()
    if context is not None:
        found["ssl"] = context
    return found


def proxy_of_environment(url: URL) -> str | None:
    """
    Find the proxy for a host.

    Raises:
        ConfigurationError: it is of a kind that aiohttp does not know.

    """
    # aiohttp would look it up for every request, and fail where a netrc file knows the host.
    proxies = getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address or proxy_bypass(url.raw_authority):
        return None
    scheme, separator, _ = address.partition("://")
    if not separator:
        return f"http://{address}"
    if scheme.lower() not in {"http", "https"}:
        raise ConfigurationError(
            f"the proxy that the environment names for {url.scheme} must be an http or https one; "
            f"it is of the kind {scheme!r}"
        )
    return address


def _context() -> ssl.SSLContext | None:
    # aiohttp's own context was made when aiohttp was imported, perhaps before these were set.
    own = os.environ.get(CA_FILE, "").strip()
    given = [name for name in OF_PYTHON if os.environ.get(name)]
    if not own and not given:
        return None
    for name in given:  # OpenSSL would trust nobody, and not say why
        path = Path(os.environ[name])
        if not (path.is_file() if name == "SSL_CERT_FILE" else path.is_dir()):
            raise ConfigurationError(f"{name} is {str(path)!r}, which is not there")
    context = ssl.create_default_context()
    if own:
        try:
            context.load_verify_locations(own)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or type(problem).__name__
            raise ConfigurationError(
                f"{CA_FILE} must be a file of certificates in PEM; cannot read {own!r}: {reason}"
            ) from None
    return context
