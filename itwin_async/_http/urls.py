"""Pure rules for URLs: base URL, path segments, queries, and the links that the platform sends."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from urllib.parse import quote
from uuid import UUID

from yarl import URL

from itwin_async._arguments import invalid
from itwin_async.errors import ConfigurationError

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
UNSAFE = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_PLAIN = re.compile(r"[0-9A-Za-z_~-]+")
_ID_LIMIT = 256
_SHOWN = 120

Query = Iterable[tuple[str, str]]


def parse(value: str | URL, *, encoded: bool = True) -> URL:
    """
    Read a URL that has a host and a port, or none, but nothing that is neither.

    Raises:
        ValueError: it is malformed.

    """
    try:
        url = URL(value, encoded=encoded)
        _ = url.host, url.port
    except (TypeError, IndexError):  # the latter is what yarl makes of "//[::1]@"
        raise ValueError("not a URL") from None
    return url


def base_url(value: str | URL) -> URL:
    """
    Check the address of the platform.

    Raises:
        ConfigurationError: it is not such an address.

    """
    try:
        url = parse(value, encoded=False)
    except ValueError:
        raise ConfigurationError(f"base_url is not a URL: {_safe(value)}") from None
    host, port = url.host, url.port
    example = "give scheme and host, such as 'https://api.bentley.com'"
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"base_url must not hold user information; {example}")
    if url.scheme not in {"http", "https"} or not host or port is None:
        raise ConfigurationError(f"base_url {_safe(value)} lacks scheme or host; {example}")
    if UNSAFE.search(str(value)):
        raise ConfigurationError(f"base_url {_safe(value)} holds blanks or backslashes; {example}")
    if url.raw_query_string or url.raw_fragment:
        raise ConfigurationError(f"base_url must not have a query or fragment; {example}")
    if url.raw_path not in {"", "/"}:
        raise ConfigurationError(
            f"base_url must not have a path, got {url.raw_path!r}; "
            f"operations add theirs, such as /imodels; {example}"
        )
    if url.scheme == "http" and not is_loopback(host):
        raise ConfigurationError("base_url must be https unless its host is loopback")
    return url.with_path("/")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address stands for this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origin(url: URL) -> tuple[str, str | None, int | None]:
    """Reduce a URL to what decides who gets the token."""
    return url.scheme, (url.host or "").lower().rstrip("."), url.port


def target(path: str, query: Query = ()) -> str:
    """Write path and query the way the platform documents them: dollar signs stay as they are."""
    pairs = "&".join(f"{quote(name, safe='$')}={quote(value, safe=',')}" for name, value in query)
    if not pairs:
        return path
    joint = "?" if "?" not in path else "" if path[-1] in "?&" else "&"
    return f"{path}{joint}{pairs}"


def origin_text(base: URL) -> str:
    """Write the part of a base URL that stands before every path."""
    return f"{base.scheme}://{base.raw_authority}"


def is_target(text: object) -> bool:
    """Tell whether a text can stand behind scheme and authority."""
    if not isinstance(text, str) or text[:1] != "/" or text[:2] == "//" or "#" in text:
        return False
    if text.isascii() and text.isprintable():
        return " " not in text and "\\" not in text
    return not UNSAFE.search(text)


def resolve(base: URL, request_target: str) -> URL:
    """Put a request target behind the base URL, byte for byte."""
    if "?" not in request_target:
        return base.with_path(request_target, encoded=True)
    return URL(origin_text(base) + request_target, encoded=True)


def segment(name: str, value: object, fixed: Collection[str] = ()) -> str:
    """
    Quote an id as one segment of a path.

    Args:
        name: of the argument.
        value: the id.
        fixed: words, in lower case, that lead elsewhere.

    Raises:
        ArgumentError: it cannot be an id.

    """
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str):
        raise invalid(name, value, "an id (str or UUID)")
    if len(value) > _ID_LIMIT:
        raise invalid(name, value, f"an id of at most {_ID_LIMIT} characters")
    if fixed and value.lower() in fixed:
        raise invalid(name, value, "an id, not a fixed part of the platform's paths")
    if _PLAIN.fullmatch(value):
        return value
    if (
        not value.isprintable()
        or value in {"", ".", ".."}
        or re.search(r"[\s\x00-\x1f\x7f/?#%\\]", value)
    ):
        raise invalid(name, value, "an id without spaces, '/', '?', '#', '%' or '\\\\'")
    return quote(value, safe="")


def new_id(name: str, value: object) -> str:
    """
    Check an id that the caller chooses for something new.

    Raises:
        ArgumentError: no request could name it.

    """
    segment(name, value)
    return str(value)


def is_guid(value: str) -> bool:
    """Tell whether a text is a GUID."""
    return _GUID.fullmatch(value) is not None


def guid(name: str, value: object) -> str:
    """
    Check an id that the platform documents as a GUID, and write it as text.

    Raises:
        ArgumentError: it is no GUID.

    """
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise invalid(name, value, "a GUID, such as '7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11'")
    return value


def _safe(value: object) -> str:
    return repr(shown(str(value)))


def shown(text: str) -> str:
    """Cut a URL down to what a message may show."""
    # What stands before an @ may be a password, what follows a ? or # a signature.
    head, _, tail = text.rpartition("@")
    shown = "" if re.search("[?#]", head) else re.split("[?#]", tail, maxsplit=1)[0]
    return shown if shown == text and len(text) <= _SHOWN else f"{shown[:_SHOWN]}..."
