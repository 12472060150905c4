"""
The one door to the platform: token, quota, slot, send, retry; out come bytes or an error of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
from yarl import URL

from itwin_async._arguments import count
from itwin_async._http import urls
from itwin_async._http.attempt import Response, Tls
from itwin_async._http.client import Core
from itwin_async._http.credentials import Authenticator, TokenSource
from itwin_async._http.executor import perform
from itwin_async._http.opening import Opening, common_headers
from itwin_async._http.request_builder import Params, prepare
from itwin_async._json.codec import Codec
from itwin_async._json.converter import Converter
from itwin_async._json.converter import converter as default_converter
from itwin_async.errors import ConfigurationError, DecodeError
from itwin_async.events import Observer
from itwin_async.quota import Quota
from itwin_async.retry import Repeat, RetryPolicy
from itwin_async.timeout import Timeout, as_timeout

T = TypeVar("T")

PRODUCTION = "https://api.bentley.com"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_DEFAULT_ACCEPT = "application/json"


class Session:
    """
    An authenticated connection to the iTwin Platform, shared by any number of tasks and users.

    Use it as ``async with Session(token) as session``. It belongs to the event loop that opened it.

    Args:
        token: a bearer token, an async callable that returns one, or a ``TokenProvider``; asked
            before every request. A ``Bearer`` prefix is accepted.
        base_url: scheme and host of the platform; https, or http on loopback.
        timeout: limits in seconds; a number is the total.
        retry: when and how failed requests are repeated.
        quota: how many calls are allowed; ``None`` if that is not known.
        client_session: an aiohttp session to borrow; it is never closed. Give it a
            ``DummyCookieJar``, so that users do not share cookies.
        connector: an aiohttp connector for the pool; the session closes it.
        max_connections: size of the pool, where no connector or session is given.
        proxy: address of an HTTP proxy, as for aiohttp.
        ssl: TLS settings, as for aiohttp.
        trust_env: whether proxies are taken from the environment, as for aiohttp.
        trace_configs: aiohttp's trace configurations.
        user_agent: put before the package's own product name.
        compress: whether to ask for gzip; by default everywhere but on loopback, where
            decompressing costs more than it saves.
        max_body_size: largest answer that is read, in bytes.
        rewrite_links: request the platform's links at ``base_url`` whatever their host.
        observers: called with each event.
        converter: what models mean; by default the package's ``converter``.

    Raises:
        ConfigurationError: a setting cannot work.

    """

    __slots__ = ("__weakref__", "_auth", "_core", "_opening")

    def __init__(
        self,
        token: TokenSource,
        *,
        base_url: str | URL = PRODUCTION,
        timeout: Timeout | float | None = None,
        retry: RetryPolicy | None = None,
        quota: Quota | None = None,
        client_session: aiohttp.ClientSession | None = None,
        connector: aiohttp.BaseConnector | None = None,
        max_connections: int = 100,
        proxy: str | URL | None = None,
        ssl: Tls = True,
        trust_env: bool = False,
        trace_configs: Iterable[aiohttp.TraceConfig] = (),
        user_agent: str = "",
        compress: bool | None = None,
        max_body_size: int = 64 * 1024 * 1024,
        rewrite_links: bool = False,
        observers: Iterable[Observer] = (),
        converter: Converter | None = None,
    ) -> None:
        try:
            self._auth = Authenticator(token)
        finally:
            del token  # a traceback may show what this frame holds
        traces = list(trace_configs)
        if client_session is not None and (connector is not None or traces or trust_env):
            raise ConfigurationError(
                "connector, trace_configs and trust_env belong to the client_session that is given"
            )
        base = urls.base_url(base_url)
        shared = common_headers(base, user_agent, compress=compress)
        self._core = Core(
            base=base,
            timeout=as_timeout(timeout),
            retry=retry or RetryPolicy(),
            quota=quota,
            codec=Codec(converter or default_converter),
            extra_headers={} if client_session is None else shared,
            max_body=count("max_body_size", max_body_size),
            rewrite_links=rewrite_links,
            tls=ssl,
            proxy=proxy,
            observers=tuple(observers),
        )
        if trust_env:
            self._core.use_environment()
        limit = count("max_connections", max_connections)
        self._opening: Opening | None = Opening(client_session, connector, limit, shared, traces)

    @classmethod
    def from_env(cls, *, quota: Quota | None = None, observers: Iterable[Observer] = ()) -> Session:
        """
        Make a session from the environment.

        The tokens are those of ``ITWIN_ACCESS_TOKEN``; else of the service ``ITWIN_CLIENT_ID`` with
        ``ITWIN_CLIENT_SECRET``; else of whoever signed in with ``itwin-async login``. The platform
        is that of ``ITWIN_ENVIRONMENT`` (``prod``, ``qa``, ``dev``) unless ``ITWIN_BASE_URL`` and
        ``ITWIN_ISSUER`` name others.

        Args:
            quota: as for ``Session``.
            observers: as for ``Session``.

        Returns:
            The session, not opened.

        Raises:
            ConfigurationError: there are no credentials, or a value makes no sense.

        """
        # Who has a token at hand needs none of the sign-in.
        from itwin_async.auth.environment import find_credentials  # noqa: PLC0415

        found = find_credentials()
        return cls(found.source, base_url=found.place.base_url, quota=quota, observers=observers)

    def with_token(self, token: TokenSource) -> Session:
        """
        View the same pool, quota and settings as another user.

        The view is cheap, needs no closing, and ends with the session that it was made from.

        Args:
            token: the other user's token or provider.

        Returns:
            The view.

        """
        view = Session.__new__(Session)
        try:
            view._auth = Authenticator(token)  # noqa: SLF001 - same class
        finally:
            del token
        view._core = self._core  # noqa: SLF001 - same class
        view._opening = None  # noqa: SLF001 - same class
        return view

    @property
    def base_url(self) -> URL:
        """The platform's address."""
        return self._core.base

    @property
    def codec(self) -> Codec:
        """Decodes answers with this session's converter."""
        return self._core.codec

    @property
    def rewrite_links(self) -> bool:
        """Whether links of another host are requested at ``base_url``."""
        return self._core.rewrite_links

    @property
    def closed(self) -> bool:
        """Whether requests are impossible now."""
        return self._core.channel is None

    async def open(self) -> None:
        """
        Open the connection pool; ``async with`` does it.

        Raises:
            ConfigurationError: the session is open already.

        """
        if self._opening is None:
            self._core.ready()
            return
        if self._core.channel is not None:
            raise ConfigurationError("the session is open already")
        self._core.open(self._opening())

    async def close(self) -> None:
        """
        End the tasks of running walks and close the pool; a view closes nothing.

        Requests that are under way raise ``TransportError``, later ones ``ConfigurationError``.
        """
        core = self._core
        if self._opening is None or core.channel is None:
            return
        channel, core.channel = core.channel, None
        channel.closed = True
        tasks = core.tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        channel.watch.close()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            if self._opening.borrowed is None:
                await channel.http.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "_core"):
            return "<Session not made>"  # so it is in the traceback of a refused token
        state = "closed" if self.closed else "open"
        return f"<Session {str(self._core.base.origin())!r} {state}>"

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json: object = None,
        body: bytes | None = None,
        accept: str = _DEFAULT_ACCEPT,
        headers: Mapping[str, str] | None = None,
        repeat: Repeat | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - bounds attempts and waits together
    ) -> Response:
        """
        Call any operation of the platform, with this session's token, pacing, retry and errors.

        Args:
            method: HTTP method.
            path: path that begins with a slash, quoted; it may hold a query.
            params: further query names and values, not yet quoted.
            json: value to send as JSON.
            body: bytes to send as they are; give their type in ``headers``.
            accept: the ``Accept`` header, which selects the version of an API.
            headers: further headers.
            repeat: whether the call may be sent twice; by default only POST and PATCH may not.
            timeout: seconds for everything, instead of the session's total.

        Returns:
            The answer; its status is 2xx.

        Raises:
            ApiError: the platform answered with an error.
            TransportError: no usable answer came.
            ConfigurationError: the session is not open, or there is no token.

        """
        core = self._core
        attempt = prepare(
            core, method, path, params=params, json=json, body=body, accept=accept, headers=headers
        )
        if repeat is None:
            repeat = Repeat.SAFE if attempt.method in _SAFE_METHODS else Repeat.UNSAFE
        total = core.timeout.total if timeout is None else Timeout(timeout).total
        return await perform(core, self._auth, attempt, repeat, core.retry.clock() + total)

    async def fetch(
        self,
        cls: type[T],
        key: str,
        method: str,
        path: str,
        *,
        accept: str,
        json: object = None,
        repeat: Repeat | None = None,
    ) -> T:
        """
        Call an operation that answers with one entity in an envelope.

        Args:
            cls: class of the entity.
            key: member of the envelope.
            method: HTTP method.
            path: quoted path.
            accept: the ``Accept`` header.
            json: value to send as JSON.
            repeat: whether the call may be sent twice.

        Returns:
            The entity.

        Raises:
            DecodeError: the answer is not such an envelope.
            ITwinError: as ``request``.

        """
        response = await self.request(method, path, accept=accept, json=json, repeat=repeat)
        try:
            return self._core.codec.one(response.body, cls, key)
        except DecodeError as error:
            raise response.blame(error) from None

    def spawn(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """
        Start a task that ends with the session at the latest.

        Args:
            work: what the task does.

        Returns:
            The task; whoever started it awaits or cancels it.

        """
        return self._core.spawn(work)
