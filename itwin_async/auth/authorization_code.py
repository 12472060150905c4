"""Tokens for people: the authorization code grant with PKCE."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar, Unpack

import aiohttp
import attrs
from yarl import URL

from itwin_async._http import urls
from itwin_async._http.credentials import Secret
from itwin_async._http.network import Network
from itwin_async.auth._arguments import checked_client_id, checked_scopes
from itwin_async.auth._discovery import PRODUCTION_ISSUER
from itwin_async.auth._files import locked
from itwin_async.auth._server import Application, Form, SignInServer
from itwin_async.auth._token_cache import CachedToken, TokenCache
from itwin_async.auth._tokens import Tokens
from itwin_async.auth.stores import DefaultStore, SignInStore, StoredSignIn
from itwin_async.errors import AuthenticationError, ConfigurationError
from itwin_async.retry import RetryPolicy
from itwin_async.timeout import Timeout

DEFAULT_REDIRECT_URI = "http://localhost:3000/signin-callback"

_PLATFORM = "https://api.bentley.com"
_OFFLINE = "offline_access"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

T = TypeVar("T")


class AuthorizationCode:
    """
    A token provider for the person who signed in.

    ``sign_in`` opens the browser and stores the sign-in; from then on all programs of the same
    user refresh it, one at a time. There is nothing to close.

    Args:
        client_id: id of a native application; it has no secret.
        scopes: the scopes to request; ``offline_access`` is added, refreshing needs it.
        issuer: the sign-in server.
        redirect_uri: a loopback URI that is registered for the application.
        base_url: the platform that the sign-in is for; ``Session.from_env`` sends its tokens to no
            other.
        store: keeps the sign-in; by default the system's keyring, or a file of mode 0600.
        retry: when and how failed token requests are repeated.
        timeout: limits of a token request, in seconds.
        client_session: an aiohttp session to borrow for token requests.
        network: how the sign-in server is reached: ``proxy``, ``ssl`` and ``trust_env``, as for
            ``Session``.

    Raises:
        ArgumentError: an argument is invalid.
        ConfigurationError: a URL is not safe.

    """

    def __init__(
        self,
        client_id: str,
        scopes: Iterable[str] = ("itwin-platform", _OFFLINE),
        issuer: str | URL = PRODUCTION_ISSUER,
        *,
        redirect_uri: str = DEFAULT_REDIRECT_URI,
        base_url: str | URL = _PLATFORM,
        store: SignInStore | None = None,
        retry: RetryPolicy | None = None,
        timeout: Timeout | None = None,
        client_session: aiohttp.ClientSession | None = None,
        **network: Unpack[Network],
    ) -> None:
        self._client = Application(checked_client_id(client_id))
        names = checked_scopes(scopes)
        self._scopes = names if _OFFLINE in names else (*names, _OFFLINE)
        self._redirect_uri = _checked_redirect_uri(redirect_uri)
        self._base_url = str(urls.base_url(base_url))
        self._server = SignInServer(
            issuer, retry=retry, timeout=timeout, client_session=client_session, network=network
        )
        self._issuer = str(self._server.issuer)
        self._store: SignInStore = DefaultStore() if store is None else store
        self._policy = self._server.retry
        self._cache = TokenCache(self._fetch, self._policy.clock)
        self._rejected: Secret | None = None

    @classmethod
    def of(
        cls,
        record: StoredSignIn,
        *,
        store: SignInStore | None = None,
        retry: RetryPolicy | None = None,
        **network: Unpack[Network],
    ) -> AuthorizationCode:
        """Make the provider of a stored sign-in; ``store`` is where it was found."""
        return cls(
            record.client_id,
            record.scopes,
            record.issuer,
            redirect_uri=record.redirect_uri,
            base_url=record.base_url,
            store=store,
            retry=retry,
            **network,
        )

    async def sign_in(
        self, open_url: Callable[[str], object] = webbrowser.open, *, wait: float = 300.0
    ) -> str:
        """
        Have a person sign in, and store the sign-in.

        Args:
            open_url: shows the sign-in page; called in a thread with its address.
            wait: how long the person may take, in seconds.

        Returns:
            A description of where the sign-in is stored.

        Raises:
            AuthenticationError: the sign-in was denied, or nobody signed in in time.
            ConfigurationError: the redirect URI is in use, or the sign-in cannot be stored.

        """
        # It imports aiohttp's server, which nothing else needs.
        from itwin_async.auth._browser import (  # noqa: PLC0415
            Proof,
            RedirectServer,
            authorize_url,
        )

        page = (await self._server.endpoints()).authorization
        if page is None:
            raise ConfigurationError(f"{self._issuer!r} has no sign-in page")
        proof, redirect_uri = Proof(), self._redirect_uri
        url = authorize_url(page, self._client.client_id, redirect_uri, self._scopes, proof)
        async with self._locked():
            pass  # a missing lock is reported before the browser opens
        async with RedirectServer(redirect_uri, proof.state) as server:
            await asyncio.to_thread(open_url, url)
            code = await server.code(wait)
        form: Form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": str(redirect_uri),
            "code_verifier": proof.verifier,
        }
        async with self._locked():
            tokens = await self._server.tokens(form, self._client)
            record = StoredSignIn(
                self._issuer,
                self._client.client_id,
                str(redirect_uri),
                self._scopes,
                self._base_url,
            )
            where, _ = await self._save(record, tokens)
        return where

    async def sign_out(self) -> bool:
        """
        Delete the stored sign-in, revoke it, and tell whether there was one.

        Raises:
            ITwinError: revoking failed; the stored sign-in is deleted all the same.

        """
        self._cache.put(None)
        async with self._locked():
            record = await asyncio.to_thread(self._store.load, self._issuer)
            await asyncio.to_thread(self._store.delete, self._issuer)
        if record is not None and record.refresh is not None:
            await self._server.revoke(record.refresh, Application(record.client_id))
        return record is not None

    async def get_token(self) -> str:
        """
        Return a valid access token.

        Raises:
            AuthenticationError: nobody is signed in, or the sign-in has expired.
            ServerError: the sign-in server failed.
            TransportError: the sign-in server could not be reached.

        """
        return await self._cache.get()

    def invalidate(self, token: str) -> None:
        """Drop a token that the platform rejected."""
        if self._cache.invalidate(token):
            self._rejected = Secret(token)

    async def _fetch(self, *, early: bool) -> CachedToken:
        fresh = self._usable(await self._load(), early=early)
        if fresh is not None:
            return fresh
        # An early refresh does not wait for another process: that one is refreshing.
        async with self._locked(0.0 if early else None):
            # Another process may have refreshed while this one waited.
            record = await self._load()
            fresh = self._usable(record, early=early)
            if fresh is not None:
                return fresh
            # The refresh token works once: what it returned must be stored whatever happens.
            work = self._refresh(record, once=early)
            return await _finish(work, self._server.timeout.attempt)

    async def _load(self) -> StoredSignIn:
        record = await asyncio.to_thread(self._store.load, self._issuer)
        if record is None or record.client_id != self._client.client_id:
            raise _sign_in_required(f"nobody is signed in at {self._issuer!r}; sign in")
        return record

    def _usable(self, record: StoredSignIn, *, early: bool) -> CachedToken | None:
        access, rejected = record.access, self._rejected
        if access is None or (rejected is not None and access.reveal() == rejected.reveal()):
            return None
        now = self._policy.clock()
        issued = now + (record.expires_at - record.lifetime) - self._policy.now()
        found = CachedToken.issued(access, issued, record.lifetime)
        return found if now < (found.refresh_at if early else found.stale_at) else None

    async def _refresh(self, record: StoredSignIn, *, once: bool) -> CachedToken:
        if record.refresh is None:
            await asyncio.to_thread(self._store.delete, self._issuer)
            raise _sign_in_required("the sign-in has expired; sign in again")
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
        _, fresh = await self._save(record, tokens)
        return fresh

    async def _save(self, record: StoredSignIn, tokens: Tokens) -> tuple[str, CachedToken]:
        now, clock = self._policy.now(), self._policy.clock()
        lifetime = tokens.lifetime(now)
        record = attrs.evolve(
            record,
            refresh=tokens.refresh or record.refresh,
            access=tokens.access,
            expires_at=now + lifetime,
            lifetime=lifetime,
            saved_at=now,
        )
        fresh = CachedToken.issued(tokens.access, clock, lifetime)
        # Cached first: a token that cannot be stored still serves this process.
        self._cache.put(fresh)
        where = await asyncio.to_thread(self._store.save, record)
        self._rejected = None
        return where, fresh

    def _locked(self, seconds: float | None = None) -> AbstractAsyncContextManager[None]:
        wait = self._server.timeout.total if seconds is None else seconds
        return locked(self._issuer, self._policy, wait)

    def __repr__(self) -> str:
        if not hasattr(self, "_issuer"):
            return "<AuthorizationCode, invalid>"
        return f"<AuthorizationCode {self._client.client_id!r} at {self._issuer!r}>"


def _checked_redirect_uri(value: object) -> URL:
    try:
        url = urls.parse(str(value))
    except ValueError:
        url = URL()
    loopback = url.scheme == "http" and url.host in _LOOPBACK and bool(url.port)
    bare = not (url.user or url.password or url.raw_query_string or url.raw_fragment)
    if not loopback or not bare or not url.raw_path.startswith("/"):
        raise ConfigurationError(
            "redirect_uri must be http on localhost, 127.0.0.1 or [::1], with a path and without "
            f"query, such as {DEFAULT_REDIRECT_URI!r}"
        )
    return url


def _sign_in_required(message: str) -> AuthenticationError:
    return AuthenticationError(
        f"{message} with 'itwin-async login'", status=401, code="SignInRequired"
    )


async def _finish(work: Coroutine[object, object, T], seconds: float) -> T:
    """
    Do something in full even if the caller is cancelled.

    Args:
        work: runs in a task that never outlives the call.
        seconds: how long it may go on after a cancellation; a second one ends it at once.

    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.cancel() and not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not log it
        await asyncio.wait({task})
        raise
