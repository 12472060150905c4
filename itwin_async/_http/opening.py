"""The aiohttp session that requests go through: one of our own, or one that is handed in."""

from __future__ import annotations

import re

import aiohttp
import attrs
from yarl import URL

from itwin_async._http import urls
from itwin_async._version import __version__
from itwin_async.errors import ArgumentError, ConfigurationError

_LINE = re.compile(r"[\x20-\x7e]*")


@attrs.frozen(eq=False, repr=False)
class Opening:
    """
    How to come by an aiohttp session, and whether it is ours to close.

    Args:
        borrowed: the session that was handed in, or ``None``.
        connector: the connector that was handed in, or ``None``.
        limit: connections of a connector of our own.
        headers: headers of every request.
        traces: aiohttp's trace configurations.

    """

    borrowed: aiohttp.ClientSession | None
    connector: aiohttp.BaseConnector | None
    limit: int
    headers: dict[str, str]
    traces: list[aiohttp.TraceConfig]

    def __call__(self) -> aiohttp.ClientSession:
        """
        Give the session that was handed in, or make one.

        Returns:
            An open session.

        Raises:
            ConfigurationError: the connector that was handed in is closed.

        """
        if self.borrowed is not None:
            return self.borrowed
        if self.connector is not None and self.connector.closed:
            raise ConfigurationError("the connector that was handed in is closed")
        http = aiohttp.ClientSession(
            connector=self.connector or aiohttp.TCPConnector(limit=self.limit),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self.headers,
            trace_configs=self.traces,
        )
        if hasattr(http, "_retry_connection"):
            # By itself aiohttp repeats a request whose answer was lost, unseen by the policy.
            http._retry_connection = False  # noqa: SLF001 - there is no public way
        return http


def common_headers(base: URL, user_agent: str, *, compress: bool | None) -> dict[str, str]:
    """
    Write the headers that all requests of a session share.

    Args:
        base: the session's base URL.
        user_agent: what the caller puts before our own product name.
        compress: whether to ask for gzip; ``None`` for everywhere but on loopback.

    Returns:
        Names and values.

    Raises:
        ArgumentError: ``user_agent`` cannot stand in a header.

    """
    if not _LINE.fullmatch(user_agent):
        raise ArgumentError("user_agent", user_agent, "a text in one line of ASCII")
    product = f"itwin-async/{__version__} aiohttp/{aiohttp.__version__}"
    gzip = not urls.is_loopback(base.host or "") if compress is None else compress
    return {
        "User-Agent": f"{user_agent} {product}".strip(),
        "Accept-Encoding": "gzip, deflate" if gzip else "identity",
    }
