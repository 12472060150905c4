"""The calling user's recently used iModels."""

from __future__ import annotations

from typing import Unpack

from itwin_async._http.urls import guid
from itwin_async.imodels.api import api
from itwin_async.imodels.models import IModel, IModelSummary
from itwin_async.models import Id
from itwin_async.paging import DetailPager, Paging
from itwin_async.retry import Repeat
from itwin_async.session import Session

LIST = api.detail_list(
    "list_recents",
    "GET /recents",
    "Get My Recently Used iModels",
    IModelSummary,
    IModel,
    key="iModels",
    paging="top",
)
ADD = api.nothing(
    "add_recent", "POST /recents/{imodel_id}", "Add iModel to My Recents", repeat=Repeat.SAFE
)
REMOVE = api.nothing(
    "remove_recent", "DELETE /recents/{imodel_id}", "Remove iModel from My Recents"
)


def list_recents(
    session: Session, itwin_id: Id, **paging: Unpack[Paging]
) -> DetailPager[IModelSummary, IModel]:
    """List the recently used iModels of an iTwin, newest first; the platform keeps 25."""
    return LIST(session, {"iTwinId": guid("itwin_id", itwin_id)}, paging)


async def add_recent(session: Session, imodel_id: Id) -> None:
    """
    Put an iModel at the front of the recently used ones; beyond 25 the oldest falls out.

    The documentation names no success status; every 2xx is taken as one.
    """
    await ADD(session, imodel_id=imodel_id)


async def remove_recent(session: Session, imodel_id: Id) -> None:
    """Remove an iModel from the recently used ones."""
    await REMOVE(session, imodel_id=imodel_id)
