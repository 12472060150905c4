"""The iModels of an iTwin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._arguments import text
from itwin_async._http.urls import guid
from itwin_async.imodels._arguments import extent_body, short_name, short_text
from itwin_async.imodels.api import api
from itwin_async.imodels.models import Extent, IModel, IModelSummary
from itwin_async.models import UNSET, Id, Unset
from itwin_async.operations import Checks, changes, choice, nullable, orders, query
from itwin_async.paging import DetailPager, NumberedPaging
from itwin_async.session import Session

IModelState: TypeAlias = Literal["initialized", "notInitialized"]
IModelOrder: TypeAlias = Literal[
    "name",
    "name asc",
    "name desc",
    "createdDateTime",
    "createdDateTime asc",
    "createdDateTime desc",
]

LIST = api.detail_list(
    "list_imodels",
    "GET /",
    "Get iTwin iModels",
    IModelSummary,
    IModel,
    key="iModels",
    paging="both",
)
GET = api.entity("get_imodel", "GET /{imodel_id}", "Get iModel", IModel, key="iModel")
UPDATE = api.entity("update_imodel", "PATCH /{imodel_id}", "Update iModel", IModel, key="iModel")
DELETE = api.nothing("delete_imodel", "DELETE /{imodel_id}", "Delete iModel")

_QUERY: Checks = {
    "$search": text,
    "name": short_name,
    "state": choice(*get_args(IModelState)),
    "$orderBy": orders(*get_args(IModelOrder)),
}
_MEMBERS: Checks = {
    "name": short_name,
    "description": nullable(short_text),
    "extent": nullable(extent_body),
}


def list_imodels(
    session: Session,
    itwin_id: Id,
    *,
    search: str | None = None,
    name: str | None = None,
    state: IModelState | None = None,
    order_by: IModelOrder | Sequence[IModelOrder] | None = None,
    **paging: Unpack[NumberedPaging],
) -> DetailPager[IModelSummary, IModel]:
    """
    List the iModels of an iTwin.

    Args:
        session: the session.
        itwin_id: GUID of the iTwin.
        search: only iModels with this text in their name or description.
        name: only the iModel of exactly this name.
        state: only iModels in this state.
        order_by: one order, or several of falling weight.
        paging: how the list is walked.

    """
    chosen = query(_QUERY, search=search, name=name, state=state, order_by=order_by)
    return LIST(session, {"iTwinId": guid("itwin_id", itwin_id), **chosen}, paging)


async def get_imodel(session: Session, imodel_id: Id) -> IModel:
    """Get an iModel."""
    return await GET(session, imodel_id=imodel_id)


async def update_imodel(
    session: Session,
    imodel_id: Id,
    *,
    name: str | Unset = UNSET,
    description: str | Unset | None = UNSET,
    extent: Extent | Unset | None = UNSET,
) -> IModel:
    """Change at least one of an iModel's name, description and extent."""
    body = changes(_MEMBERS, name=name, description=description, extent=extent)
    return await UPDATE(session, json=body, imodel_id=imodel_id)


async def delete_imodel(session: Session, imodel_id: Id) -> None:
    """Delete an iModel; needs the permission ``imodels_delete`` on the iTwin."""
    await DELETE(session, imodel_id=imodel_id)
