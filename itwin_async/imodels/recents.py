"""The calling user's recently used iModels."""

from __future__ import annotations

from typing import Literal, overload

from itwin_async._arguments import Prefer
from itwin_async._http.urls import segment
from itwin_async.imodels.api import ACCEPT, personal_list
from itwin_async.imodels.models import IModel, IModelSummary
from itwin_async.paging import Pager
from itwin_async.retry import Repeat
from itwin_async.session import Session


@overload
def list_recents(
    session: Session,
    itwin_id: str,
    *,
    prefer: Literal["minimal"] = "minimal",
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
) -> Pager[IModelSummary]: ...


@overload
def list_recents(
    session: Session,
    itwin_id: str,
    *,
    prefer: Literal["representation"],
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
) -> Pager[IModel]: ...


def list_recents(
    session: Session,
    itwin_id: str,
    *,
    prefer: Prefer = "minimal",
    page_size: int | None = None,
    cursor: str | None = None,
    prefetch: int = 1,
) -> Pager[IModelSummary]:
    """
    List the recently used iModels of an iTwin, newest first; the platform keeps 25.

    Calls "Get My Recently Used iModels", ``GET /imodels/recents``.

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
    listing = personal_list("recents", itwin_id, prefer)
    return Pager(session, listing, page_size=page_size, cursor=cursor, prefetch=prefetch)


async def add_recent(session: Session, imodel_id: str) -> None:
    """
    Put an iModel at the front of the recently used ones; beyond 25 the oldest falls out.

    Calls "Add iModel to My Recents", ``POST /imodels/recents/{id}``. The documentation names no
    success status; every 2xx is taken as one.

    Args:
        session: the session.
        imodel_id: id of the iModel.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such iModel.
        ITwinError: as ``Session.request``.

    """
    await session.request(
        "POST",
        f"/imodels/recents/{segment('imodel_id', imodel_id)}",
        accept=ACCEPT,
        repeat=Repeat.SAFE,
    )


async def remove_recent(session: Session, imodel_id: str) -> None:
    """
    Remove an iModel from the recently used ones.

    Calls "Remove iModel from My Recents", ``DELETE /imodels/recents/{id}``.

    Args:
        session: the session.
        imodel_id: id of the iModel.

    Raises:
        ArgumentError: that cannot be an id.
        NotFoundError: there is no such iModel.
        ITwinError: as ``Session.request``.

    """
    await session.request(
        "DELETE", f"/imodels/recents/{segment('imodel_id', imodel_id)}", accept=ACCEPT
    )
