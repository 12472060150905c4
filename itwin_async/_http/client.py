"""What a session shares with its views: connection pool, slots, pacing and settings."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Coroutine
from typing import TypeVar
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from itwin_async._http.attempt import Channel, RequestOptions, Tls
from itwin_async._http.deadlines import Watch
from itwin_async._http.limiter import Pacer
from itwin_async._http.slots import Slots
from itwin_async._json.codec import Codec
from itwin_async.errors import ConfigurationError
from itwin_async.events import Event, Observer, log
from itwin_async.quota import Quota
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

T = TypeVar("T")


class Core:
    """What a session shares with its views: pool, slots, pacing and settings."""

    def __init__(
        self,
        *,
        base: URL,
        timeout: Timeout,
        retry: RetryPolicy,
        quota: Quota | None,
        codec: Codec,
        extra_headers: dict[str, str],
        max_body: int,
        rewrite_links: bool,
        tls: Tls,
        proxy: str | URL | None,
        observers: tuple[Observer, ...],
    ) -> None:
        self.base = base
        self.timeout = timeout
        self.retry = retry
        self._quota = quota
        self.pacer = Pacer(quota, clock=retry.clock, sleep=retry.sleep)
        self.codec = codec
        self.extra_headers = extra_headers
        self.max_body = max_body
        self.rewrite_links = rewrite_links
        self.tls = tls
        self.proxy = proxy
        self.observers = observers
        self.channel: Channel | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.slots = Slots(sys.maxsize)
        self.tasks: set[asyncio.Task[object]] = set()
        self._prefix = os.urandom(8).hex()
        self._count = itertools.count(1)

    def open(self, http: aiohttp.ClientSession) -> None:
        """Bind the core to a pool and to the running loop."""
        loop = asyncio.get_running_loop()
        if self.loop not in {None, loop}:
            # What waits belongs to the loop that it waits in.
            self.pacer = Pacer(self._quota, clock=self.retry.clock, sleep=self.retry.sleep)
        self.loop = loop
        self.channel = Channel(
            http,
            Watch(self.loop),
            self._options(),
            self.max_body,
            self.retry.now,
        )
        limit = http.connector.limit if http.connector is not None else 0
        # aiohttp counts the wait for a pooled connection as part of the request's time.
        self.slots = Slots(limit or sys.maxsize)

    def _options(self) -> RequestOptions:
        # The attempt as a whole is timed by the watch, which is cheaper.
        options = RequestOptions(
            allow_redirects=False,
            raise_for_status=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timeout.connect),
        )
        if self.tls is not True:
            options["ssl"] = self.tls
        if self.proxy is not None:
            options["proxy"] = self.proxy
        return options

    def use_environment(self) -> None:
        """Take the proxy from the environment, where none is set."""
        # aiohttp would look it up for every request, and fail where a netrc file knows the host.
        address = getproxies().get(self.base.scheme)
        if self.proxy is None and address and not proxy_bypass(self.base.raw_authority):
            self.proxy = address if "://" in address else f"http://{address}"

    def ready(self) -> Channel:
        """Give the open channel, or say why there is none."""
        if self.channel is None:
            state = "not open" if self.loop is None else "closed"
            raise ConfigurationError(
                f"the session is {state}; use it inside 'async with Session(...)'"
            )
        if self.loop is not asyncio.get_running_loop():
            raise ConfigurationError("the session was opened in another event loop")
        if self.channel.http.closed:
            raise ConfigurationError("the aiohttp session that was handed in is closed")
        return self.channel

    def spawn(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Start a task that ends with the session at the latest."""
        try:
            self.ready()
        except ConfigurationError:
            work.close()
            raise
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def next_id(self) -> str:
        """Make a correlation id."""
        return f"{self._prefix}-{next(self._count):08x}"

    def tell(self, event: Event) -> None:
        """Hand an event to the log and to the observers."""
        log(event)
        for observer in self.observers:
            observer(event)
