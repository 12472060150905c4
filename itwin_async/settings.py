"""The settings of a session, by name and type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict

import aiohttp
from yarl import URL

from itwin_async._http.call_options import Tls
from itwin_async.events import Observer
from itwin_async.quota import Pacer, Quota
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

if TYPE_CHECKING:
    from itwin_async._json.converter import Converter


class Settings(TypedDict, total=False):
    """The settings of a session; see ``Session``."""

    base_url: str | URL
    timeout: Timeout | float | None
    retry: RetryPolicy | None
    quota: Quota | Pacer | None
    quotas: Mapping[str, Quota] | None
    client_session: aiohttp.ClientSession | None
    connector: aiohttp.BaseConnector | None
    max_connections: int
    proxy: str | URL | None
    ssl: Tls
    trust_env: bool
    trace_configs: Iterable[aiohttp.TraceConfig]
    user_agent: str
    compress: bool | None
    max_body_size: int
    rewrite_links: bool
    observers: Iterable[Observer]
    converter: Converter | None
    pause_collector: bool
