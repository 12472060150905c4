"""
A web backend on FastAPI: one session for all users, each request with its own user's token.

::

    pip install itwin-async fastapi uvicorn
    uvicorn examples.fastapi_app:app
    curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/itwins/favorites
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, TypeAlias, TypeVar

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.types import Receive, Scope, Send

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
from itwin_async import (
    ITwinError,
    Page,
    PageIterator,
    Pager,
    Session,
    TokenProvider,
    imodels,
    itwins,
)

T = TypeVar("T")

Credentials: TypeAlias = Callable[[Request], str | TokenProvider]

# The scheme only gives /docs its button "Authorize"; as_user reads the token.
router = APIRouter(dependencies=[Depends(HTTPBearer(auto_error=False))])


def bearer(request: Request) -> str:
    """Tell whose request it is, by the token that came with it."""
    return token_in(request.headers)


def create_app(
    make_session: Callable[[], Session] = open_session, *, credentials: Credentials = bearer
) -> FastAPI:
    """
    Build the application; its session is open from start-up to shutdown.

    Args:
        make_session: makes the session when the application starts.
        credentials: tells whose request it is.

    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with make_session() as session:
            app.state.session = session
            yield

    app = FastAPI(title="Favorites", lifespan=lifespan)
    app.state.credentials = credentials
    app.add_api_route("/", page, include_in_schema=False, response_model=None)
    app.include_router(router)
    app.add_exception_handler(ITwinError, refuse)
    app.add_exception_handler(ExceptionGroup, refuse)  # what task groups raise
    return app


async def refuse(_: Request, error: Exception) -> Response:
    """Answer a request whose handler failed."""
    return refusal(error_in(error))


def refusal(error: ITwinError) -> JSONResponse:
    """Make the answer to a request that failed before anything was sent."""
    return JSONResponse(problem(error), status_of(error), headers_of(error))


async def as_user(request: Request) -> Session:
    """View the shared session as the user who asks."""
    return view(request.app.state.session, request.app.state.credentials(request))


User = Annotated[Session, Depends(as_user)]


class PageStream(StreamingResponse):
    """An NDJSON answer that follows a list page by page, until the browser goes away."""

    written = NDJSON
    media_type = NDJSON.media_type

    # FastAPI's OpenAPI document takes the default of status_code from here.
    def __init__(self, pager: Pager[Favorite], status_code: int = 200) -> None:
        self._pages = pager.pages()
        super().__init__((), status_code)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as the browser stays for."""
        try:
            # Starlette cancels stream_response when the browser goes away, wherever it stands.
            await super().__call__(scope, receive, send)
        finally:
            await self._pages.aclose()

    async def stream_response(self, send: Send) -> None:
        """Begin when the first page is there: until then a failure has a status of its own."""
        try:
            first = await anext(self._pages)
        except ITwinError as error:
            answer = refusal(error)
            start = {"status": answer.status_code, "headers": answer.raw_headers}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body", "body": answer.body})
        else:
            self.body_iterator = parts(first, self._pages, self.written)
            await super().stream_response(send)


class EventStream(PageStream):
    """The same as server-sent events, a page each."""

    written = EVENTS
    media_type = EVENTS.media_type


async def parts(
    first: Page[Favorite], others: PageIterator[Favorite], written: StreamFormat
) -> AsyncIterator[bytes]:
    """Write pages. The status is sent by then: a late failure becomes the last part."""
    try:
        yield written.page(first)
        async for page in others:
            yield written.page(page)
        if written.end:
            yield written.end
    except ITwinError as error:
        yield written.problem(error)


async def while_there(request: Request, work: Coroutine[object, object, T]) -> T:
    """Wait for something, but no longer than the browser does; handlers are not cancelled."""
    task = asyncio.create_task(work)

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await task
    except asyncio.CancelledError:
        if not watcher.done():
            raise
        raise HTTPException(499) from None  # which nobody reads
    finally:
        watcher.cancel()


async def page() -> FileResponse:
    """Show the page that uses all the rest."""
    return FileResponse(PAGE)


@router.get("/itwins")
async def first_itwins(request: Request, user: User) -> dict[str, list[dict[str, object]]]:
    """Show the user's favorite and recent iTwins, both fetched at once."""
    return await while_there(request, overview(user))


@router.get("/itwins/favorites", response_class=PageStream)
async def favorite_itwins(user: User, cursor: str | None = None) -> PageStream:
    """Stream the user's favorite iTwins, one JSON object a line."""
    return PageStream(itwins.list_favorites(user, cursor=cursor))


@router.get("/itwins/{itwin_id}/favorites", response_class=PageStream)
async def favorite_imodels(user: User, itwin_id: str, cursor: str | None = None) -> PageStream:
    """Stream the user's favorite iModels of an iTwin, one JSON object a line."""
    return PageStream(imodels.list_favorites(user, itwin_id, cursor=cursor))


@router.get("/itwins/{itwin_id}/favorites/events", response_class=EventStream)
async def favorite_events(request: Request, user: User, itwin_id: str) -> EventStream:
    """Send the user's favorite iModels of an iTwin as server-sent events, a page each."""
    cursor = cursor_in(request.headers, request.query_params)
    return EventStream(imodels.list_favorites(user, itwin_id, cursor=cursor))


@router.put("/imodels/{imodel_id}/favorite", status_code=204, response_model=None)
async def add_favorite(user: User, imodel_id: str) -> None:
    """Make an iModel a favorite of the user."""
    await imodels.add_favorite(user, imodel_id)


@router.delete("/imodels/{imodel_id}/favorite", status_code=204, response_model=None)
async def remove_favorite(user: User, imodel_id: str) -> None:
    """Make an iModel no longer a favorite of the user."""
    await imodels.remove_favorite(user, imodel_id)


app = create_app()
