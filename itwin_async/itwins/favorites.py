"""The calling user's favorite iTwins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from itwin_async._arguments import Prefer
from itwin_async._http.urls import segment
from itwin_async.itwins.api import ACCEPT, Status, SubClass, personal_list
from itwin_async.itwins.models import ITwin, ITwinSummary
from itwin_async.paging import Pager
from itwin_async.retry import Repeat
from itwin_async.session import Session


@overload
def list_favorites(
    session: Session,
    *,
    sub_class: SubClass | Iterable[SubClass] | None = None,
    status: Status | None = None,
    type: str | None = None,
    include_inactive: bool | None = None,
    prefer: Literal["minimal"] = "minimal",
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
    concurrency: int = 1,
) -> Pager[ITwinSummary]: ...


@overload
def list_favorites(
    session: Session,
    *,
    sub_class: SubClass | Iterable[SubClass] | None = None,
    status: Status | None = None,
    type: str | None = None,
    include_inactive: bool | None = None,
    prefer: Literal["representation"],
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
    concurrency: int = 1,
) -> Pager[ITwin]: ...


def list_favorites(
    session: Session,
    *,
    sub_class: SubClass | Iterable[SubClass] | None = None,
    status: Status | None = None,
    type: str | None = None,  # noqa: A002 - the platform's own name
    include_inactive: bool | None = None,
    prefer: Prefer = "minimal",
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
    concurrency: int = 1,
) -> Pager[ITwinSummary]:
    """
    List the favorite iTwins.

    Calls "Get My Favorite iTwins", ``GET /itwins/favorites``. Rows that appear or vanish between
    two pages shift the platform's ``$skip`` window: an iTwin may then come twice or be missed.

    Args:
        session: the session.
        sub_class: one sub-class or several; the platform answers faster with it.
        status: only iTwins of this status; not together with ``include_inactive``.
        type: only iTwins of this type.
        include_inactive: whether inactive iTwins are listed too; by default they are not.
        prefer: ``"minimal"`` for summaries, ``"representation"`` for whole iTwins.
        page_size: items a page, 1 to 1000; the platform's default is 100.
        cursor: where to go on.
        prefetch: pages requested ahead.
        concurrency: pages that may be under way at once; items still come in order. The first page
            goes alone, since only the platform's own link tells how the others are numbered.

    Returns:
        A pager; nothing is requested yet.

    Raises:
        ArgumentError: an argument is not what the platform accepts.

    """
    listing = personal_list(
        "favorites",
        sub_class=sub_class,
        status=status,
        type_=type,
        include_inactive=include_inactive,
        prefer=prefer,
    )
    return Pager(
        session,
        listing,
        page_size=page_size,
        cursor=cursor,
        prefetch=prefetch,
        concurrency=concurrency,
    )


async def add_favorite(session: Session, itwin_id: str) -> None:
    """
    Add an iTwin to the favorites; adding it twice changes nothing.

    Calls "Add iTwin to My Favorites", ``POST /itwins/favorites/{id}``.

    Args:
        session: the session.
        itwin_id: id of the iTwin.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such iTwin.
        ITwinError: as ``Session.request``.

    """
    await session.request(
        "POST",
        f"/itwins/favorites/{segment('itwin_id', itwin_id)}",
        accept=ACCEPT,
        repeat=Repeat.SAFE,
    )


async def remove_favorite(session: Session, itwin_id: str) -> None:
    """
    Remove an iTwin from the favorites.

    Calls "Remove iTwin from My Favorites", ``DELETE /itwins/favorites/{id}``.

    Args:
        session: the session.
        itwin_id: id of the iTwin.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such iTwin.
        ITwinError: as ``Session.request``.

    """
    await session.request(
        "DELETE", f"/itwins/favorites/{segment('itwin_id', itwin_id)}", accept=ACCEPT
    )
