"""The calling user's favorite iModels."""

from __future__ import annotations

from typing import Literal, overload

from itwin_async._arguments import Prefer
from itwin_async._http.urls import segment
from itwin_async.imodels.api import ACCEPT, personal_list
from itwin_async.imodels.models import IModel, IModelSummary
from itwin_async.paging import Pager
from itwin_async.session import Session


@overload
def list_favorites(
    session: Session,
    itwin_id: str,
    *,
    prefer: Literal["minimal"] = "minimal",
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
) -> Pager[IModelSummary]: ...


@overload
def list_favorites(
    session: Session,
    itwin_id: str,
    *,
    prefer: Literal["representation"],
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
) -> Pager[IModel]: ...


def list_favorites(
    session: Session,
    itwin_id: str,
    *,
    prefer: Prefer = "minimal",
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
) -> Pager[IModelSummary]:
    """
    List the favorite iModels of an iTwin.

    Calls "Get My Favorite iModels", ``GET /imodels/favorites``, in continuation-token mode.

    Args:
        session: the session.
        itwin_id: GUID of the iTwin.
        prefer: ``"minimal"`` for summaries, ``"representation"`` for whole iModels.
        page_size: items a page, 1 to 1000; the platform's default is 100.
        cursor: where to go on.
        prefetch: pages requested ahead.

    Returns:
        A pager; nothing is requested yet.

    Raises:
        ArgumentError: an argument is not what the platform accepts.

    """
    listing = personal_list("favorites", itwin_id, prefer, opening=(("$continuationToken", ""),))
    return Pager(session, listing, page_size=page_size, cursor=cursor, prefetch=prefetch)


async def add_favorite(session: Session, imodel_id: str) -> None:
    """
    Add an iModel to the favorites; adding it twice changes nothing.

    Calls "Add iModel to My Favorites", ``PUT /imodels/favorites/{id}``.

    Args:
        session: the session.
        imodel_id: id of the iModel.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such iModel.
        ITwinError: as ``Session.request``.

    """
    await session.request(
        "PUT", f"/imodels/favorites/{segment('imodel_id', imodel_id)}", accept=ACCEPT
    )


async def remove_favorite(session: Session, imodel_id: str) -> None:
    """
    Remove an iModel from the favorites.

    Calls "Remove iModel from My Favorites", ``DELETE /imodels/favorites/{id}``.

    Args:
        session: the session.
        imodel_id: id of the iModel.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such iModel.
        ITwinError: as ``Session.request``.

    """
    await session.request(
        "DELETE", f"/imodels/favorites/{segment('imodel_id', imodel_id)}", accept=ACCEPT
    )
