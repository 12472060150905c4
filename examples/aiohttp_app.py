"""
A web backend on aiohttp: one session for all users, each request with its own user's token.

::

    pip install itwin-async
    python -m examples.aiohttp_app
    curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/itwins/favorites
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler

from examples.backend import (
    EVENTS,
    NDJSON,
    PAGE,
    Favorite,
    StreamFormat,
    cursor_in,
    error_in,
    headers_of,
    open_session,
    overview,
    problem,
    status_of,
    token_in,
    view,
)
from itwin_async import ITwinError, Pager, Session, TokenProvider, imodels, itwins

Credentials: TypeAlias = Callable[[web.Request], str | TokenProvider]

SESSION = web.AppKey("SESSION", Session)
CREDENTIALS: web.AppKey[Credentials] = web.AppKey("CREDENTIALS")

routes = web.RouteTableDef()


def bearer(request: web.Request) -> str:
    """Tell whose request it is, by the token that came with it."""
    return token_in(request.headers)


def create_app(
    make_session: Callable[[], Session] = open_session, *, credentials: Credentials = bearer
) -> web.Application:
    """
    Build the application; its session is open from start-up to cleanup.

    Args:
        make_session: makes the session when the application starts.
        credentials: tells whose request it is.

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


@web.middleware
async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests that failed before anything was sent."""
    try:
        return await handler(request)
    except (ITwinError, ExceptionGroup) as raised:
        error = error_in(raised)
        return web.json_response(problem(error), status=status_of(error), headers=headers_of(error))


def as_user(request: web.Request) -> Session:
    """View the shared session as the user who asks."""
    return view(request.app[SESSION], request.app[CREDENTIALS](request))


@routes.get("/")
async def page(_: web.Request) -> web.FileResponse:
    """Show the page that uses all the rest."""
    return web.FileResponse(PAGE)


@routes.get("/itwins")
async def first_itwins(request: web.Request) -> web.Response:
    """Show the user's favorite and recent iTwins, both fetched at once."""
    return web.json_response(await overview(as_user(request)))


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


@routes.get("/itwins/{itwin_id}/favorites/events")
async def favorite_events(request: web.Request) -> web.StreamResponse:
    """Send the user's favorite iModels of an iTwin as server-sent events, a page each."""
    itwin_id, cursor = request.match_info["itwin_id"], cursor_in(request.headers, request.query)
    pager = imodels.list_favorites(as_user(request), itwin_id, cursor=cursor)
    return await stream(request, pager, EVENTS)


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


async def stream(
    request: web.Request, pager: Pager[Favorite], written: StreamFormat = NDJSON
) -> web.StreamResponse:
    """Answer with a list, page by page; an error of the first page still has its own status."""
    pages = pager.pages()
    first = await anext(pages)
    response = web.StreamResponse(headers={"Content-Type": written.media_type})
    try:
        await response.prepare(request)
        try:
            await response.write(written.page(first))
            async for page in pages:
                await response.write(written.page(page))
            if written.end:
                await response.write(written.end)
        except ITwinError as error:  # the status is sent by now: it becomes the last part
            await response.write(written.problem(error))
        await response.write_eof()
    except ConnectionResetError:
        pass  # the browser has gone: nothing to say, and nobody to say it to
    finally:
        await pages.aclose()  # this task may be cancelled, which is how most leavings show
    return response


if __name__ == "__main__":
    # Without handler_cancellation a browser that goes away is noticed at the next write only.
    web.run_app(create_app(), host="127.0.0.1", port=8000, handler_cancellation=True)
