"""The URL of a PostgreSQL target, and what of it may be shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

import attrs

from itwin_async._arguments import invalid
from itwin_async.errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_SCHEMA = "itwin"

_SCHEME = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)
_PLAIN = re.compile(r"[a-z]+://([^@/]*@)?[^@/]*(/[^@/\0]*)?", re.IGNORECASE)
_PORT = re.compile(r"[0-9,]*")
_SHOWN = "postgresql://[USER@]HOST[:PORT]/DATABASE[?schema=NAME]"
_LONGEST = 63  # bytes; PostgreSQL cuts longer names off


@attrs.frozen
class Address:
    """
    Where a harvest is.

    Attributes:
        conninfo: how libpq gets there; it may hold a password.
        schema: the schema that its tables are in.
        name: user, host, database and schema, for messages.

    """

    conninfo: str = attrs.field(repr=False)
    schema: str
    name: str

    def __str__(self) -> str:
        return self.name


def is_address(target: object) -> bool:
    """Tell whether a target is one in PostgreSQL."""
    return isinstance(target, str) and _SCHEME.match(target) is not None


def address_of(target: str) -> Address:
    """
    Take a URL apart; what it does not say comes from libpq's environment and files.

    Raises:
        ArgumentError: it is no such URL.
        ConfigurationError: psycopg is not installed.

    """
    psycopg = driver()
    conninfo, schema = _schema_of(target)
    try:
        found = psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.Error:
        found = None
    port = _PORT.fullmatch(str((found or {}).get("port", "")))
    if found is None or port is None or not _PLAIN.fullmatch(conninfo.partition("?")[0]):
        # The driver's message may hold a part of the password, and so may the URL.
        raise invalid(
            "target", "a URL", f"{_SHOWN}, with @ and / in a password written as %40 and %2F"
        )
    return Address(conninfo, schema, _name(found, schema))


def driver() -> ModuleType:
    """Give the module ``psycopg``."""
    try:
        import psycopg  # noqa: PLC0415 - an extra
    except ImportError:  # no module, or no libpq
        raise ConfigurationError(
            "PostgreSQL needs an extra: pip install 'itwin-async[postgres]'"
        ) from None
    return psycopg


def _schema_of(target: str) -> tuple[str, str]:
    """Take the schema out of the query, since libpq does not know it."""
    start, mark, query = target.partition("?")
    parts = query.split("&") if mark else []
    others = [part for part in parts if unquote(part.partition("=")[0]) != "schema"]
    given = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "schema"]
    schema = given[0] if given else DEFAULT_SCHEMA
    fits = 0 < len(schema.encode(errors="replace")) <= _LONGEST and "\0" not in schema
    if len(given) > 1 or not fits or schema.startswith("pg_"):
        raise invalid("schema", schema, "one name of 1 to 63 bytes that does not begin with pg_")
    return f"{start}?{'&'.join(others)}" if others else start, schema


def _name(found: dict[str, object], schema: str) -> str:
    user = f"{quote(str(found['user']))}@" if found.get("user") else ""
    host = str(found.get("host") or found.get("hostaddr") or "")
    port = f":{found['port']}" if found.get("port") else ""
    query = [f"service={found['service']}"] if found.get("service") else []
    if host.startswith(("/", "@")):
        query, host = [f"host={host}", *query], ""
    query += [] if schema == DEFAULT_SCHEMA else [f"schema={quote(schema)}"]
    tail = f"?{'&'.join(query)}" if query else ""
    return f"postgresql://{user}{host}{port}/{found.get('dbname') or ''}{tail}"
