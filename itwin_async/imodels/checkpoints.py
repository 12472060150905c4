"""Checkpoints: whole iModels as of a changeset, ready to be read."""

from __future__ import annotations

import attrs

from itwin_async._json.model import model
from itwin_async.imodels._arguments import id_or_number
from itwin_async.imodels.api import api
from itwin_async.imodels.models import StorageLink
from itwin_async.models import Id
from itwin_async.session import Session


@model
class AzureAccess:
    """The key to a directory in Azure's storage; a secret, and so not shown."""

    sas_token: str | None = attrs.field(default=None, repr=False)


@model
class GoogleAccess:
    """The key to a directory in Google's storage; a secret, and so not shown."""

    authorization: str | None = attrs.field(default=None, repr=False)


@model
class DirectoryAccessInfo:
    """
    Where a checkpoint's blocks are, and the key to them.

    Attributes:
        base_url: address of the storage.
        storage: name of the container.
        base_directory: the directory in it.
        storage_type: ``"azure"`` or ``"google"``; open set.
        azure: the key, where it is Azure's.
        google: the key, where it is Google's.

    """

    base_url: str | None = None
    storage: str | None = None
    base_directory: str | None = None
    storage_type: str | None = None
    azure: AzureAccess | None = None
    google: GoogleAccess | None = None


@model
class CheckpointLinks:
    """Addresses of what belongs to a checkpoint."""

    download: StorageLink | None = None


@model
class Checkpoint:
    """
    An iModel as of a changeset.

    Attributes:
        changeset_id: id of the changeset; empty for the baseline.
        changeset_index: its index; 0 for the baseline.
        size: size in bytes; means nothing unless the state is ``"successful"``.
        state: ``"successful"``, ``"scheduled"``, ``"failed"`` or ``"notGenerated"``; open set.
        db_name: name of the database in the directory.
        directory_access_info: where its blocks are.
        links: addresses of what belongs to it.

    """

    changeset_id: str | None = None
    changeset_index: int | None = None
    size: int | None = None
    state: str | None = None
    db_name: str | None = None
    directory_access_info: DirectoryAccessInfo | None = None
    links: CheckpointLinks | None = None


GET_LATEST = api.entity(
    "get_latest_checkpoint",
    "GET /{imodel_id}/briefcases/checkpoint",
    "Get Briefcase Checkpoint",
    Checkpoint,
    key="checkpoint",
)
GET_OF_CHANGESET = api.entity(
    "get_changeset_checkpoint",
    "GET /{imodel_id}/changesets/{changeset}/checkpoint",
    "Get Changeset Checkpoint",
    Checkpoint,
    key="checkpoint",
)
GET_OF_NAMED_VERSION = api.entity(
    "get_named_version_checkpoint",
    "GET /{imodel_id}/namedversions/{named_version_id}/checkpoint",
    "Get Named Version Checkpoint",
    Checkpoint,
    key="checkpoint",
)
UPDATE = api.entity(
    "update_named_version_checkpoint",
    "PUT /{imodel_id}/namedversions/{named_version_id}/checkpoint",
    "Update Named Version Checkpoint",
    Checkpoint,
    key="checkpoint",
)


async def get_latest_checkpoint(session: Session, imodel_id: Id) -> Checkpoint:
    """Get the latest checkpoint of an iModel, which new briefcases start from."""
    return await GET_LATEST(session, imodel_id=imodel_id)


async def get_changeset_checkpoint(
    session: Session, imodel_id: Id, changeset: str | int
) -> Checkpoint:
    """Get the checkpoint of a changeset, by its id or its index; 0 is the baseline."""
    number = id_or_number("changeset", changeset)
    return await GET_OF_CHANGESET(session, imodel_id=imodel_id, changeset=number)


async def get_named_version_checkpoint(
    session: Session, imodel_id: Id, named_version_id: Id
) -> Checkpoint:
    """Get the checkpoint of a named version."""
    return await GET_OF_NAMED_VERSION(
        session, imodel_id=imodel_id, named_version_id=named_version_id
    )


async def update_named_version_checkpoint(
    session: Session, imodel_id: Id, named_version_id: Id
) -> Checkpoint:
    """Have a named version's checkpoint made again if that failed; one that is there stays."""
    return await UPDATE(session, imodel_id=imodel_id, named_version_id=named_version_id)
