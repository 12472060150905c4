"""The one door to the platform: token, limits, request, retry; out come bytes or an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import aiohttp
import attrs
from yarl import URL

from itwin_async._arguments import flag, instance, optional
from itwin_async._http import urls
from itwin_async._http.attempt import Response
from itwin_async._http.call_options import CallOptions, Tls, checked_timeout, own_options
from itwin_async._http.client import Client
from itwin_async._http.credentials import Credentials, TokenSource
from itwin_async._http.executor import perform
from itwin_async._http.request_builder import Params, build_request
from itwin_async._json.codec import Codec
from itwin_async.events import Observer, SessionStats
from itwin_async.quota import Pacer, Quota
from itwin_async.retry import Repeat, RetryPolicy
from itwin_async.settings import Settings
from itwin_async.timeout import Timeout

if TYPE_CHECKING:
    from itwin_async._json.converter import Converter

PRODUCTION = "https://api.bentley.com"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@attrs.frozen(eq=False, repr=False)
class Internals:
    """What the rooms above a session use of it."""

    client: Client
    codec: Codec
    rewrite_links: bool
    options: CallOptions


class Session:
    """
    An authenticated connection to the iTwin Platform, shared by any number of tasks and users.

    Use it as ``async with Session(token) as session``. It belongs to the event loop that opened it.

    Args:
        token: a bearer token, an async callable that returns one, or a ``TokenProvider``; asked
            before every request. A ``Bearer`` prefix is accepted.
        base_url: scheme and host of the platform; https, or http on loopback.
        timeout: limits in seconds; a number is the total.
        retry: when and how failed requests are retried.
        quota: how many calls are allowed, or a ``Pacer``; ``None`` if that is not known.
        quotas: how many calls of single operations are allowed to each caller beside that, such as
            ``{"imodels.create_imodel": Quota(5)}``. A name that is no operation is refused when its
            API is used first.
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
        observers: called with each event; what they raise is logged.
        converter: what models mean; by default the package's ``converter``.
        pause_collector: pause Python's garbage collector while an answer is decoded.

    Raises:
        ConfigurationError: a setting cannot work.
        ArgumentError: a setting has a wrong type or value.

    """

    __slots__ = ("__weakref__", "_credentials", "_internals", "_is_view")

    def __init__(
        self,
        token: TokenSource,
        *,
        base_url: str | URL = PRODUCTION,
        timeout: Timeout | float | None = None,
        retry: RetryPolicy | None = None,
        quota: Quota | Pacer | None = None,
        quotas: Mapping[str, Quota] | None = None,
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
        pause_collector: bool = True,
    ) -> None:
        try:
            self._credentials = Credentials(token)
        finally:
            del token  # a traceback may show what this frame holds
        self._is_view = False
        codec = Codec(converter, pause_collector=flag("pause_collector", pause_collector))
        client = Client(
            urls.base_url(base_url),
            timeout=checked_timeout(Timeout() if timeout is None else timeout, Timeout()),
            retry=optional("retry", retry, RetryPolicy) or RetryPolicy(),
            quota=quota,
            quotas=quotas,
            borrowed=optional("client_session", client_session, aiohttp.ClientSession),
            connector=optional("connector", connector, aiohttp.BaseConnector),
            max_connections=max_connections,
            proxy=proxy,
            tls=ssl,
            trust_env=flag("trust_env", trust_env),
            trace_configs=trace_configs,
            user_agent=instance("user_agent", user_agent, str, "a str"),
            compress=compress,
            max_body_size=max_body_size,
            observers=observers,
        )
        self._internals = Internals(
            client, codec, flag("rewrite_links", rewrite_links), client.defaults
        )

    @classmethod
    def from_env(cls, **settings: Unpack[Settings]) -> Session:
        """
        Make a session from the environment, with the same settings as ``Session``.

        The tokens are those of ``ITWIN_ACCESS_TOKEN``; else of the service ``ITWIN_CLIENT_ID`` with
        ``ITWIN_CLIENT_SECRET``; else of whoever signed in with ``itwin-async login``. The platform
        is that of ``ITWIN_ENVIRONMENT`` (``prod``, ``qa``, ``dev``) unless ``ITWIN_BASE_URL`` and
        ``ITWIN_ISSUER`` name others.

        Proxies are those of ``HTTPS_PROXY`` and ``NO_PROXY``, unless ``trust_env`` is false; the
        certificates in ``ITWIN_CA_FILE`` are trusted beside the system's.

        Raises:
            ConfigurationError: there are no credentials, or a value makes no sense.

        """
        # Who has a token at hand needs none of the sign-in.
        from itwin_async.auth._environment import complete  # noqa: PLC0415

        found, completed = complete(settings)
        return cls(found.source, **completed)

    def with_token(self, token: TokenSource) -> Session:
        """
        View the same pool, quota and settings as another user.

        The view is cheap, needs no closing, and ends with the session that it was made from.
        """
        try:
            credentials = Credentials(token)
        finally:
            del token
        return self._view(credentials, self._internals)

    def with_options(
        self,
        *,
        timeout: Timeout | float | None = None,
        retry: RetryPolicy | None = None,
        priority: int | None = None,
    ) -> Session:
        """
        View the same pool, quota and user with other options for its calls.

        Functions and pagers take it as any session, for one call too:
        ``imodels.get_imodel(session.with_options(timeout=5), imodel_id)``. It is as cheap as that
        of ``with_token``, and the two can be combined. What is not given stays as it is here.

        Args:
            timeout: limits in seconds; a number is the total and leaves the others as they are.
            retry: when and how failed requests are retried; its clocks are the session's.
            priority: -10 to 10, by default 0; where calls wait for a connection or a quota, those
                of a higher one go first, whoever's they are.

        """
        internals = self._internals
        chosen = own_options(internals.options, timeout, retry, priority)
        return self._view(
            self._credentials,
            Internals(internals.client, internals.codec, internals.rewrite_links, chosen),
        )

    def _view(self, credentials: Credentials, internals: Internals) -> Session:
        view = Session.__new__(Session)
        view._credentials = credentials  # noqa: SLF001 - same class
        view._internals = internals  # noqa: SLF001 - same class
        view._is_view = True  # noqa: SLF001 - same class
        return view

    @property
    def base_url(self) -> URL:
        """The platform's address."""
        return self._internals.client.base

    @property
    def closed(self) -> bool:
        """Whether requests are impossible now."""
        return not self._internals.client.is_open

    @property
    def waiting(self) -> int:
        """How many calls wait for a quota at this moment."""
        return self._internals.client.waiting

    def stats(self) -> SessionStats:
        """Tell what the session and its views do at this moment."""
        return self._internals.client.stats()

    @contextmanager
    def observe(self, observer: Observer) -> Iterator[None]:
        """Call an observer with each event of this session and its views, inside the block."""
        client = self._internals.client
        client.observers = (*client.observers, observer)
        try:
            yield
        finally:
            client.observers = tuple(other for other in client.observers if other is not observer)

    async def open(self) -> None:
        """
        Open the connection pool; ``async with`` does it.

        Raises:
            ConfigurationError: the session is open already.

        """
        if self._is_view:
            self._internals.client.ready()
        else:
            self._internals.client.open()

    async def close(self) -> None:
        """
        End the tasks of running iterators and close the pool; a view closes nothing.

        Requests that are under way raise ``TransportError``, later ones ``ConfigurationError``.
        """
        if not self._is_view:
            await self._internals.client.close()

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
        if not hasattr(self, "_internals"):
            return "<Session not made>"  # so it is in the traceback of a refused token
        state = self._internals.client.state
        return f"<Session {str(self._internals.client.base.origin())!r} {state}>"

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        json: object = None,
        body: bytes | None = None,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
        repeat: Repeat | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - bounds attempts and waits together
        limit: str = "",
    ) -> Response:
        """
        Call any operation of the platform, with this session's token, pacing, retries and errors.

        Args:
            method: HTTP method.
            path: path that begins with a slash, quoted; it may hold a query.
            params: further query names and values, not yet quoted; ``True`` becomes ``true``.
            json: value to send as JSON.
            body: bytes to send as they are; give their type in ``headers``.
            accept: the ``Accept`` header, which selects the version of an API.
            headers: further headers.
            repeat: whether the call may be sent twice; by default only POST and PATCH may not.
            timeout: seconds for everything, instead of the session's total.
            limit: name of the limit that these calls have of their own, as in ``quotas``: a 429
                then holds only the caller's calls of the same limit.

        Returns:
            The answer; its status is 2xx.

        Raises:
            ApiError: the platform answered with an error.
            TransportError: no usable answer came.
            ConfigurationError: the session is not open, or there is no token.

        """
        internals = self._internals
        client, options = internals.client, internals.options
        request = build_request(
            client,
            method,
            path,
            params=params,
            json=json,
            body=body,
            accept=accept,
            headers=headers,
            limit=limit,
        )
        if repeat is None:
            repeat = Repeat.SAFE if request.method in _SAFE_METHODS else Repeat.UNSAFE
        total = (
            options.timeout if timeout is None else checked_timeout(timeout, options.timeout)
        ).total
        return await perform(
            client, self._credentials, request, repeat, client.retry.clock() + total, options
        )


def internals_of(session: Session) -> Internals:
    """Open a session for the rooms above it."""
    return instance("session", session, Session, "a Session")._internals  # noqa: SLF001


def credentials_of(session: Session) -> Credentials:
    """Tell whose session or view it is."""
    return session._credentials  # noqa: SLF001 - as above
