"""Uploads: the file of a changeset or a baseline, and the call that completes it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from itwin_async import imodels
from itwin_async._arguments import instance, invalid, whole
from itwin_async._http.credentials import Secret
from itwin_async.errors import (
    ConflictError,
    FileTransferError,
    NotFoundError,
    OperationFailedError,
    ServerError,
    TransportError,
)
from itwin_async.files.blocks import Upload
from itwin_async.files.storage import SignedFile
from itwin_async.models import Id
from itwin_async.session import Session

_FAILED = frozenset({"initializationFailed", "fileIsBriefcase"})
_UPLOADED = "fileUploaded"
_WAITING = "waitingForFile"
_MISSING = "it is told only when the upload is announced"


async def upload_changeset(
    session: Session,
    imodel_id: Id,
    changeset_id: str,
    path: str | os.PathLike[str],
    *,
    briefcase_id: int,
    parent_id: str | None = None,
    description: str | None = None,
    containing_changes: int | None = None,
    synchronization_info: imodels.SynchronizationInfo | None = None,
    group_id: str | None = None,
    concurrency: int = 4,
) -> imodels.Changeset:
    """
    Push a changeset: announce it, send its file, and say that it is there.

    Called again after any interruption, it goes on where it was: what is announced, sent or
    completed already is recognized.

    Args:
        session: the session.
        imodel_id: id of the iModel.
        changeset_id: 40 hexadecimal digits.
        path: its file.
        briefcase_id: number of the briefcase that it was made in.
        parent_id: as for ``imodels.create_changeset``, like the following.
        description: see there.
        containing_changes: see there.
        synchronization_info: see there.
        group_id: see there.
        concurrency: how many blocks of 4 MB are under way at once.

    Returns:
        The changeset, completed.

    Raises:
        ConflictError: somebody else pushes, or has pushed meanwhile.
        FileTransferError: the file has another size than was announced, or no address.
        ITwinError: the platform or the storage failed or cannot be reached.

    """
    file, size = await _local(path, concurrency)
    look = partial(imodels.get_changeset, session, imodel_id, changeset_id)
    announced = False
    try:
        changeset = await imodels.create_changeset(
            session,
            imodel_id,
            changeset_id,
            briefcase_id=briefcase_id,
            file_size=size,
            parent_id=parent_id,
            description=description,
            containing_changes=containing_changes,
            synchronization_info=synchronization_info,
            group_id=group_id,
        )
    except (ConflictError, ServerError, TransportError) as error:
        changeset = await _announced(look, error)
        announced = True
    _check_size(file, size, changeset.file_size)
    if changeset.state == _UPLOADED:
        return changeset

    async def ask() -> str | None:
        return _href(await look())

    link = changeset.links.upload if changeset.links else None
    await _send(session, file, link, ask, known=announced, concurrency=concurrency)
    try:
        return await imodels.complete_changeset(
            session, imodel_id, changeset_id, briefcase_id=briefcase_id
        )
    except (ConflictError, ServerError, TransportError) as error:
        changeset = await look()  # the answer may have been lost, not the call
        if changeset.state != _UPLOADED:
            raise error from None
        return changeset


async def upload_baseline(
    session: Session,
    imodel: imodels.IModel | str,
    path: str | os.PathLike[str],
    *,
    concurrency: int = 4,
) -> imodels.BaselineFile:
    """
    Send the baseline file of an iModel, and say that it is there.

    ``imodels.creation(session, imodel_id).wait()`` waits until the iModel can be used.

    Args:
        session: the session.
        imodel: what ``imodels.create_imodel(..., baseline_file_size=...)`` gave; or its id, to
            complete an upload that was interrupted behind the file's last byte.
        path: the file.
        concurrency: how many blocks of 4 MB are under way at once.

    Raises:
        OperationFailedError: the platform could not use the file.
        FileTransferError: the file has another size than was announced.
        ITwinError: the platform or the storage failed or cannot be reached.

    """
    file, size = await _local(path, concurrency)
    if not isinstance(imodel, str):
        instance("imodel", imodel, imodels.IModel, "an IModel or the id of one")
    imodel_id = imodel if isinstance(imodel, str) else imodel.id
    baseline = await _baseline(session, imodel_id)
    if baseline is not None:
        _check_size(file, size, baseline.file_size)
        if baseline.state in _FAILED:
            state = str(baseline.state)
            raise OperationFailedError(
                f"the baseline file of {imodel_id} ended as {state!r}", id=imodel_id, state=state
            )
        if baseline.state != _WAITING:
            return baseline
    links = None if isinstance(imodel, str) else imodel.links

    async def ask() -> str | None:
        return _href(await imodels.get_imodel(session, imodel_id))

    await _send(
        session, file, links.upload if links else None, ask, known=True, concurrency=concurrency
    )
    try:
        return await imodels.complete_baseline_file(session, imodel_id)
    except (ConflictError, ServerError, TransportError) as error:
        baseline = await _baseline(session, imodel_id)
        if baseline is None or baseline.state in {_WAITING, *_FAILED}:
            raise error from None
        return baseline


async def _announced(
    look: Callable[[], Awaitable[imodels.Changeset]],
    error: ConflictError | ServerError | TransportError,
) -> imodels.Changeset:
    """Find the changeset that an earlier call announced, or raise why it could not be."""
    if isinstance(error, TransportError) and not error.sent:
        raise error
    try:
        return await look()
    except NotFoundError:
        pass
    raise error from None


async def _send(
    session: Session,
    file: Path,
    link: imodels.StorageLink | None,
    ask: Callable[[], Awaitable[str | None]],
    *,
    known: bool,
    concurrency: int,
) -> None:
    if link is not None and link.storage_type not in {None, "azure"}:
        raise FileTransferError(
            f"{file.name} would go to a storage of type {link.storage_type!r}; "
            "only 'azure' is supported for uploads",
            name=file.name,
        )
    href = Secret((link.href if link else None) or await ask() or "")
    if not href.reveal():
        return  # whether the file is there, the platform knows when it is told so
    signed = SignedFile(file.name, href, ask, _MISSING)
    upload = Upload(session, file, signed, concurrency=concurrency)
    if not (known and await upload.is_there()):
        await upload.run()


async def _baseline(session: Session, imodel_id: Id) -> imodels.BaselineFile | None:
    try:
        return await imodels.get_baseline_file(session, imodel_id)
    except NotFoundError:
        return None  # some platforms have none before it was uploaded


def _href(entity: imodels.Changeset | imodels.IModel) -> str | None:
    return entity.links.upload.href if entity.links and entity.links.upload else None


async def _local(path: object, concurrency: object) -> tuple[Path, int]:
    whole("concurrency", concurrency, 1)
    if not isinstance(path, str | os.PathLike):
        raise invalid("path", path, "the path of a file")
    file = Path(path)
    try:
        found = await asyncio.to_thread(file.stat)
        size = found.st_size if await asyncio.to_thread(file.is_file) else 0
    except OSError:
        size = 0
    if not size:
        raise invalid("path", str(path), "the path of a file that is there and not empty")
    return file, size


def _check_size(file: Path, size: int, announced: int | None) -> None:
    if announced not in {None, size}:
        raise FileTransferError(
            f"{file.name} has {size} bytes; {announced} were announced", name=file.name
        )
