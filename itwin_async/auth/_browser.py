"""The browser's part of a sign-in: the page to open and the redirect that comes back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from html import escape
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import attrs
from aiohttp import web
from yarl import URL

from itwin_async._http.credentials import Secret
from itwin_async.auth._oauth_errors import redirect_error
from itwin_async.errors import ApiError, AuthenticationError, ConfigurationError
from itwin_async.events import logger

_HOSTS = {"localhost": ("127.0.0.1", "::1")}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto }}
</style></head><body><h1>{title}</h1><p>{text}</p></body></html>
"""


@attrs.frozen
class Proof:
    """The PKCE verifier and the state that tie the redirect to this sign-in."""

    verifier: Secret = attrs.field(factory=lambda: Secret(secrets.token_urlsafe(64)))
    state: Secret = attrs.field(factory=lambda: Secret(secrets.token_urlsafe(32)))

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier."""
        digest = hashlib.sha256(self.verifier.reveal().encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def authorize_url(
    endpoint: URL, client_id: str, redirect_uri: URL, scopes: Iterable[str], proof: Proof
) -> str:
    """Build the address of the sign-in page."""
    query = urlencode(
        {
            "client_id": client_id,
            "redirect_uri": str(redirect_uri),
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": proof.state.reveal(),
            "code_challenge": proof.challenge,
            "code_challenge_method": "S256",
            "prompt": "consent",
            "access_type": "offline",
        }
    )
    separator = "&" if endpoint.raw_query_string else "?"
    return f"{endpoint}{separator}{query}"


class RedirectServer:
    """Listens on a loopback URI for the one redirect with the right state."""

    def __init__(self, uri: URL, state: Secret) -> None:
        self._uri = uri
        self._state = state
        self._answer: asyncio.Future[Secret | ApiError] = asyncio.Future()
        # An access log would hold the code.
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=1
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await self._listen()
        except BaseException:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def code(self, seconds: float) -> Secret:
        """Wait for the authorization code."""
        answer: Secret | ApiError = AuthenticationError(
            f"nobody signed in within {seconds:g} seconds", status=401, code="SignInTimedOut"
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                answer = await self._answer
        if isinstance(answer, Secret):
            return answer
        raise answer

    async def _listen(self) -> None:
        host, fault = self._uri.host or "", ""
        # A machine without IPv6 still serves localhost.
        for number, address in enumerate(_HOSTS.get(host, (host,))):
            try:
                await web.TCPSite(self._runner, address, self._uri.port).start()
            except OSError as problem:
                if number == 0:
                    fault = problem.strerror or type(problem).__name__
                    break
        if fault:
            raise ConfigurationError(
                f"cannot listen on the redirect URI {str(self._uri)!r}: {fault}; "
                "is another program using it?"
            )

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        if request.path != self._uri.path:
            return _page(404, "Not found", "There is nothing here.")
        if request.method != "GET":
            return _page(405, "Method not allowed", "This address only takes redirects.")
        query = request.query
        state = query.get("state", "").encode("utf-8", "replace")
        if not hmac.compare_digest(state, self._state.reveal().encode()):
            logger.warning("rejected a redirect that belongs to another sign-in")
            return _page(
                400, "This redirect belongs to another sign-in", "Start again from the terminal."
            )
        if "error" in query or not query.get("code"):
            error = redirect_error(query.get("error", ""), query.get("error_description", ""))
            self._finish(error)
            return _page(400, "Not signed in", error.message)
        self._finish(Secret(query["code"]))
        return _page(200, "Back to the terminal", "The sign-in goes on there; close this window.")

    def _finish(self, answer: Secret | ApiError) -> None:
        if not self._answer.done():
            self._answer.set_result(answer)


def _page(status: int, title: str, text: str) -> web.Response:
    html = _PAGE.format(title=escape(title), text=escape(text))
    response = web.Response(status=status, text=html, content_type="text/html", headers=_HEADERS)
    response.force_close()
    return response
