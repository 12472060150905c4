"""Tokens for services: the client credentials grant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

import aiohttp
from yarl import URL

from itwin_async._http.credentials import Secret
from itwin_async._http.network import Network
from itwin_async.auth._arguments import checked_client_id, checked_scopes
from itwin_async.auth._discovery import PRODUCTION_ISSUER
from itwin_async.auth._server import Application, SignInServer
from itwin_async.auth._token_cache import CachedToken, TokenCache
from itwin_async.errors import ArgumentError
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

_USER_SCOPES = ("openid", "email", "profile", "organization")


class ClientCredentials:
    """
    A token provider for a service.

    A token is requested when it is needed and cached. Ten minutes before it ends one caller
    requests the next while the others go on; from a minute before, all wait for the same request.
    There are no timers and no tasks, so there is nothing to close.

    Args:
        client_id: the service's id.
        client_secret: its secret; never shown.
        scopes: the scopes to request; not those of a user, such as ``openid``.
        issuer: the sign-in server.
        retry: when and how failed token requests are repeated.
        timeout: limits of a token request, in seconds.
        client_session: an aiohttp session to borrow for token requests.
        network: how the sign-in server is reached: ``proxy``, ``ssl`` and ``trust_env``, as for
            ``Session``.

    Raises:
        ArgumentError: an argument is invalid.
        ConfigurationError: the issuer is not an address that may receive a secret.

    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        scopes: Iterable[str] = ("itwin-platform",),
        issuer: str | URL = PRODUCTION_ISSUER,
        *,
        retry: RetryPolicy | None = None,
        timeout: Timeout | None = None,
        client_session: aiohttp.ClientSession | None = None,
        **network: Unpack[Network],
    ) -> None:
        try:
            secret = _secret(client_secret)
        finally:
            del client_secret  # a traceback may show what this frame holds
        if secret is None:
            raise ArgumentError(
                "client_secret must be a non-empty string", argument="client_secret"
            )
        self._client = Application(checked_client_id(client_id), secret)
        self._scopes = checked_scopes(scopes)
        user_scopes = [scope for scope in self._scopes if scope in _USER_SCOPES]
        if user_scopes:
            raise ArgumentError(
                f"scopes must not contain those of a user; got {', '.join(user_scopes)}",
                argument="scopes",
            )
        self._server = SignInServer(
            issuer, retry=retry, timeout=timeout, client_session=client_session, network=network
        )
        self._cache = TokenCache(self._fetch, self._server.retry.clock)

    async def get_token(self) -> str:
        """
        Return a valid access token.

        Raises:
            AuthenticationError: the sign-in server rejects the client or the scopes.
            ServerError: the sign-in server failed.
            TransportError: the sign-in server could not be reached.

        """
        return await self._cache.get()

    def invalidate(self, token: str) -> None:
        """Drop a token that the platform rejected."""
        self._cache.invalidate(token)

    async def _fetch(self, *, early: bool) -> CachedToken:
        policy = self._server.retry
        requested = policy.clock()
        form = {"grant_type": "client_credentials", "scope": " ".join(self._scopes)}
        tokens = await self._server.tokens(form, self._client, once=early)
        return CachedToken.issued(tokens.access, requested, tokens.lifetime(policy.now()))

    def __repr__(self) -> str:
        if not hasattr(self, "_server"):
            return "<ClientCredentials, invalid>"
        return f"<ClientCredentials {self._client.client_id!r} at {str(self._server.issuer)!r}>"


def _secret(value: object) -> Secret | None:
    # The caller raises: a frame here holds the value.
    if not isinstance(value, str) or not value:
        return None
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return None
    return Secret(value)
