"""
Requests to the sign-in server: through the same attempts and the same retry loop as all others.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import quote_plus, urlencode

import aiohttp
import attrs
from yarl import URL

from itwin_async._http.attempt import Attempt, RequestOptions, Response
from itwin_async._http.client import Core
from itwin_async._http.credentials import Authenticator, Secret
from itwin_async._http.executor import perform
from itwin_async._http.opening import Opening, common_headers
from itwin_async._http.urls import base_url
from itwin_async._json.codec import Codec
from itwin_async._json.converter import converter
from itwin_async.auth._discovery import Endpoints, discovery_url, issuer_url, read_endpoints
from itwin_async.auth._oauth_errors import explain, unreachable
from itwin_async.auth._tokens import Tokens, read_tokens
from itwin_async.errors import ApiError, ConfigurationError, TransportError
from itwin_async.retry import Repeat, RetryPolicy
from itwin_async.timeout import Timeout

Form: TypeAlias = Mapping[str, "str | Secret"]

_LARGEST = 1024 * 1024
_TIMEOUT = Timeout(total=60.0, attempt=12.0, connect=5.0)


class _Options(RequestOptions, total=False):
    middlewares: Sequence[aiohttp.ClientMiddlewareType]


@attrs.frozen
class Client:
    """
    An application as the sign-in server knows it.

    Attributes:
        client_id: its id.
        secret: its secret; a public application has none.

    """

    client_id: str
    secret: Secret | None = None

    def basic(self) -> str:
        """
        Write id and secret as HTTP Basic has them: form-encoded each, then joined.

        Returns:
            What stands behind ``Basic``.

        """
        secret = self.secret.reveal() if self.secret is not None else ""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(secret)}"
        return base64.b64encode(pair.encode("ascii")).decode("ascii")


class SignInServer:
    """
    A sign-in server, found by discovery.

    Args:
        issuer: its address.
        retry: when and how failed requests are repeated.
        timeout: limits in seconds, by default 60 for a token, 12 for an attempt, 5 to connect.
        client_session: an aiohttp session to borrow; otherwise one is opened for each token request
            and closed behind it.

    Raises:
        ConfigurationError: the issuer cannot be an address of a sign-in server.

    """

    def __init__(
        self,
        issuer: str | URL,
        *,
        retry: RetryPolicy | None = None,
        timeout: Timeout | None = None,
        client_session: aiohttp.ClientSession | None = None,
    ) -> None:
        self.issuer = issuer_url(issuer)
        self.retry = retry or RetryPolicy()
        self.timeout = timeout or _TIMEOUT
        self._borrowed = client_session
        self._endpoints: Endpoints | None = None

    async def endpoints(self) -> Endpoints:
        """
        Ask the server where it takes requests; once is enough.

        Returns:
            The addresses.

        Raises:
            ITwinError: the server does not say.

        """
        if self._endpoints is None:
            async with self._open(self.retry) as core:
                return await self._discover(core)
        return self._endpoints

    async def tokens(self, form: Form, client: Client, *, once: bool = False) -> Tokens:
        """
        Ask for tokens.

        Args:
            form: grant and what belongs to it.
            client: who asks; a public application's id is added to the form.
            once: do not repeat the request if it fails.

        Returns:
            The tokens.

        Raises:
            AuthenticationError: the server refused.
            ServerError: the server failed.
            TransportError: no usable answer came.

        """
        retry = attrs.evolve(self.retry, retries=0, rate_limit_retries=0) if once else self.retry
        async with self._open(retry) as core:
            endpoints = self._endpoints or await self._discover(core)
            return read_tokens(await self._post(core, endpoints.token, form, client))

    async def revoke(self, token: Secret, client: Client) -> bool:
        """
        Take a token back, and with it what was made from it.

        Args:
            token: the refresh token.
            client: whom it was given to.

        Returns:
            Whether the server can do that.

        Raises:
            ITwinError: it did not.

        """
        async with self._open(self.retry) as core:
            endpoints = self._endpoints or await self._discover(core)
            if endpoints.revocation is None:
                return False
            form: Form = {"token": token, "token_type_hint": "refresh_token"}
            await self._post(core, endpoints.revocation, form, client)
            return True

    async def _discover(self, core: Core) -> Endpoints:
        attempt = _attempt(core, "GET", discovery_url(self.issuer), None)
        try:
            response = await perform(core, _NOBODY, attempt, Repeat.SAFE, self._deadline(core))
        except TransportError as error:
            failure: Exception = unreachable(error)
        except ApiError as error:
            failure = _undescribed(self.issuer, error)
        else:
            self._endpoints = read_endpoints(self.issuer, response.body)
            return self._endpoints
        raise failure

    async def _post(self, core: Core, url: URL, form: Form, client: Client) -> Response:
        if client.secret is None:
            who, form = _NOBODY, {**form, "client_id": client.client_id}
        else:
            who = Authenticator(client.basic())
        _identify(core, _as_basic if client.secret is not None else _anonymous)
        attempt = _attempt(core, "POST", url, form)
        try:
            # Repeating costs nothing: if the answer was lost, so is what it would have spared.
            return await perform(core, who, attempt, Repeat.SAFE, self._deadline(core))
        except TransportError as error:
            failure: Exception = unreachable(error)
        except ApiError as error:
            held = [value for value in form.values() if isinstance(value, Secret)]
            failure = explain(error, [*held, *([client.secret] if client.secret else [])])
        raise failure

    def _deadline(self, core: Core) -> float:
        return core.retry.clock() + self.timeout.total

    @asynccontextmanager
    async def _open(self, retry: RetryPolicy) -> AsyncIterator[Core]:
        base = base_url(self.issuer.origin())
        headers = common_headers(base, "", compress=False)
        core = Core(
            base=base,
            timeout=self.timeout,
            retry=retry,
            quota=None,
            codec=Codec(converter),
            extra_headers=headers,
            max_body=_LARGEST,
            rewrite_links=False,
            tls=True,
            proxy=None,
            observers=(),
        )
        opening = Opening(self._borrowed, None, 1, headers, [])
        core.open(opening())
        _identify(core, _anonymous)
        channel = core.ready()
        try:
            yield core
        finally:
            channel.closed, core.channel = True, None
            channel.watch.close()
            if self._borrowed is None:
                await channel.http.close()


_NOBODY = Authenticator("nobody")  # never sent: the middleware takes it off


async def _anonymous(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    request.headers.pop("Authorization", None)
    return await handler(request)


async def _as_basic(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    bearer = request.headers["Authorization"]
    request.headers["Authorization"] = f"Basic {bearer.removeprefix('Bearer ')}"
    del bearer  # a traceback may show what this frame holds
    return await handler(request)


def _identify(core: Core, how: aiohttp.ClientMiddlewareType) -> None:
    channel = core.ready()
    options: _Options = {**channel.options, "middlewares": (how,)}
    channel.options = options


def _attempt(core: Core, method: str, url: URL, form: Form | None) -> Attempt:
    request_id = core.next_id()
    headers = {"Accept": "application/json", "X-Correlation-Id": request_id, **core.extra_headers}
    if form is None:
        return Attempt(method, url, url.raw_path, headers, None, request_id)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return Attempt(method, url, url.raw_path, headers, _encode(form), request_id)


def _encode(form: Form) -> bytes:
    return urlencode(
        {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in form.items()
        }
    ).encode("ascii")


def _undescribed(issuer: URL, error: ApiError) -> ApiError | ConfigurationError:
    if error.status < 500 and error.status != 429:  # noqa: PLR2004 - what waiting will not mend
        return ConfigurationError(
            f"{str(issuer)!r} is no sign-in server: it answered {error.status} to {error.path}"
        )
    return explain(error, ())
