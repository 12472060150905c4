"""Tokens for services: the client credentials grant."""

from __future__ import annotations

from collections.abc import Iterable

import aiohttp
from yarl import URL

from itwin_async._arguments import invalid
from itwin_async._http.credentials import Secret
from itwin_async.auth.arguments import application, scope_names, secret_text
from itwin_async.auth.claims import lifetime
from itwin_async.auth.issuer import PRODUCTION_ISSUER
from itwin_async.auth.renewal import Held, Renewal, held
from itwin_async.auth.server import Application, SignInServer
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

_PERSONAL = ("openid", "email", "profile", "organization")


class ClientCredentials:
    """
    Hands out a service's tokens; give it to ``Session`` as its token.

    A token is asked for when it is needed and kept. Ten minutes before its end one caller gets the
    next while the others go on; from a minute before its end all wait for the same one request.
    There are no timers and no tasks, so there is nothing to close.

    Args:
        client_id: the service's id.
        client_secret: its secret; never shown.
        scopes: what is asked for; no scopes of a person.
        issuer: the sign-in server.
        retry: when and how failed token requests are repeated.
        timeout: limits of a token request, in seconds.
        client_session: an aiohttp session to borrow for token requests.

    Raises:
        ArgumentError: an argument cannot be right.
        ConfigurationError: the issuer is not an address that may be given a secret.

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
    ) -> None:
        try:
            secret: Secret | None = secret_text(client_secret)
        finally:
            del client_secret  # a traceback may show what this frame holds
        if secret is None:
            raise invalid("client_secret", None, "a text that is not empty")
        self._client = Application(application(client_id), secret)
        self._scopes = scope_names(scopes)
        personal = [scope for scope in self._scopes if scope in _PERSONAL]
        if personal:
            raise invalid(
                "scopes", " ".join(personal), "without scopes of a person, which a service is not"
            )
        self._server = SignInServer(
            issuer, retry=retry, timeout=timeout, client_session=client_session
        )
        self._renewal = Renewal(self._fetch, self._server.retry.clock)

    async def get_token(self) -> str:
        """
        Give a token that is good now.

        Returns:
            The access token.

        Raises:
            AuthenticationError: the sign-in server refuses the client or the scopes.
            ServerError: the sign-in server failed.
            TransportError: the sign-in server could not be reached.

        """
        return (await self._renewal.get()).reveal()

    def invalidate(self, token: str) -> None:
        """
        Give a token up that the platform refused.

        Args:
            token: the refused token.

        """
        self._renewal.drop(token)

    async def _fetch(self, early: bool) -> Held:
        policy = self._server.retry
        asked = policy.clock()
        form = {"grant_type": "client_credentials", "scope": " ".join(self._scopes)}
        tokens = await self._server.tokens(form, self._client, once=early)
        seconds = lifetime(tokens.access, tokens.lifetime, policy.now())
        return held(tokens.access, asked, seconds)

    def __repr__(self) -> str:
        if not hasattr(self, "_server"):
            return "<ClientCredentials not made>"
        return f"<ClientCredentials {self._client.client_id!r} at {str(self._server.issuer)!r}>"
