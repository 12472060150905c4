"""How iModels come to be: new ones, clones and forks."""

from __future__ import annotations

import attrs

from itwin_async._arguments import flag, text, whole
from itwin_async._http.urls import guid
from itwin_async._json.model import model
from itwin_async.errors import ArgumentError
from itwin_async.imodels._arguments import (
    extent_body,
    hexadecimal,
    hexadecimal_or_empty,
    natural,
    short_name,
    short_text,
)
from itwin_async.imodels.api import api
from itwin_async.imodels.models import Extent, IModel
from itwin_async.models import Id
from itwin_async.operations import Checks, LongRunning, StartOperation, new
from itwin_async.session import Session


@model
class CopyOrigin:
    """
    What a clone or fork was made from.

    Attributes:
        imodel_id: GUID of the source.
        changeset_id: last changeset that was copied; empty if only the baseline was.
        relationship_id: of a fork, what ties it to its source.

    """

    imodel_id: str | None = None
    changeset_id: str | None = None
    relationship_id: str | None = None


@model
class CreateOperation:
    """
    How far the creation of an iModel is.

    Attributes:
        state: ``"successful"``, ``"waitingForFile"``, ``"scheduled"``, ``"failed"`` or
            ``"mainIModelIsMissingFederationGuids"``; open set.
        cloned_from: the source of a clone.
        forked_from: the source of a fork.

    """

    state: str | None = None
    cloned_from: CopyOrigin | None = None
    forked_from: CopyOrigin | None = None


CREATE = api.entity(
    "create_imodel", "POST /", "Create iModel", IModel, key="iModel", own_limit=True
)
STATUS = api.entity(
    "get_create_operation",
    "GET /{imodel_id}/operations/create",
    "Get Create iModel Operation Details",
    CreateOperation,
    key="createOperation",
)
_SUCCEEDED = frozenset({"successful"})
_FAILED = frozenset({"failed", "mainIModelIsMissingFederationGuids"})
CLONE = api.start(
    "clone",
    "POST /{imodel_id}/clone",
    "Clone iModel",
    status=STATUS,
    succeeded=_SUCCEEDED,
    failed=_FAILED,
    own_limit=True,
)
FORK = api.start(
    "fork",
    "POST /{imodel_id}/fork",
    "Fork iModel",
    status=STATUS,
    succeeded=_SUCCEEDED,
    failed=_FAILED,
    own_limit=True,
)
# The creation of any iModel is waited for as that of a clone.
_CREATION = attrs.evolve(CLONE, name=CREATE.name, title=CREATE.title)

_MEMBERS: Checks = {
    "itwin_id": guid,
    "name": short_name,
    "description": short_text,
    "extent": extent_body,
    "changeset_id": hexadecimal_or_empty,
    "changeset_index": natural,
    "containers_enabled": natural,
    "preserve_history": flag,
}


async def create_imodel(
    session: Session,
    itwin_id: Id,
    name: str,
    *,
    description: str | None = None,
    extent: Extent | None = None,
    horizontal_crs_id: str | None = None,
    containers_enabled: int | None = None,
    template_imodel_id: Id | None = None,
    template_changeset_id: str | None = None,
    baseline_file_size: int | None = None,
) -> IModel:
    """
    Create an iModel: empty, from another as template, or from a baseline file.

    Unless its ``state`` is ``"initialized"``, wait with ``creation(session, imodel.id).wait()``. A
    baseline file is sent to ``links.upload`` and confirmed with ``complete_baseline_file`` before.
    The platform allows 5 calls a minute (trial) or 50.

    Args:
        session: the session.
        itwin_id: GUID of the iTwin.
        name: 1 to 255 characters, unique in the iTwin.
        description: up to 255 characters.
        extent: where on the Earth it lies.
        horizontal_crs_id: id of a horizontal coordinate reference system.
        containers_enabled: bit set, technology preview: 1 SchemaSync, 2 CodeStore, 4 ViewStore.
        template_imodel_id: GUID of the iModel that it is made from, in the same data center.
        template_changeset_id: the last changeset of the template that counts; all by default.
        baseline_file_size: exact size of the baseline file, in bytes.

    """
    body = new(
        _MEMBERS,
        {"itwin_id": itwin_id, "name": name},
        description=description,
        extent=extent,
        containers_enabled=containers_enabled,
    )
    body |= _origin(template_imodel_id, template_changeset_id, baseline_file_size)
    if horizontal_crs_id is not None:
        crs = text("horizontal_crs_id", horizontal_crs_id)
        body["geographicCoordinateSystem"] = {"horizontalCRSId": crs}
    return await CREATE(session, json=body)


def creation(session: Session, imodel_id: Id) -> LongRunning[CreateOperation]:
    """Take up the creation of an iModel, to wait for its end; nothing is requested yet."""
    return LongRunning(session, _CREATION, str(imodel_id))


async def get_create_operation(session: Session, imodel_id: Id) -> CreateOperation:
    """Ask how far the creation of an iModel is."""
    return await STATUS(session, imodel_id=imodel_id)


async def clone(
    session: Session,
    imodel_id: Id,
    itwin_id: Id,
    *,
    name: str | None = None,
    description: str | None = None,
    changeset_id: str | None = None,
    changeset_index: int | None = None,
    containers_enabled: int | None = None,
) -> LongRunning[CreateOperation]:
    """
    Start to copy an iModel; ``wait()`` on the result gives the id of the copy.

    Named versions are not copied. The platform allows 5 calls a minute (trial) or 20.

    Args:
        session: the session.
        imodel_id: id of the source.
        itwin_id: GUID of the iTwin that gets the copy.
        name: name of the copy; that of the source by default.
        description: description of the copy; that of the source by default.
        changeset_id: last changeset to copy; ``""`` for the baseline only; by default all.
        changeset_index: the same by its index, 0 for the baseline only.
        containers_enabled: bit set as for ``create_imodel``.

    """
    return await _copy(
        CLONE,
        session,
        imodel_id,
        itwin_id,
        name=name,
        description=description,
        changeset_id=changeset_id,
        changeset_index=changeset_index,
        containers_enabled=containers_enabled,
    )


async def fork(
    session: Session,
    imodel_id: Id,
    itwin_id: Id,
    *,
    name: str | None = None,
    description: str | None = None,
    changeset_id: str | None = None,
    changeset_index: int | None = None,
    containers_enabled: int | None = None,
    preserve_history: bool | None = None,
) -> LongRunning[CreateOperation]:
    """
    Start to fork an iModel, with the arguments and limits of ``clone``.

    By default all changesets become part of the fork's baseline; ``preserve_history`` keeps them.
    The platform lets only selected applications fork (closed preview).
    """
    return await _copy(
        FORK,
        session,
        imodel_id,
        itwin_id,
        name=name,
        description=description,
        changeset_id=changeset_id,
        changeset_index=changeset_index,
        containers_enabled=containers_enabled,
        preserve_history=preserve_history,
    )


def _origin(template: Id | None, changeset: str | None, size: int | None) -> dict[str, object]:
    """Return the members of a body that say what an iModel is made from."""
    if changeset is not None and template is None:
        raise ArgumentError(
            "template_changeset_id needs template_imodel_id", argument="template_changeset_id"
        )
    if size is not None:
        _exclusive(template_imodel_id=template, baseline_file_size=size)
        file = {"size": whole("baseline_file_size", size, 1)}
        return {"creationMode": "fromBaseline", "baselineFile": file}
    if template is None:
        return {"creationMode": "empty"}
    members = {"iModelId": guid("template_imodel_id", template)}
    if changeset is not None:
        members["changesetId"] = hexadecimal("template_changeset_id", changeset)
    return {"creationMode": "fromiModelVersion", "template": members}


async def _copy(
    operation: StartOperation[CreateOperation],
    session: Session,
    imodel_id: Id,
    itwin_id: Id,
    *,
    changeset_id: str | None,
    changeset_index: int | None,
    **members: object,
) -> LongRunning[CreateOperation]:
    _exclusive(changeset_id=changeset_id, changeset_index=changeset_index)
    last = {"changeset_id": changeset_id, "changeset_index": changeset_index}
    body = new(_MEMBERS, {"itwin_id": itwin_id}, **last, **members)
    return await operation(session, json=body, imodel_id=imodel_id)


def _exclusive(**values: object) -> None:
    first, second = values
    if all(value is not None for value in values.values()):
        raise ArgumentError(f"{first} and {second} are mutually exclusive", argument=second)
