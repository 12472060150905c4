"""Object stores by their addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from itwin_async._arguments import invalid
from itwin_async.errors import ConfigurationError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_OF_CLIENT = {
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "pool_idle_timeout",
    "proxy_ca_certificate",
    "proxy_url",
    "timeout",
    "user_agent",
}
_PREFIXES = {"s3": "aws_", "s3a": "aws_", "gs": "google_"}
_MEMORY: dict[str, ObjectStore] = {}


def store_of(url: str, options: Mapping[str, str]) -> ObjectStore:
    """
    Make a store of an address and options by the names that ``deltalake`` and others take.

    What is not given comes from the environment. ``memory://NAME`` is one store in this process.

    Raises:
        ArgumentError: an option is not known; its value is not told.
        ConfigurationError: ``obstore`` is not installed.

    """
    stores = library().store
    scheme = urlsplit(url).scheme.lower()
    if scheme == "memory":
        return _MEMORY.setdefault(url, stores.MemoryStore())
    prefix = _PREFIXES.get(scheme, "azure_")
    config, client = {}, {}
    for name, value in options.items():
        plain = name.lower().removeprefix(prefix)
        if plain in _OF_CLIENT:
            client[plain] = value
        elif scheme in _PREFIXES:
            config[prefix + plain] = value
        else:
            config[name.lower()] = value
    allowed = os.environ.get(f"{prefix}allow_http".upper())
    if client and allowed is not None:  # options of a client leave out those of the environment
        client.setdefault("allow_http", allowed)
    try:
        store: ObjectStore = stores.from_url(
            url, config=config or None, client_options=client or None
        )
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        names = ", ".join(options) or "the environment"
        raise invalid("storage_options", names, f"what a store of {scheme}:// takes") from None
    return store


def library() -> ModuleType:
    """
    Import ``obstore`` and pyarrow.

    Raises:
        ConfigurationError: one of them is not installed.

    """
    try:
        import obstore  # noqa: PLC0415 - an extra
        import obstore.exceptions  # noqa: PLC0415
        import obstore.store  # noqa: PLC0415
        import pyarrow  # noqa: F401, ICN001, PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Parquet in an object store needs an extra: pip install 'itwin-async[objectstore]'"
        ) from None
    return obstore
