"""What all operations of the iModels API have in common."""

from __future__ import annotations

from itwin_async._arguments import Prefer, prefer_header
from itwin_async._http.urls import guid
from itwin_async.imodels.models import IModel, IModelSummary
from itwin_async.listing import Listing

ACCEPT = "application/vnd.bentley.itwin-platform.v2+json"


def personal_list(
    name: str, itwin_id: str, prefer: Prefer, *, opening: tuple[tuple[str, str], ...] = ()
) -> Listing[IModelSummary]:
    """
    Describe a list of the calling user's iModels in one iTwin.

    Args:
        name: ``"favorites"`` or ``"recents"``.
        itwin_id: GUID of the iTwin.
        prefer: level of detail.
        opening: what only the first request carries.

    Returns:
        The list.

    Raises:
        ArgumentError: an argument is not what the platform accepts.

    """
    header = prefer_header(prefer)
    item: type[IModelSummary] = IModel if prefer == "representation" else IModelSummary
    return Listing(
        operation=f"imodels.list_{name}",
        path=f"/imodels/{name}",
        query=(("iTwinId", guid("itwin_id", itwin_id)),),
        key="iModels",
        item=item,
        accept=ACCEPT,
        prefer=header,
        opening=opening,
    )
