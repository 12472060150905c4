"""The loopback address to which the browser comes back."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from html import escape
from types import TracebackType
from typing import Self

from aiohttp import web
from yarl import URL

from itwin_async._http.credentials import Secret
from itwin_async.auth.answers import refusal
from itwin_async.errors import AuthenticationError, ConfigurationError
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
</style></head><body><h1>{title}</h1><p>{words}</p></body></html>
"""


class RedirectServer:
    """
    Waits on loopback for the one answer of a sign-in; use it with ``async with``.

    Args:
        uri: the redirect address.
        state: what the answer must bring along.

    """

    def __init__(self, uri: URL, state: Secret) -> None:
        self._uri = uri
        self._state = state
        self._runner: web.ServerRunner | None = None
        self._answer: asyncio.Future[Secret | AuthenticationError] | None = None

    async def __aenter__(self) -> Self:
        self._answer = asyncio.get_running_loop().create_future()
        # An access log would hold the code.
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1)
        await runner.setup()
        try:
            await self._listen(runner)
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def code(self, seconds: float) -> Secret:
        """
        Wait until the browser comes back.

        Args:
            seconds: how long.

        Returns:
            The authorization code.

        Raises:
            AuthenticationError: the sign-in was refused, or nobody came.

        """
        if self._answer is None:
            raise ConfigurationError("the redirect server is not open; use 'async with'")
        answer: Secret | AuthenticationError = AuthenticationError(
            f"nobody signed in within {seconds:g} seconds", status=401, code="SignInTimedOut"
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                answer = await self._answer
        if isinstance(answer, Secret):
            return answer
        raise answer

    async def _listen(self, runner: web.ServerRunner) -> None:
        host, port = self._uri.host or "", self._uri.port
        hosts = _HOSTS.get(host, (host,))
        open_hosts, fault = 0, ""
        for host in hosts:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as problem:
                fault = fault or problem.strerror or type(problem).__name__
                if host == hosts[0]:
                    break
            else:
                open_hosts += 1
        if not open_hosts:
            raise ConfigurationError(
                f"cannot listen for the redirect to {str(self._uri)!r}: {fault}; "
                "is another program there?"
            )

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        if request.path != self._uri.path:
            return _page(404, "Not found", "There is nothing here.")
        if request.method != "GET":
            return _page(405, "Not allowed", "There is nothing to be sent here.")
        state = request.query.get("state", "")
        expected = self._state.reveal()
        fits = hmac.compare_digest(state.encode("utf-8", "replace"), expected.encode())
        if not fits or self._answer is None:
            logger.warning("an answer to another sign-in came to the redirect address; refused")
            return _page(
                400,
                "This is the answer to another sign-in",
                "It was refused. Start again from the terminal.",
            )
        return self._take(request, self._answer)

    def _take(
        self, request: web.BaseRequest, answer: asyncio.Future[Secret | AuthenticationError]
    ) -> web.Response:
        query = request.query
        if "error" in query or not query.get("code"):
            error = refusal(query.get("error", ""), query.get("error_description", ""))
            if not answer.done():
                answer.set_result(error)
            return _page(400, "Not signed in", error.message)
        if not answer.done():
            answer.set_result(Secret(query["code"]))
        return _page(200, "Back to the terminal", "The sign-in goes on there; close this window.")


def _page(status: int, title: str, words: str) -> web.Response:
    text = _PAGE.format(title=escape(title), words=escape(words))
    response = web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)
    response.force_close()
    return response
