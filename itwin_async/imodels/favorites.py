"""The calling user's favorite iModels."""

from __future__ import annotations

from typing import Unpack

from itwin_async._http.urls import guid
from itwin_async.imodels.api import api
from itwin_async.imodels.models import IModel, IModelSummary
from itwin_async.models import Id
from itwin_async.paging import DetailPager, Paging
from itwin_async.session import Session

LIST = api.detail_list(
    "list_favorites",
    "GET /favorites",
    "Get My Favorite iModels",
    IModelSummary,
    IModel,
    key="iModels",
    paging="token",
)
ADD = api.nothing("add_favorite", "PUT /favorites/{imodel_id}", "Add iModel to My Favorites")
REMOVE = api.nothing(
    "remove_favorite", "DELETE /favorites/{imodel_id}", "Remove iModel from My Favorites"
)


def list_favorites(
    session: Session, itwin_id: Id, **paging: Unpack[Paging]
) -> DetailPager[IModelSummary, IModel]:
    """List the calling user's favorite iModels of an iTwin."""
    return LIST(session, {"iTwinId": guid("itwin_id", itwin_id)}, paging)


async def add_favorite(session: Session, imodel_id: Id) -> None:
    """Add an iModel to the favorites; adding it twice changes nothing."""
    await ADD(session, imodel_id=imodel_id)


async def remove_favorite(session: Session, imodel_id: Id) -> None:
    """Remove an iModel from the favorites."""
    await REMOVE(session, imodel_id=imodel_id)
