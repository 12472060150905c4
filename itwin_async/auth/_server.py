"""
Requests to the sign-in server: through the same attempts and the same retry loop as all others.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import quote_plus, urlencode

import aiohttp
import attrs
from yarl import URL

from itwin_async._http.attempt import Request, Response
from itwin_async._http.client import Client
from itwin_async._http.credentials import Authorization, Credentials, Secret
from itwin_async._http.executor import perform
from itwin_async._http.network import Network
from itwin_async._http.urls import base_url
from itwin_async.auth._discovery import Endpoints, discovery_url, issuer_url, read_endpoints
from itwin_async.auth._oauth_errors import explain, unreachable
from itwin_async.auth._tokens import Tokens, read_tokens
from itwin_async.errors import ApiError, ConfigurationError, TransportError
from itwin_async.retry import Repeat, RetryPolicy
from itwin_async.timeout import Timeout

Form: TypeAlias = Mapping[str, "str | Secret"]

_LARGEST = 1024 * 1024
_TIMEOUT = Timeout(total=60.0, attempt=12.0, connect=5.0)


@attrs.frozen
class Application:
    """
    An application as the sign-in server knows it.

    Attributes:
        client_id: its id.
        secret: its secret; a public application has none.

    """

    client_id: str
    secret: Secret | None = None

    def authorization(self) -> Authorization | None:
        """Write id and secret as HTTP Basic has them: form-encoded each, then joined."""
        if self.secret is None:
            return None
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret.reveal())}".encode("ascii")
        return Authorization("Basic", Secret(base64.b64encode(pair).decode("ascii")))


class SignInServer:
    """
    A sign-in server, found by discovery.

    Args:
        issuer: its address.
        retry: when and how failed requests are repeated.
        timeout: limits in seconds, by default 60 for a token, 12 for an attempt, 5 to connect.
        client_session: an aiohttp session to borrow; otherwise one is opened for each token request
            and closed behind it.
        network: how the server is reached.

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
        network: Network | None = None,
    ) -> None:
        self.issuer = issuer_url(issuer)
        self.retry = retry or RetryPolicy()
        self.timeout = timeout or _TIMEOUT
        self._borrowed = client_session
        self._network = network or Network()
        self._endpoints: Endpoints | None = None

    async def endpoints(self) -> Endpoints:
        """
        Ask the server where it takes requests; once is enough.

        Raises:
            ITwinError: the server does not say.

        """
        if self._endpoints is None:
            async with self._open(self.retry) as http:
                return await self._discover(http)
        return self._endpoints

    async def tokens(self, form: Form, client: Application, *, once: bool = False) -> Tokens:
        """
        Ask for tokens.

        Raises:
            AuthenticationError: the server refused.
            ServerError: the server failed.
            TransportError: no usable answer came.

        """
        retry = attrs.evolve(self.retry, retries=0, rate_limit_retries=0) if once else self.retry
        async with self._open(retry) as http:
            endpoints = self._endpoints or await self._discover(http)
            return read_tokens(await self._post(http, endpoints.token, form, client))

    async def revoke(self, token: Secret, client: Application) -> bool:
        """
        Take a token back, and with it what was made from it.

        Raises:
            ITwinError: it did not.

        """
        async with self._open(self.retry) as http:
            endpoints = self._endpoints or await self._discover(http)
            if endpoints.revocation is None:
                return False
            form: Form = {"token": token, "token_type_hint": "refresh_token"}
            await self._post(http, endpoints.revocation, form, client)
            return True

    async def _discover(self, http: Client) -> Endpoints:
        request = _request(http, "GET", discovery_url(self.issuer), None)
        try:
            response = await self._perform(http, None, request)
        except TransportError as error:
            failure: Exception = unreachable(error)
        except ApiError as error:
            failure = _undescribed(self.issuer, error)
        else:
            self._endpoints = read_endpoints(self.issuer, response.body)
            return self._endpoints
        raise failure

    async def _post(self, http: Client, url: URL, form: Form, client: Application) -> Response:
        if client.secret is None:
            form = {**form, "client_id": client.client_id}
        request = _request(http, "POST", url, form)
        try:
            return await self._perform(http, client.authorization(), request)
        except TransportError as error:
            failure: Exception = unreachable(error)
        except ApiError as error:
            held = [value for value in form.values() if isinstance(value, Secret)]
            failure = explain(error, [*held, *([client.secret] if client.secret else [])])
        raise failure

    async def _perform(
        self, http: Client, authorization: Authorization | None, request: Request
    ) -> Response:
        # A retry costs nothing: if the answer was lost, so is what it would have spared.
        deadline = http.retry.clock() + self.timeout.total
        credentials = Credentials.of(authorization)
        return await perform(http, credentials, request, Repeat.SAFE, deadline, http.defaults)

    @asynccontextmanager
    async def _open(self, retry: RetryPolicy) -> AsyncIterator[Client]:
        http = Client(
            base_url(self.issuer.origin()),
            timeout=self.timeout,
            retry=retry,
            borrowed=self._borrowed,
            proxy=self._network.get("proxy"),
            tls=self._network.get("ssl", True),
            trust_env=self._network.get("trust_env", False),
            max_connections=1,
            max_body_size=_LARGEST,
            compress=False,
        )
        http.open()
        try:
            yield http
        finally:
            await http.close()


def _request(http: Client, method: str, url: URL, form: Form | None) -> Request:
    request_id = http.next_id()
    headers = {"Accept": "application/json", "X-Correlation-Id": request_id, **http.extra_headers}
    if form is None:
        return Request(method, url, url.raw_path, headers, None, request_id)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return Request(method, url, url.raw_path, headers, _encode(form), request_id)


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
