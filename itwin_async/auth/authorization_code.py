"""Tokens for people: the authorization code grant with PKCE, and what follows from it."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import Callable, Iterable

import aiohttp
import attrs
from yarl import URL

from itwin_async._http import urls
from itwin_async._http.credentials import Secret
from itwin_async.auth.answers import Tokens
from itwin_async.auth.arguments import application, loopback_uri, scope_names
from itwin_async.auth.claims import lifetime
from itwin_async.auth.critical import to_the_end
from itwin_async.auth.files import locked
from itwin_async.auth.issuer import PRODUCTION_ISSUER
from itwin_async.auth.pkce import authorize_url, new_proof
from itwin_async.auth.records import SignInStore, StoredSignIn
from itwin_async.auth.renewal import Held, Renewal, held
from itwin_async.auth.server import Application, Form, SignInServer
from itwin_async.auth.stores import DefaultStore
from itwin_async.errors import AuthenticationError, ConfigurationError, ITwinError
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

_PLATFORM = "https://api.bentley.com"
_OFFLINE = "offline_access"


class AuthorizationCode:
    """
    Hands out the tokens of the person who signed in; give it to ``Session`` as its token.

    ``sign_in`` opens the browser and keeps the sign-in; from then on any program of the same user
    renews it, one at a time. It owns no tasks and needs no closing.

    Args:
        client_id: id of a native application; it has no secret.
        scopes: what is asked for; ``offline_access`` is added, without it nothing can be kept.
        issuer: the sign-in server.
        redirect_uri: address on loopback that is registered for the application.
        base_url: the platform that the sign-in is for; ``Session.from_env`` sends its tokens to no
            other.
        store: where the sign-in is kept; by default the system's keyring, or a file of mode 0600.
        retry: when and how failed token requests are repeated.
        timeout: limits of a token request, in seconds.
        client_session: an aiohttp session to borrow for token requests.

    Raises:
        ArgumentError: an argument cannot be right.
        ConfigurationError: an address is not safe.

    """

    def __init__(
        self,
        client_id: str,
        scopes: Iterable[str] = ("itwin-platform", _OFFLINE),
        issuer: str | URL = PRODUCTION_ISSUER,
        *,
        redirect_uri: str = "http://localhost:3000/signin-callback",
        base_url: str | URL = _PLATFORM,
        store: SignInStore | None = None,
        retry: RetryPolicy | None = None,
        timeout: Timeout | None = None,
        client_session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._client = Application(application(client_id))
        names = scope_names(scopes)
        self._scopes = names if _OFFLINE in names else (*names, _OFFLINE)
        self._redirect = loopback_uri(redirect_uri)
        self._base_url = str(urls.base_url(base_url))
        self._server = SignInServer(
            issuer, retry=retry, timeout=timeout, client_session=client_session
        )
        self._issuer = str(self._server.issuer)
        self._store: SignInStore = DefaultStore() if store is None else store
        self._policy = self._server.retry
        self._renewal = Renewal(self._fetch, self._policy.clock)
        self._refused: Secret | None = None

    @classmethod
    def of(
        cls,
        record: StoredSignIn,
        *,
        store: SignInStore | None = None,
        retry: RetryPolicy | None = None,
    ) -> AuthorizationCode:
        """
        Go on with a sign-in that was kept.

        Args:
            record: the sign-in.
            store: where it was found.
            retry: when and how failed token requests are repeated.

        Returns:
            The provider.

        """
        return cls(
            record.client_id,
            record.scopes,
            record.issuer,
            redirect_uri=record.redirect_uri,
            base_url=record.base_url,
            store=store,
            retry=retry,
        )

    async def sign_in(
        self, open_url: Callable[[str], object] = webbrowser.open, *, wait: float = 300.0
    ) -> str:
        """
        Have a person sign in, and keep the sign-in in place of the one before.

        Args:
            open_url: shows the sign-in page to the person; called in a thread with its address.
            wait: how long the person may take, in seconds.

        Returns:
            Where the sign-in is kept, in words.

        Raises:
            AuthenticationError: the person or the server refused, or nobody signed in in time.
            ConfigurationError: the redirect address is taken, or the sign-in cannot be kept.

        """
        # It brings aiohttp's server along, which nothing else needs.
        from itwin_async.auth.redirect import RedirectServer  # noqa: PLC0415

        endpoints = await self._server.endpoints()
        if endpoints.authorization is None:
            raise ConfigurationError(f"{self._issuer!r} has no page to sign in at")
        proof, redirect = new_proof(), str(self._redirect)
        url = authorize_url(
            endpoints.authorization, self._client.client_id, redirect, self._scopes, proof
        )
        async with self._locked():
            pass  # what cannot be locked is found out before the person is sent anywhere
        async with RedirectServer(self._redirect, proof.state) as server:
            await asyncio.to_thread(open_url, url)
            code = await server.code(wait)
        form: Form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": proof.verifier,
        }
        async with self._locked():
            tokens = await self._server.tokens(form, self._client)
            record = StoredSignIn(
                self._issuer, self._client.client_id, redirect, self._scopes, self._base_url
            )
            where, _ = await self._keep(record, tokens)
        return where

    async def sign_out(self) -> bool:
        """
        Forget the sign-in and have the sign-in server take it back.

        Returns:
            Whether anybody was signed in.

        Raises:
            ITwinError: the server did not take it back; it is forgotten here all the same.

        """
        self._renewal.clear()
        async with self._locked():
            record = await asyncio.to_thread(self._store.load, self._issuer)
            await asyncio.to_thread(self._store.delete, self._issuer)
        if record is not None and record.refresh is not None:
            await self._server.revoke(record.refresh, Application(record.client_id))
        return record is not None

    async def get_token(self) -> str:
        """
        Give a token that is good now.

        Returns:
            The access token.

        Raises:
            AuthenticationError: nobody is signed in, or the sign-in has ended.
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
        if self._renewal.drop(token):
            self._refused = Secret(token)

    async def _fetch(self, early: bool) -> Held:
        fresh = self._usable(await self._load(), early=early)
        if fresh is not None:
            return fresh
        # Ahead of the end nobody waits for another process: that one is renewing it.
        async with self._locked(0.0 if early else None):
            # While this one waited, another process may have done the work.
            record = await self._load()
            fresh = self._usable(record, early=early)
            if fresh is not None:
                return fresh
            # The refresh token is good for one use: what it gave must be kept whatever happens.
            work = self._refresh(record, once=early)
            return await to_the_end(work, self._server.timeout.attempt)

    async def _load(self) -> StoredSignIn:
        record = await asyncio.to_thread(self._store.load, self._issuer)
        if record is None or record.client_id != self._client.client_id:
            raise AuthenticationError(
                f"nobody is signed in at {self._issuer!r}; sign in with 'itwin-async login'",
                status=401,
                code="SignInRequired",
            )
        return record

    def _usable(self, record: StoredSignIn, *, early: bool) -> Held | None:
        access, refused = record.access, self._refused
        if access is None or (refused is not None and access.reveal() == refused.reveal()):
            return None
        now = self._policy.clock()
        asked = now + (record.expires_at - record.lifetime) - self._policy.now()
        found = held(access, asked, record.lifetime)
        return found if now < (found.early if early else found.late) else None

    async def _refresh(self, record: StoredSignIn, *, once: bool) -> Held:
        if record.refresh is None:
            await asyncio.to_thread(self._store.delete, self._issuer)
            raise AuthenticationError(
                "the sign-in has ended; sign in again with 'itwin-async login'",
                status=401,
                code="SignInRequired",
            )
        form: Form = {
            "grant_type": "refresh_token",
            "refresh_token": record.refresh,
            "redirect_uri": record.redirect_uri,
        }
        try:
            tokens = await self._server.tokens(form, self._client, once=once)
        except AuthenticationError as error:
            if error.code == "invalid_grant":
                await asyncio.to_thread(self._store.delete, self._issuer)
            raise
        _, fresh = await self._keep(record, tokens)
        return fresh

    async def _keep(self, record: StoredSignIn, tokens: Tokens) -> tuple[str, Held]:
        now, clock = self._policy.now(), self._policy.clock()
        seconds = lifetime(tokens.access, tokens.lifetime, now)
        kept = attrs.evolve(
            record,
            refresh=tokens.refresh or record.refresh,
            access=tokens.access,
            expires_at=now + seconds,
            lifetime=seconds,
            saved_at=now,
        )
        fresh = held(tokens.access, clock, seconds)
        try:
            where = await asyncio.to_thread(self._store.save, kept)
        except ITwinError:
            self._renewal.put(fresh)  # good for this process at least
            raise
        self._refused = None
        self._renewal.put(fresh)
        return where, fresh

    def _locked(self, seconds: float | None = None) -> contextlib.AbstractAsyncContextManager[None]:
        wait = self._server.timeout.total if seconds is None else seconds
        return locked(self._issuer, self._policy, wait)

    def __repr__(self) -> str:
        if not hasattr(self, "_issuer"):
            return "<AuthorizationCode not made>"
        return f"<AuthorizationCode {self._client.client_id!r} at {self._issuer!r}>"
