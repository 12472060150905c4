"""
A web backend on FastAPI: one session for all users, each request with its own user's token.

::

    pip install itwin-async fastapi uvicorn
    uvicorn examples.fastapi_app:app
    curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/itwins/favorites
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import ceil
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from itwin_async import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    ITwinError,
    OperationFailedError,
    Page,
    PageIterator,
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
Credentials: TypeAlias = Callable[[Request], str | TokenProvider]

router = APIRouter()


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


def bearer(request: Request) -> str:
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
) -> FastAPI:
    """
    Build the application.

    Args:
        make_session: makes the session when the application starts.
        credentials: tells whose request it is.

    Returns:
        The application; its session is open from start-up to shutdown.

    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with make_session() as session:
            app.state.session = session
            yield

    app = FastAPI(title="Favorites", lifespan=lifespan)
    app.state.credentials = credentials
    app.include_router(router)
    app.add_exception_handler(ITwinError, refuse)
    return app


async def as_user(request: Request) -> Session:
    """
    View the shared session as the user who asks.

    Args:
        request: the browser's request.

    Returns:
        The view; it costs about a microsecond and needs no closing.

    Raises:
        AuthenticationError: what the browser sent cannot be a token.

    """
    session: Session = request.app.state.session
    try:
        return session.with_token(request.app.state.credentials(request))
    except ConfigurationError as error:
        raise AuthenticationError(str(error), status=401) from None


User = Annotated[Session, Depends(as_user)]


@router.get("/itwins/favorites")
async def favorite_itwins(user: User, cursor: str | None = None) -> PageStream:
    """Stream the user's favorite iTwins, one JSON object a line."""
    return PageStream(itwins.list_favorites(user, cursor=cursor))


@router.get("/itwins/{itwin_id}/favorites")
async def favorite_imodels(user: User, itwin_id: str, cursor: str | None = None) -> PageStream:
    """Stream the user's favorite iModels of an iTwin, one JSON object a line."""
    return PageStream(imodels.list_favorites(user, itwin_id, cursor=cursor))


@router.put("/imodels/{imodel_id}/favorite", status_code=204, response_model=None)
async def add_favorite(user: User, imodel_id: str) -> None:
    """Make an iModel a favorite of the user."""
    await imodels.add_favorite(user, imodel_id)


@router.delete("/imodels/{imodel_id}/favorite", status_code=204, response_model=None)
async def remove_favorite(user: User, imodel_id: str) -> None:
    """Make an iModel no longer a favorite of the user."""
    await imodels.remove_favorite(user, imodel_id)


class PageStream(StreamingResponse):
    """
    An NDJSON answer that follows a list page by page, and stops when the browser goes away.

    Args:
        pager: the list.

    """

    media_type = "application/x-ndjson"

    def __init__(self, pager: Pager[Favorite]) -> None:
        self._walk = pager.pages()
        super().__init__(())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as the browser stays for."""
        try:
            # Starlette cancels stream_response when the browser goes away, wherever it stands.
            await super().__call__(scope, receive, send)
        finally:
            await self._walk.aclose()

    async def stream_response(self, send: Send) -> None:
        """Begin when the first page is there: until then a failure has a status of its own."""
        try:
            first = await anext(self._walk)
        except ITwinError as error:
            answer = refusal(error)
            start = {"status": answer.status_code, "headers": answer.raw_headers}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body", "body": answer.body})
        else:
            self.body_iterator = lines(first, self._walk)
            await super().stream_response(send)


async def lines(first: Page[Favorite], walk: PageIterator[Favorite]) -> AsyncIterator[bytes]:
    """
    Write pages as NDJSON. The status is sent by then: a late failure becomes the last line.

    Args:
        first: the first page.
        walk: gives the pages after it.

    Yields:
        The lines of one page.

    """
    try:
        yield ndjson(*map(to_dict, first.items))
        async for page in walk:
            yield ndjson(*map(to_dict, page.items))
    except ITwinError as error:
        yield ndjson(problem(error))


def ndjson(*values: Mapping[str, object]) -> bytes:
    """
    Write values as JSON, one a line.

    Args:
        values: the values.

    Returns:
        The lines.

    """
    return "".join(f"{json.dumps(value)}\n" for value in values).encode()


async def refuse(_: Request, error: Exception) -> Response:
    """
    Answer a request whose handler failed.

    Args:
        error: what went wrong.

    Returns:
        The answer.

    """
    if not isinstance(error, ITwinError):
        raise error
    return refusal(error)


def refusal(error: ITwinError) -> JSONResponse:
    """
    Make the answer to a request that failed before anything was sent.

    Args:
        error: what went wrong.

    Returns:
        The answer.

    """
    headers = {}
    if isinstance(error, AuthenticationError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ApiError) and error.retry_after is not None:
        headers["Retry-After"] = f"{ceil(error.retry_after)}"
    return JSONResponse(problem(error), status_code=status_of(error), headers=headers)


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


app = create_app()
