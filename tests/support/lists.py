"""A list of the tests' own: its items, its operation, and how the two kinds of lists answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import attrs
from doubles import CannedServer, Reply, Respond, Seen

from itwin_async import Pager, RetryPolicy, Session
from itwin_async.paging import List, NumberedPaging

T = TypeVar("T")

NO_RETRY = RetryPolicy(retries=0, rate_limit_retries=0)


@attrs.frozen
class Thing:
    id: str
    display_name: str | None = None


def token_listing(**changes: Any) -> List[Thing]:
    facts: dict[str, Any] = {
        "operation": "tests.things",
        "path": "/things",
        "query": (("kind", "odd"),),
        "key": "things",
        "item": Thing,
        "accept": "application/vnd.tests.v1+json",
        "headers": {"Prefer": "return=minimal"},
        "mode": "token",
        **changes,
    }
    return List(**facts)


def skip_listing(**changes: Any) -> List[Thing]:
    return token_listing(**{"query": (), "mode": "skip", **changes})


def pager_of(session: Session, listing: List[Thing] | None = None, **options: Any) -> Pager[Thing]:
    return Pager(session, listing or token_listing(), NumberedPaging(**options))


def ids(things: list[Thing]) -> list[int]:
    return [int(thing.id) for thing in things]


async def take(walk: AsyncIterable[T], found: list[T]) -> None:
    """Walk to the end, keeping what came also where an error ends it."""
    async for item in walk:
        found.append(item)  # noqa: PERF401 - a comprehension keeps nothing


def thing_page(ids: Iterable[int], *, links: Any = None, **more: Any) -> Reply:
    body: dict[str, Any] = {"things": [{"id": f"{number}"} for number in ids], **more}
    if links is not None:
        body["_links"] = links
    return Reply(json.dumps(body).encode())


def next_link(href: str | None) -> dict[str, Any]:
    return {"self": None, "prev": None, "next": None if href is None else {"href": href}}


class SkipList:
    """A list paged by ``$top`` and ``$skip``, which may change between two requests."""

    def __init__(self, length: int, *, cap: int = 1000, extra_next: bool = False) -> None:
        self.rows = list(range(length))
        self.cap = cap
        self.extra_next = extra_next
        self.path = "/Things"

    def __call__(self, seen: Seen) -> Reply:
        top, skip = int(seen.query("$top") or 100), int(seen.query("$skip") or 0)
        size = min(top, self.cap)
        rows = self.rows[skip : skip + size]
        more = skip + size < len(self.rows) or (self.extra_next and rows)
        stem = f"http://{seen.headers['host']}{self.path}"
        href = f"{stem}?$skip={skip + size}&$top={top}" if more else None
        return thing_page(rows, links=next_link(href))


def token_list(length: int) -> Respond:
    """A list paged by tokens, which are made only if asked for by an empty one."""

    def respond(seen: Seen) -> Reply:
        top, token = int(seen.query("$top") or 100), seen.query("$continuationToken")
        if token is None:
            return Reply(status=422)
        start = int(token.removeprefix("at")) if token else 0
        rows = range(length)[start : start + top]
        stem = f"http://{seen.headers['host']}/things?kind=odd&$top={top}&$continuationToken=at"
        return thing_page(
            rows, links=next_link(f"{stem}{start + top}" if start + top < length else None)
        )

    return respond


def book(*pages: tuple[list[int], object]) -> Respond:
    """
    Numbered pages: ``/things?...`` is page 0, ``/things?p=N`` page N; each with its ``_links``.
    """

    def respond(seen: Seen) -> Reply:
        rows, links = pages[int(seen.query("p") or 0)]
        return thing_page(rows, links=links)

    return respond


@attrs.define
class Desk:
    """A server, a session on it, and a pager of things."""

    server: CannedServer
    session: Session

    def things(self, listing: List[Thing] | None = None, **options: Any) -> Pager[Thing]:
        return pager_of(self.session, listing, **options)


OpenDesk = Callable[..., Awaitable[Desk]]
