"""
A web backend on aiohttp: one session for all users, each request with its own user's token.

::

    pip install itwin-async
    python -m examples.aiohttp_app
    curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/itwins/favorites
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from math import ceil
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler

from itwin_async import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ITwinError,
    OperationFailedError,
    Pager,
    RateLimitError,
    RequestError,
    Session,
    TokenProvider,
    TransportError,
    imodels,
    itwins,
    to_dict,
)

Favorite: TypeAlias = imodels.IModelSummary | itwins.ITwinSummary
Credentials: TypeAlias = Callable[[web.Request], str | TokenProvider]

SESSION = web.AppKey("SESSION", Session)
CREDENTIALS: web.AppKey[Credentials] = web.AppKey("CREDENTIALS")

routes = web.RouteTableDef()


async def nobody() -> str:
    """
    Refuse to hand out a token: without a user there is nothing to call the platform for.

    Raises:
        ConfigurationError: always.

    """
    raise ConfigurationError("this backend calls the platform for its users only")


def open_session() -> Session:
    """
    Make the session that all users share.

    Returns:
        The session, not opened.

    """
    base_url = os.environ.get("ITWIN_BASE_URL", "https://api.bentley.com")
    return Session(nobody, base_url=base_url, timeout=60)  # no browser waits for five minutes


def bearer(request: web.Request) -> str:
    """
    Take the user's token from the request; a backend with sign-in of its own looks it up instead.

    Args:
        request: the browser's request.

    Returns:
        The token.

    Raises:
        AuthenticationError: there is none.

    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AuthenticationError("send the user's token: Authorization: Bearer ...", status=401)
    return token


def create_app(
    make_session: Callable[[], Session] = open_session, *, credentials: Credentials = bearer
) -> web.Application:
    """
    Build the application.

    Args:
        make_session: makes the session when the application starts.
        credentials: tells whose request it is.

    Returns:
        The application; its session is open from start-up to cleanup.

    """

    async def sharing(app: web.Application) -> AsyncIterator[None]:
        async with make_session() as session:
            app[SESSION] = session
            yield

    app = web.Application(middlewares=[refuse])
    app[CREDENTIALS] = credentials
    app.cleanup_ctx.append(sharing)
    app.add_routes(routes)
    return app


def as_user(request: web.Request) -> Session:
    """
    View the shared session as the user who asks.

    Args:
        request: the browser's request.

    Returns:
        The view; it costs about a microsecond and needs no closing.

    Raises:
        AuthenticationError: what the browser sent cannot be a token.

    """
    try:
        return request.app[SESSION].with_token(request.app[CREDENTIALS](request))
    except ConfigurationError as error:
        raise AuthenticationError(str(error), status=401) from None


@routes.get("/itwins/favorites")
async def favorite_itwins(request: web.Request) -> web.StreamResponse:
    """Stream the user's favorite iTwins, one JSON object a line."""
    cursor = request.query.get("cursor")
    return await stream(request, itwins.list_favorites(as_user(request), cursor=cursor))


@routes.get("/itwins/{itwin_id}/favorites")
async def favorite_imodels(request: web.Request) -> web.StreamResponse:
    """Stream the user's favorite iModels of an iTwin, one JSON object a line."""
    itwin_id, cursor = request.match_info["itwin_id"], request.query.get("cursor")
    return await stream(request, imodels.list_favorites(as_user(request), itwin_id, cursor=cursor))


@routes.put("/imodels/{imodel_id}/favorite")
async def add_favorite(request: web.Request) -> web.Response:
    """Make an iModel a favorite of the user."""
    await imodels.add_favorite(as_user(request), request.match_info["imodel_id"])
    return web.Response(status=204)


@routes.delete("/imodels/{imodel_id}/favorite")
async def remove_favorite(request: web.Request) -> web.Response:
    """Make an iModel no longer a favorite of the user."""
    await imodels.remove_favorite(as_user(request), request.match_info["imodel_id"])
    return web.Response(status=204)


async def stream(request: web.Request, pager: Pager[Favorite]) -> web.StreamResponse:
    """
    Answer with a list, page by page as the platform gives it.

    Args:
        request: the browser's request.
        pager: the list.

    Returns:
        The answer, sent.

    Raises:
        ITwinError: the first page failed; the answer can still be an error with a status.

    """
    walk = pager.pages()
    first = await anext(walk)
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    try:
        await response.prepare(request)
        try:
            await response.write(ndjson(*map(to_dict, first.items)))
            async for page in walk:
                await response.write(ndjson(*map(to_dict, page.items)))
        except ITwinError as error:  # the status is sent by now: it becomes the last line
            await response.write(ndjson(problem(error)))
        await response.write_eof()
    except ConnectionResetError:
        pass  # the browser has gone: nothing to say, and nobody to say it to
    finally:
        await walk.aclose()  # this task may be cancelled, which is how most leavings show
    return response


def ndjson(*values: Mapping[str, object]) -> bytes:
    """
    Write values as JSON, one a line.

    Args:
        values: the values.

    Returns:
        The lines.

    """
    return "".join(f"{json.dumps(value)}\n" for value in values).encode()


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """
    Answer requests that failed before anything was sent.

    Args:
        request: the browser's request.
        handler: what answers it.

    Returns:
        The answer.

    """
    try:
        return await handler(request)
    except ITwinError as error:
        headers = {}
        if isinstance(error, AuthenticationError):
            headers["WWW-Authenticate"] = "Bearer"
        if isinstance(error, ApiError) and error.retry_after is not None:
            headers["Retry-After"] = f"{ceil(error.retry_after)}"
        return web.json_response(problem(error), status=status_of(error), headers=headers)


def status_of(error: ITwinError) -> int:
    """
    Choose the HTTP status that tells the browser what happened.

    Args:
        error: what went wrong.

    Returns:
        The status.

    """
    match error:
        case RateLimitError():
            return 503  # the limit is this backend's, not its user's
        case ApiError() if 400 <= error.status < 500:  # noqa: PLR2004 - what the user can mend
            return error.status
        case ArgumentError():
            return 400
        case TransportError() if error.timeout:
            return 504
        case RequestError() | OperationFailedError():
            return 502
        case _:
            return 500


def problem(error: ITwinError) -> dict[str, object]:
    """
    Describe an error to the browser; texts of ``itwin_async`` hold no secrets.

    Args:
        error: what went wrong.

    Returns:
        What to send as JSON; ``cursor`` is where the list goes on when it is asked for again.

    """
    return {
        "error": {
            "type": type(error).__name__,
            "status": status_of(error),
            "message": str(error),
            "requestId": error.request_id if isinstance(error, RequestError) else None,
            "cursor": error.cursor,
        }
    }


if __name__ == "__main__":
    # Without handler_cancellation a browser that goes away is noticed at the next write only.
    web.run_app(create_app(), host="127.0.0.1", port=8000, handler_cancellation=True)
