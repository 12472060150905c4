"""The HTTP client of a session and its views: connections, settings, limits and tasks."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import sys
from collections.abc import Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from ssl import SSLContext
from typing import TypeVar

import aiohttp
import attrs
from yarl import URL

from itwin_async._arguments import invalid, whole
from itwin_async._http import urls
from itwin_async._http.call_options import CallOptions, RequestOptions, Tls
from itwin_async._http.deadlines import Deadlines
from itwin_async._http.limiter import Limiter
from itwin_async._http.network import proxy_of_environment
from itwin_async._http.operation_limits import OperationLimits, checked_quotas
from itwin_async._http.shared_limiter import SharedLimiter, checked_quota
from itwin_async._http.slots import Slots
from itwin_async._version import __version__
from itwin_async.errors import ConfigurationError
from itwin_async.events import Event, Observer, SessionStats, log, logger
from itwin_async.quota import Pacer, Quota
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

T = TypeVar("T")

_PIECE = 2**18  # bytes of a file that wait to be taken
_LARGE_BLOCK = 16 * 1024 * 1024
_LINE = re.compile(r"[\x20-\x7e]*")


@attrs.frozen(eq=False, repr=False)
class Connection:
    """An open aiohttp session, and the deadlines of what goes through it."""

    http: aiohttp.ClientSession
    loop: asyncio.AbstractEventLoop
    deadlines: Deadlines
    decompresses: bool


class Client:
    """
    The HTTP client of a session and its views.

    Args:
        base: address of the platform.
        borrowed: an aiohttp session that its owner closes.
        connector: an aiohttp connector for a session of our own.
        max_connections: size of our own connector.
        max_body_size: largest answer that is read, in bytes.
        compress: whether to ask for gzip; by default everywhere but on loopback.

    """

    def __init__(
        self,
        base: URL,
        *,
        timeout: Timeout,
        retry: RetryPolicy,
        quota: Quota | Pacer | None = None,
        quotas: Mapping[str, Quota] | None = None,
        borrowed: aiohttp.ClientSession | None = None,
        connector: aiohttp.BaseConnector | None = None,
        max_connections: int = 100,
        proxy: str | URL | None = None,
        tls: Tls = True,
        trust_env: bool = False,
        trace_configs: Iterable[aiohttp.TraceConfig] = (),
        user_agent: str = "",
        compress: bool | None = None,
        max_body_size: int = 64 * 1024 * 1024,
        observers: Iterable[Observer] = (),
    ) -> None:
        traces = list(trace_configs)
        if borrowed is not None and (connector is not None or traces or trust_env):
            raise ConfigurationError(
                "connector, trace_configs and trust_env belong to the client_session that is given"
            )
        self.base = base
        self.retry = retry
        self.max_body_size = whole("max_body_size", max_body_size, 1)
        self.observers = tuple(observers)
        self.tasks: set[asyncio.Task[object]] = set()
        self.slots = Slots(sys.maxsize)
        self._quota = checked_quota(quota)
        self._quotas = checked_quotas(quotas)
        self.limiter = self._new_limiter()
        self.operation_limits = self._new_operation_limits()
        self.storage_limiter = self._new_storage_limiter()
        self._borrowed = borrowed
        self._connector = connector
        self._max_connections = whole("max_connections", max_connections, 1)
        self._traces = traces
        self._headers = _common_headers(base, user_agent, compress=compress)
        self.extra_headers = {} if borrowed is None else self._headers
        # Storage hosts may be reached in another way than the platform.
        self._storage_proxies: dict[URL, str | None] | None = None
        if trust_env and proxy is None:
            proxy = proxy_of_environment(base)
            self._storage_proxies = {}
        options = _request_options(timeout, tls, proxy)
        # What is stored compressed stays so: its size and digest are those of the stored bytes.
        storage = options.copy()
        storage["auto_decompress"] = False
        storage["read_bufsize"] = _PIECE
        if isinstance(tls, aiohttp.Fingerprint):
            del storage["ssl"]  # it is the platform's
        self.defaults = CallOptions(timeout, retry, options, storage)
        self._connection: Connection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._prefix = os.urandom(8).hex()
        self._count = itertools.count(1)

    @property
    def state(self) -> str:
        """Whether requests are possible, in words."""
        if self._connection is not None:
            return "open"
        return "not open yet" if self._loop is None else "closed"

    @property
    def is_open(self) -> bool:
        """Whether requests are possible."""
        return self._connection is not None

    @property
    def waiting(self) -> int:
        """How many calls wait for a quota or the end of a hold."""
        return self.limiter.waiting + self.operation_limits.waiting

    def stats(self) -> SessionStats:
        """Tell what is going on at this moment."""
        slots, limiter = self.slots, self.limiter
        held = limiter.held
        return SessionStats(
            in_use=slots.in_use,
            limit=slots.limit,
            waiting=self.waiting,
            waiting_for_connection=slots.waiting,
            rate=limiter.rate,
            held_for=held,
            held_until=datetime.fromtimestamp(self.retry.now() + held, UTC) if held else None,
        )

    def open(self) -> None:
        """Open the connections in the running loop."""
        if self._connection is not None:
            raise ConfigurationError("the session is open already")
        loop = _running_loop()
        _keep_memory()
        http = self._borrowed or self._own_session()
        if self._loop not in {None, loop}:
            # What waits belongs to the loop that it waits in.
            self.limiter = self._new_limiter()
            self.operation_limits = self._new_operation_limits()
            self.storage_limiter = self._new_storage_limiter()
        self._loop = loop
        self._connection = Connection(http, loop, Deadlines(loop), http.auto_decompress)
        limit = http.connector.limit if http.connector is not None else 0
        # aiohttp counts the wait for a pooled connection as part of the request's time.
        self.slots = Slots(limit or sys.maxsize)

    def _new_operation_limits(self) -> OperationLimits:
        return OperationLimits(self._quotas, clock=self.retry.clock, sleep=self.retry.sleep)

    def _new_limiter(self) -> Limiter | SharedLimiter:
        retry, quota, host = self.retry, self._quota, str(self.base.origin())
        if quota is None or isinstance(quota, Quota):
            return Limiter(quota, clock=retry.clock, sleep=retry.sleep, host=host)
        return SharedLimiter(quota, clock=retry.clock)

    def _new_storage_limiter(self) -> Limiter:
        return Limiter(None, clock=self.retry.clock, sleep=self.retry.sleep)

    async def close(self) -> None:
        """End all tasks and requests, and close the connections that are our own."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        tasks = self.tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        connection.deadlines.close()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            if self._borrowed is None:
                await connection.http.close()

    def ready(self) -> Connection:
        """Give the open connection, or say why there is none."""
        connection = self._connection
        if connection is None:
            state = "not open" if self._loop is None else "closed"
            raise ConfigurationError(
                f"the session is {state}; use it inside 'async with Session(...)'"
            )
        if connection.loop is not _running_loop():
            raise ConfigurationError("the session was opened in another event loop")
        if connection.http.closed:
            raise ConfigurationError("the aiohttp session given as client_session is closed")
        return connection

    def check_storage_access(self) -> None:
        """
        Check that requests to other hosts carry nothing that is meant for the platform.

        Raises:
            ConfigurationError: the aiohttp session that was given authorizes every request.

        """
        http = self.ready().http
        if "Authorization" in http.headers or http.auth is not None:
            raise ConfigurationError(
                "the aiohttp session given as client_session sends an Authorization header to "
                "every host; files would be asked for with it"
            )

    def storage_options(self, options: RequestOptions, url: URL) -> RequestOptions:
        """Give what is said to aiohttp with a request to a storage host."""
        proxies, origin = self._storage_proxies, url.origin()
        if proxies is None:
            return options
        if origin not in proxies:
            proxies[origin] = proxy_of_environment(origin)
        return {**options, "proxy": proxies[origin]}

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
        """Hand an event to the log and to the observers, whose failures are logged."""
        log(event)
        for observer in self.observers:
            try:
                observer(event)
            except Exception as problem:  # noqa: BLE001 - an observer must not harm a request
                logger.error(
                    "the observer %r failed with %s",
                    observer,
                    type(problem).__name__,
                    exc_info=logger.isEnabledFor(logging.DEBUG),
                )

    def _own_session(self) -> aiohttp.ClientSession:
        if self._connector is not None and self._connector.closed:
            raise ConfigurationError("the connector given as connector is closed")
        http = aiohttp.ClientSession(
            connector=self._connector or aiohttp.TCPConnector(limit=self._max_connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            trace_configs=self._traces,
            auto_decompress=False,  # aiohttp takes a gzip body that ends early for a whole one
        )
        if hasattr(http, "_retry_connection"):
            # By itself aiohttp repeats a request whose answer was lost, unseen by the policy.
            http._retry_connection = False  # noqa: SLF001 - there is no public way
        return http


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    raise ConfigurationError(
        "a session needs asyncio, whose event loop does not run here; from Trio, or from code that "
        "is not asynchronous, use it in a thread that has an asyncio loop of its own"
    )


@cache
def _keep_memory() -> None:
    # glibc hands the memory of each large body back to the system, and gets it anew page by page,
    # until a block as large as this was freed once; other allocators hardly notice. Whoever sets
    # MALLOC_MMAP_THRESHOLD_ has decided already: then it has no effect.
    bytes(_LARGE_BLOCK)


def _common_headers(base: URL, user_agent: str, *, compress: bool | None) -> dict[str, str]:
    if not _LINE.fullmatch(user_agent):
        raise invalid("user_agent", user_agent, "one line of ASCII")
    product = f"itwin-async/{__version__} aiohttp/{aiohttp.__version__}"
    gzip = not urls.is_loopback(base.host or "") if compress is None else compress
    return {
        "User-Agent": f"{user_agent} {product}".strip(),
        "Accept-Encoding": "gzip, deflate" if gzip else "identity",
    }


def _request_options(timeout: Timeout, tls: Tls, proxy: str | URL | None) -> RequestOptions:
    if not isinstance(tls, SSLContext | aiohttp.Fingerprint | bool):
        raise invalid("ssl", tls, "a bool, an ssl.SSLContext or an aiohttp.Fingerprint")
    # An attempt as a whole has a deadline of ours, which is cheaper.
    options = RequestOptions(
        allow_redirects=False,
        raise_for_status=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeout.connect),
    )
    if tls is not True:
        options["ssl"] = tls
    if proxy is not None:
        options["proxy"] = proxy
    return options
