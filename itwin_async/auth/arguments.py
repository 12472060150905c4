"""What providers are given, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from yarl import URL

from itwin_async._arguments import invalid
from itwin_async._http.credentials import Secret
from itwin_async._http.urls import parse
from itwin_async.errors import ConfigurationError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def application(client_id: object) -> str:
    """
    Check a client id.

    Args:
        client_id: what the caller gave.

    Returns:
        The id.

    Raises:
        ArgumentError: it cannot be one.

    """
    if not isinstance(client_id, str) or not client_id.strip() or not client_id.isprintable():
        raise invalid("client_id", client_id, "the id of an application")
    return client_id.strip()


def secret_text(value: object) -> Secret | None:
    """
    Wrap a client secret, exactly as it is.

    Args:
        value: what the caller gave.

    Returns:
        The secret; ``None`` if it cannot be one, so that no frame that raises holds it.

    """
    if not isinstance(value, str) or not value:
        return None
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return Secret(value)


def scope_names(scopes: object) -> tuple[str, ...]:
    """
    Check scopes.

    Args:
        scopes: names, or one text of names with blanks between.

    Returns:
        The names, each once.

    Raises:
        ArgumentError: there is none, or one cannot be a scope.

    """
    if isinstance(scopes, str):
        scopes = scopes.split()
    if not isinstance(scopes, Iterable):
        raise invalid("scopes", scopes, "names of scopes")
    names = tuple(dict.fromkeys(cast("Iterable[object]", scopes)))
    if not names or not all(isinstance(name, str) and _SCOPE.fullmatch(name) for name in names):
        raise invalid("scopes", names, "names of scopes")
    return cast("tuple[str, ...]", names)


def loopback_uri(value: object) -> URL:
    """
    Check a redirect address.

    Args:
        value: what the caller gave.

    Returns:
        The address.

    Raises:
        ConfigurationError: it does not lead to this machine.

    """
    fault = "the redirect address must be like 'http://localhost:3000/signin-callback'"
    try:
        url = parse(str(value))
    except ValueError:
        raise ConfigurationError(fault) from None
    here = url.host in _LOOPBACK and bool(url.port)
    if url.scheme != "http" or not here or url.user or url.password:
        raise ConfigurationError(f"{fault}: http, and localhost, 127.0.0.1 or [::1]")
    if url.raw_query_string or url.raw_fragment or not url.raw_path.startswith("/"):
        raise ConfigurationError(f"{fault}: with a path, without query")
    return url
