"""The blocks of a checkpoint: a directory in a container of Azure's storage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import quote
from xml.etree import ElementTree as ET

import attrs

from itwin_async import imodels
from itwin_async._arguments import whole
from itwin_async._http.credentials import Secret
from itwin_async.bulk import Failure, each
from itwin_async.bulk import Report as BulkReport
from itwin_async.errors import FileTransferError
from itwin_async.files import storage
from itwin_async.files.downloads import DownloadReport, Folder, LocalFile, LocalFolder, fetch
from itwin_async.files.entities import RemoteFile, safe_name
from itwin_async.files.storage import Address, SignedFile
from itwin_async.models import Id
from itwin_async.session import Session, internals_of


@attrs.frozen
class Blob:
    """
    A blob of a listing.

    Attributes:
        name: its name in the container.
        size: its size in bytes.

    """

    name: str
    size: int | None


async def download_checkpoint_blocks(
    session: Session,
    imodel_id: Id,
    changeset: str | int,
    folder: Folder,
    *,
    concurrency: int = 8,
    fail_fast: bool = False,
) -> DownloadReport:
    """
    Download what is in the directory of a checkpoint, which the platform gives a key to.

    What the blocks mean is not documented; they are the files of a cloud SQLite database. The
    checkpoint as one file is what ``download`` brings.

    Args:
        session: the session.
        imodel_id: id of the iModel.
        changeset: id or index of the changeset; 0 is the baseline.
        folder: where to put them; their names are those below the directory.
        concurrency: how many are under way at once.
        fail_fast: raise the first error instead of noting it; what has come stays.

    Raises:
        FileTransferError: the checkpoint is not there yet, or not in Azure's storage.
        ITwinError: the list failed, or with ``fail_fast`` a file.

    """
    whole("concurrency", concurrency, 1)
    where, told = LocalFolder.at(folder), DownloadReport()
    directory = _Directory(session, str(imodel_id), changeset)

    async def one(_: Session, blob: Blob) -> LocalFile:
        local = [safe_name(part) for part in directory.below(blob.name).split("/") if part]
        target = LocalFolder(where.path.joinpath(*local[:-1]), disks=where.disks)
        key = directory.key

        async def ask() -> str:
            return await directory.address(blob.name, refused=key)

        remote = RemoteFile(local[-1], ask, blob.size)
        return await fetch(session, attrs.evolve(remote, href=directory.href(blob.name)), target)

    bulk = BulkReport[Blob]()
    async with aclosing(directory.blobs()) as blobs:
        await each(
            one,
            session,
            blobs,
            concurrency=concurrency,
            on_result=lambda _, file: told.note(file),
            fail_fast=fail_fast,
            report=bulk,
        )
    told.failures += [Failure(failure.item.name, failure.error) for failure in bulk.failures]
    return told


class _Directory:
    """The directory of a checkpoint and the key to it, which expires."""

    def __init__(self, session: Session, imodel_id: str, changeset: str | int) -> None:
        self._session = session
        self._imodel_id = imodel_id
        self._changeset = changeset
        self._name = f"the checkpoint of {imodel_id} at {changeset!r}"
        self._info = imodels.DirectoryAccessInfo()
        self._lock = asyncio.Lock()
        self.key: Secret | None = None

    async def blobs(self) -> AsyncGenerator[Blob, None]:
        """List what is in it."""
        await self.address("", refused=None)
        marker = ""
        while True:
            page = ET.fromstring(await self._page(marker))  # noqa: S314 - expat limits expansion
            for entry in page.iter("Blob"):
                size = entry.findtext("Properties/Content-Length", "")
                name = entry.findtext("Name", "")
                if self.below(name):
                    yield Blob(name, int(size) if size.isdecimal() else None)
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return

    async def address(self, blob: str, *, refused: Secret | None) -> str:
        """Give the address of a blob with a key that has not been refused."""
        async with self._lock:
            if self.key is refused:
                await self._ask()
        return self.href(blob)

    def href(self, blob: str) -> str:
        """Write the address of a blob, or of the container, with the key that is known."""
        info = self._info
        path = f"{(info.base_url or '').rstrip('/')}/{info.storage}"
        if blob:
            path += f"/{quote(blob)}"
        return f"{path}?{self.key.reveal() if self.key else ''}"

    def below(self, name: str) -> str:
        """Take the directory off a blob's name."""
        return name.removeprefix(self._prefix)

    @property
    def _prefix(self) -> str:
        directory = (self._info.base_directory or "").strip("/")
        return f"{directory}/" if directory else ""

    async def _page(self, marker: str) -> bytes:
        key = self.key

        async def ask() -> str:
            return await self.address("", refused=key)

        query = {"restype": "container", "comp": "list", "prefix": self._prefix}
        if marker:
            query["marker"] = marker

        async def get(address: Address) -> bytes:
            client = internals_of(self._session).client
            request = address.request(client, "GET", query=query)
            return (await storage.send(self._session, request)).body

        return await SignedFile(self._name, Secret(self.href("")), ask, "").use(get)

    async def _ask(self) -> None:
        found = await imodels.get_changeset_checkpoint(
            self._session, self._imodel_id, self._changeset
        )
        info = found.directory_access_info
        if info is None or info.azure is None or not info.azure.sas_token:
            kind = f"in a storage of type {info.storage_type!r}" if info else "not there"
            raise FileTransferError(
                f"{self._name} is {kind}, its state {found.state!r}", name=self._name
            )
        self._info = info
        self.key = Secret(info.azure.sas_token.lstrip("?"))
