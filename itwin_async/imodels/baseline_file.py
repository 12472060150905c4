"""The file that an iModel's changesets build on."""

from __future__ import annotations

from itwin_async._json.model import model
from itwin_async.imodels.api import api
from itwin_async.imodels.models import StorageLink
from itwin_async.models import Id, Link
from itwin_async.session import Session


@model
class BaselineFileLinks:
    """
    Addresses of what belongs to a baseline file.

    Attributes:
        creator: the user who made it.
        download: the file; absent without the permission ``imodels_read``.

    """

    creator: Link | None = None
    download: StorageLink | None = None


@model
class BaselineFile:
    """
    The baseline file of an iModel.

    Attributes:
        id: opaque id.
        display_name: name to show.
        file_size: size in bytes.
        state: ``"initialized"``, ``"waitingForFile"``, ``"initializationScheduled"``,
            ``"initializationFailed"`` or ``"fileIsBriefcase"``; open set.
        links: addresses of what belongs to it.

    """

    id: str
    display_name: str | None = None
    file_size: int | None = None
    state: str | None = None
    links: BaselineFileLinks | None = None


GET = api.entity(
    "get_baseline_file",
    "GET /{imodel_id}/baselinefile",
    "Get iModel Baseline File Details",
    BaselineFile,
    key="baselineFile",
)
COMPLETE = api.entity(
    "complete_baseline_file",
    "POST /{imodel_id}/baselinefile",
    "Complete iModel Baseline File Upload",
    BaselineFile,
    key="baselineFile",
)


async def get_baseline_file(session: Session, imodel_id: Id) -> BaselineFile:
    """Get an iModel's baseline file: its state, and where it can be downloaded."""
    return await GET(session, imodel_id=imodel_id)


async def complete_baseline_file(session: Session, imodel_id: Id) -> BaselineFile:
    """Say that the baseline file has been uploaded; the platform then initializes the iModel."""
    return await COMPLETE(session, json={}, imodel_id=imodel_id)
