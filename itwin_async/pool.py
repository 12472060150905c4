"""
What a session shares with its views: connection pool, slots, pacing and settings.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
from ssl import SSLContext
from typing import TypeAlias

import aiohttp
from yarl import URL

from itwin_async.errors import ConfigurationError
from itwin_async.events import Event, Observer, log
from itwin_async.quota import Pacer, Quota
from itwin_async.retry import RetryPolicy
from itwin_async.transport import Timeout
from itwin_async.wire import Codec

Tls: TypeAlias = SSLContext | aiohttp.Fingerprint | bool


class Core:
    """
    What a session shares with its views: pool, slots, pacing and settings.
    """

    def __init__(
        self,
        *,
        base: URL,
        timeout: Timeout,
        retry: RetryPolicy,
        quota: Quota | None,
        codec: Codec,
        agent: str,
        encoding: str,
        max_body: int,
        rewrite_links: bool,
        tls: Tls,
        proxy: str | URL | None,
        observers: tuple[Observer, ...],
    ) -> None:
        self.base = base
        self.timeout = timeout
        self.retry = retry
        self.pacer = Pacer(quota, clock=retry.clock, sleep=retry.sleep)
        self.codec = codec
        self.fixed_headers = {"User-Agent": agent, "Accept-Encoding": encoding}
        self.max_body = max_body
        self.rewrite_links = rewrite_links
        self.tls = tls
        self.proxy = proxy
        self.observers = observers
        self.http: aiohttp.ClientSession | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.slots = asyncio.Semaphore(sys.maxsize)
        self.tasks: set[asyncio.Task[object]] = set()
        self._limits = aiohttp.ClientTimeout(total=timeout.attempt, sock_connect=timeout.connect)
        self._prefix = secrets.token_hex(8)
        self._count = itertools.count(1)

    def open(self, http: aiohttp.ClientSession) -> None:
        """
        Bind the core to a pool and to the running loop.
        """
        self.loop = asyncio.get_running_loop()
        self.http = http
        limit = http.connector.limit if http.connector is not None else 0
        # aiohttp counts the wait for a pooled connection as part of the request's time.
        self.slots = asyncio.Semaphore(limit or sys.maxsize)

    def pool(self) -> aiohttp.ClientSession:
        """
        Give the pool, or say why there is none.
        """
        if self.http is None:
            state = "not open" if self.loop is None else "closed"
            raise ConfigurationError(
                f"the session is {state}; use it inside 'async with Session(...)'"
            )
        if self.loop is not asyncio.get_running_loop():
            raise ConfigurationError("the session was opened in another event loop")
        if self.http.closed:
            raise ConfigurationError("the aiohttp session that was handed in is closed")
        return self.http

    def next_id(self) -> str:
        """
        Make a correlation id.
        """
        return f"{self._prefix}-{next(self._count):08x}"

    def limits(self, seconds: float) -> aiohttp.ClientTimeout:
        """
        Give the limits of an attempt that may take so many seconds.
        """
        if seconds >= self.timeout.attempt:
            return self._limits
        return aiohttp.ClientTimeout(total=seconds, sock_connect=self.timeout.connect)

    def tell(self, event: Event) -> None:
        """
        Hand an event to the log and to the observers.
        """
        log(event)
        for observer in self.observers:
            observer(event)
