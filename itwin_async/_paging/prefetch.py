"""Pages under way: requests that a walk makes before their answers are due."""

from __future__ import annotations

import asyncio

import attrs

from itwin_async._http.attempt import Response
from itwin_async._paging.links import follow, peek_links
from itwin_async._tasks import cancellations
from itwin_async.errors import ITwinError, PaginationError
from itwin_async.listing import Listing
from itwin_async.models import PageLinks
from itwin_async.session import Session


@attrs.define(eq=False, repr=False)
class Fetched:
    """What came of requesting one page; an error is kept until the page's turn."""

    target: str
    outcome: Response | ITwinError


@attrs.define(eq=False, repr=False)
class Ahead:
    """A page under way; without a target while it still waits for the page before it."""

    target: str | None
    task: asyncio.Task[Fetched] | asyncio.Task[Fetched | None]

    def cancel(self) -> None:
        """Give the page up."""
        if not self.task.get_loop().is_closed():
            self.task.cancel()


async def outcome_of(task: asyncio.Task[Fetched] | asyncio.Task[Fetched | None]) -> Fetched | None:
    """
    Wait for a page under way.

    Args:
        task: what fetches it.

    Returns:
        What came of it; ``None`` if it was given up by somebody else.

    """
    before = cancellations()
    try:
        return await task
    except asyncio.CancelledError:
        if cancellations() > before:
            raise
        return None  # the session was closed, and the next request will say so


async def fetch(session: Session, listing: Listing[object], target: str) -> Fetched:
    """
    Request one page.

    Args:
        session: where the request goes.
        listing: the list.
        target: request target of the page.

    Returns:
        What came of it.

    """
    try:
        headers = {"Prefer": listing.prefer} if listing.prefer else None
        response = await session.request("GET", target, accept=listing.accept, headers=headers)
    except ITwinError as error:
        return Fetched(target, error)
    return Fetched(target, response)


async def fetch_after(
    session: Session,
    listing: Listing[object],
    previous: asyncio.Task[Fetched] | asyncio.Task[Fetched | None],
) -> Fetched | None:
    """
    Request the page behind one that is itself under way.

    Args:
        session: where the request goes.
        listing: the list.
        previous: what fetches the page before.

    Returns:
        What came of it; ``None`` if no page is known to follow.

    """
    fetched = await previous
    if fetched is None or isinstance(fetched.outcome, ITwinError):
        return None
    following = peek(session, fetched.outcome, fetched.target)
    if following is None or following == fetched.target:
        return None
    return await fetch(session, listing, following)


def peek(session: Session, response: Response, target: str) -> str | None:
    """
    Find the next target without decoding items; whatever is wrong with it shows at its turn.

    Args:
        session: its base URL is the only origin that is asked.
        response: the answer that holds the link.
        target: request target of that answer.

    Returns:
        The next request target; ``None`` if there is none or it does not show.

    """
    try:
        links = peek_links(response.body)
        return None if links is None else following_target(session, links, target)
    except PaginationError:
        return None


def following_target(session: Session, links: PageLinks, target: str) -> str | None:
    """
    Read the next request target off a page's links.

    Args:
        session: its base URL is the only origin that is asked.
        links: the page's links.
        target: request target of the page.

    Returns:
        The next request target; ``None`` at the end of the list.

    Raises:
        PaginationError: the link is malformed or leads to another origin.

    """
    if links.next is None:
        return None
    return follow(session.base_url, target, links.next, rewrite=session.rewrite_links)
