"""What both web backends share: the session, its users, and errors as HTTP answers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import TypeAlias

import attrs

from itwin_async import (
    ApiError,
    ArgumentError,
    AuthenticationError,
    ConfigurationError,
    FileTransferError,
    ITwinError,
    OperationFailedError,
    Page,
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

PAGE = Path(__file__).with_name("page.html")


async def nobody() -> str:
    """Refuse a token: without a user there is nothing to call the platform for."""
    raise ConfigurationError("this backend calls the platform for its users only")


def open_session() -> Session:
    """Make the session that all users share; the application opens it when it starts."""
    base_url = os.environ.get("ITWIN_BASE_URL", "https://api.bentley.com")
    return Session(nobody, base_url=base_url, timeout=60)  # no browser waits for five minutes


def token_in(headers: Mapping[str, str]) -> str:
    """Take the user's token from a request; a backend with sign-in of its own looks it up."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AuthenticationError("send the user's token: Authorization: Bearer ...", status=401)
    return token


def view(session: Session, token: str | TokenProvider) -> Session:
    """View the shared session as a user; this costs a microsecond and needs no closing."""
    try:
        return session.with_token(token)
    except ConfigurationError as error:  # what the browser sent cannot be a token
        raise AuthenticationError(str(error), status=401) from None


async def overview(user: Session) -> dict[str, list[dict[str, object]]]:
    """Fetch two lists at once; where one fails, the task group raises an ``ExceptionGroup``."""
    async with asyncio.TaskGroup() as group:
        favorites = group.create_task(itwins.list_favorites(user).collect(limit=20))
        recents = group.create_task(itwins.list_recents(user).collect(limit=20))
    return {
        "favorites": [to_dict(itwin) for itwin in favorites.result()],
        "recents": [to_dict(itwin) for itwin in recents.result()],
    }


@attrs.frozen
class StreamFormat:
    """How a list is written while it is read: its pages, and an error in the middle."""

    media_type: str
    page: Callable[[Page[Favorite]], bytes]
    problem: Callable[[ITwinError], bytes]
    end: bytes = b""


def ndjson(*values: Mapping[str, object]) -> bytes:
    """Write values as JSON, one a line."""
    return "".join(f"{json.dumps(value)}\n" for value in values).encode()


def event(name: str, value: object, cursor: str | None = None) -> bytes:
    """Write a server-sent event; its id is where the list goes on after it."""
    lines = [] if cursor is None else [f"id: {cursor}"]
    return "\n".join([*lines, f"event: {name}", f"data: {json.dumps(value)}", "", ""]).encode()


def cursor_in(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    """Tell where to go on: browsers send the id of the last event when they connect again."""
    return headers.get("Last-Event-ID") or query.get("cursor")


def error_in(error: Exception) -> ITwinError:
    """Take the package's error, out of a task group's too; raise what is anything else."""
    found: Exception | None = error
    if isinstance(error, ExceptionGroup):
        found, rest = error.split(ITwinError)
        if rest is not None:
            raise error
        while isinstance(found, ExceptionGroup):
            found = found.exceptions[0]
    if not isinstance(found, ITwinError):
        raise error
    return found


def status_of(error: ITwinError) -> int:
    """Choose the HTTP status that tells the browser what happened."""
    match error:
        case RateLimitError() | TransportError(kind="token provider"):
            return 503  # this backend's trouble, not its user's: nobody has to sign in for that
        case ApiError() if 400 <= error.status < 500:  # noqa: PLR2004 - what the user can mend
            return error.status
        case ArgumentError():
            return 400
        case TransportError() if error.timeout:
            return 504
        case RequestError() | OperationFailedError() | FileTransferError():
            return 502
        case _:
            return 500


def headers_of(error: ITwinError) -> dict[str, str]:
    """Choose the headers of an answer that tells an error."""
    headers = {}
    if isinstance(error, AuthenticationError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ApiError) and error.retry_after is not None:
        headers["Retry-After"] = f"{ceil(error.retry_after)}"
    return headers


def problem(error: ITwinError) -> dict[str, object]:
    """
    Describe an error to the browser; texts of ``itwin_async`` hold no secrets.

    ``cursor`` is where a list goes on when it is asked for again.
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


NDJSON = StreamFormat(
    "application/x-ndjson",
    page=lambda page: ndjson(*map(to_dict, page.items)),
    problem=lambda error: ndjson(problem(error)),
)
EVENTS = StreamFormat(
    "text/event-stream",
    page=lambda page: event("page", [to_dict(item) for item in page.items], page.cursor),
    problem=lambda error: event("problem", problem(error)["error"]),
    end=event("end", None),
)
