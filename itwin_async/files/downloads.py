"""Downloads: one file, or those of all changesets of an iModel, continued where they ended."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TypeAlias

import attrs

from itwin_async import imodels
from itwin_async._arguments import instance, invalid, whole
from itwin_async._http.bodies import BodyError
from itwin_async._http.credentials import Secret
from itwin_async.bulk import Failure, each
from itwin_async.bulk import Report as BulkReport
from itwin_async.errors import ApiError, FileTransferError, TransportError
from itwin_async.events import FileProgress, logger
from itwin_async.files import storage
from itwin_async.files.entities import (
    Entity,
    PictureSize,
    RemoteFile,
    changeset_file,
    remote_file,
)
from itwin_async.files.parts import Disks, PartFile
from itwin_async.files.storage import Address, SignedFile
from itwin_async.models import Content, Id
from itwin_async.session import Session, internals_of

Folder: TypeAlias = str | os.PathLike[str]

# Addresses come with the list, and expire: a page lasts no longer than they do.
_PAGE_SIZE = 250
_TYPES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


@attrs.frozen
class LocalFile:
    """
    A file that is here now.

    Attributes:
        path: where it is.
        size: its size in bytes.
        received: bytes that came over the network for it, by this call.
        kept: whether it was there before.

    """

    path: Path
    size: int
    received: int = 0
    kept: bool = False


@attrs.define
class DownloadReport:
    """
    What came of many downloads.

    Attributes:
        files: how many files are there now, those that were there before included.
        kept: how many of them were there before.
        pending: changesets whose file has not been uploaded yet.
        size: size of all files in bytes.
        received: bytes that came over the network.
        failures: ids of changesets, or names of blobs, whose files did not come, and why.

    """

    files: int = 0
    kept: int = 0
    pending: int = 0
    size: int = 0
    received: int = 0
    failures: list[Failure[str]] = attrs.field(factory=list)

    @property
    def complete(self) -> bool:
        """Whether every file is there."""
        return not self.failures and not self.pending

    def note(self, file: LocalFile) -> None:
        """Count a file that is there."""
        self.files += 1
        self.kept += file.kept
        self.size += file.size
        self.received += file.received


@attrs.define
class LocalFolder:
    """
    Where files are put; it need not be there.

    Attributes:
        path: where it is.
        names: what was in it when it was looked through, or ``None`` if it was not.
        disks: what is known of its disk.

    """

    path: Path
    names: frozenset[str] | None = None
    disks: Disks = attrs.field(factory=Disks)

    @classmethod
    def at(cls, folder: object) -> LocalFolder:
        """
        Check the path of a folder.

        Raises:
            ArgumentError: it is none, or that of a file.

        """
        if not isinstance(folder, str | os.PathLike) or not str(folder):
            raise invalid("folder", folder, "the path of a folder")
        path = Path(folder)
        if path.exists() and not path.is_dir():
            raise invalid("folder", str(folder), "the path of a folder; this is a file")
        return cls(path)

    def look_through(self) -> None:
        """List what is in it, which spares a look for each file; may be called in a thread."""
        try:
            self.names = frozenset(os.listdir(self.path))  # noqa: PTH208 - names alone
        except FileNotFoundError:
            self.names = frozenset()

    def may_have(self, name: str) -> bool:
        """Tell whether it may have a file, or a part of it."""
        return self.names is None or name in self.names or f"{name}.part" in self.names


async def download(
    session: Session,
    entity: Entity,
    folder: Folder,
    *,
    name: str | None = None,
    imodel_id: Id | None = None,
    picture_size: PictureSize = "large",
) -> LocalFile:
    """
    Download the file of an entity into a folder, which is made if it is missing.

    That is: of a changeset, a baseline file or a checkpoint the file itself; of an export its
    output; of an iModel, an iTwin or a saved view its picture. Where the entity tells the size, a
    file that is there with that size is kept. What broke off is continued, by another process too.

    Args:
        session: the session.
        entity: what it belongs to.
        folder: where to put it.
        name: its name there; by default made of the entity's id.
        imodel_id: id of the iModel, needed for a checkpoint, and for other entities whose links do
            not tell it, if their address expires.
        picture_size: which picture, where there are two.

    Raises:
        FileTransferError: it has no address, not the size or digest that it should have, or another
            process downloads it.
        ApiError: the platform or the storage answered with an error.
        TransportError: no usable answer came.
        OSError: the file cannot be written.

    """
    instance("session", session, Session, "a Session")
    remote = remote_file(session, entity, imodel_id=imodel_id, picture_size=picture_size)
    if name is not None:
        remote = attrs.evolve(remote, name=_file_name(name), picture=False)
    return await fetch(session, remote, LocalFolder.at(folder))


async def download_changesets(
    session: Session,
    imodel_id: Id,
    folder: Folder,
    *,
    after_index: int | None = None,
    last_index: int | None = None,
    concurrency: int = 8,
    fail_fast: bool = False,
    report: DownloadReport | None = None,
) -> DownloadReport:
    """
    Download the files of an iModel's changesets, each named by the changeset's id.

    Called again after any interruption, it goes on where it was.

    Args:
        session: the session.
        imodel_id: id of the iModel.
        folder: where to put them.
        after_index: only changesets behind this one.
        last_index: only changesets up to this one.
        concurrency: how many are under way at once.
        fail_fast: raise the first error instead of noting it; what has come stays.
        report: written to as files come; hand in your own to have it although something is raised.

    Returns:
        What is there now, and what failed.

    Raises:
        ITwinError: the list failed, or with ``fail_fast`` a file.
        OSError: a file cannot be written.

    """
    told = DownloadReport() if report is None else report
    whole("concurrency", concurrency, 1)
    where = LocalFolder.at(folder)
    await asyncio.to_thread(where.look_through)
    pager = imodels.list_changesets(
        session, imodel_id, after_index=after_index, last_index=last_index, page_size=_PAGE_SIZE
    ).full()

    async def one(_: Session, changeset: imodels.Changeset) -> LocalFile | None:
        if changeset.state == "waitingForFile":
            return None
        return await fetch(session, changeset_file(session, changeset, imodel_id), where)

    def note(_: imodels.Changeset, file: LocalFile | None) -> None:
        if file is None:
            told.pending += 1
        else:
            told.note(file)

    bulk = BulkReport[imodels.Changeset]()
    try:
        await each(
            one,
            session,
            pager,
            concurrency=concurrency,
            on_result=note,
            fail_fast=fail_fast,
            report=bulk,
        )
    finally:
        told.failures += [Failure(failure.item.id, failure.error) for failure in bulk.failures]
    return told


async def fetch(session: Session, remote: RemoteFile, folder: LocalFolder) -> LocalFile:
    """Bring a file into a folder, unless it is there."""
    target = folder.path / remote.name
    client = internals_of(session).client

    def tell(part: PartFile, *, finished: bool = False, kept: bool = False) -> None:
        if not client.observers and not logger.isEnabledFor(logging.DEBUG):
            return
        done = part.size or 0 if kept else part.position
        client.tell(FileProgress(part.name, done, part.size, finished=finished, kept=kept))

    part = PartFile(target, remote.size, tell, folder.disks)
    try:
        if folder.may_have(remote.name) and await part.prepare():
            tell(part, finished=True, kept=True)
            return LocalFile(target, part.size or 0, kept=True)
        content_type = await _transfer(session, remote, part)
    except (TransportError, BodyError):
        if part.problem is None:
            raise
        raise part.problem from None  # why it could not be kept
    finally:
        part.close()
    tell(part, finished=True)
    if remote.picture:
        target = _with_suffix(target, content_type)
    return LocalFile(target, part.position, part.taken)


async def _transfer(session: Session, remote: RemoteFile, part: PartFile) -> str:
    """Bring a file here, and return its media type."""
    client = internals_of(session).client
    content: Content | None = None

    async def ask() -> str | None:
        nonlocal content
        found = await remote.ask()
        if not isinstance(found, Content):
            return found
        content = found
        raise _IsHere

    async def get(address: Address) -> None:
        await storage.send(session, address.request(client, "GET", sink=part))

    href = Secret(remote.href) if remote.href else None
    signed = SignedFile(remote.name, href, ask, remote.missing)
    for last in (False, True):
        try:
            await signed.use(get, lambda: part.taken)
            await part.finish()
        except _IsHere:
            break
        except (ApiError, FileTransferError) as error:
            if last or not part.is_stale(error):
                raise
            await part.start_anew()
        else:
            return part.content_type
    found = content or Content(b"")
    await part.take(found.body)
    await part.finish()
    return found.content_type


class _IsHere(Exception):  # noqa: N818 - no failure
    """The platform had the bytes themselves."""


def _with_suffix(target: Path, content_type: str) -> Path:
    suffix = _TYPES.get(content_type.partition(";")[0].strip().lower())
    if suffix is None:
        return target
    return target.replace(target.with_name(target.name + suffix))


def _file_name(name: object) -> str:
    if not isinstance(name, str) or not name or Path(name).name != name or name == "..":
        raise invalid("name", name, "a file name without a folder")
    return name
