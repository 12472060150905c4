"""What an entity's file is called, how large it is, and where its address comes from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, TypeAlias

import attrs

from itwin_async import imodels, itwins, saved_views
from itwin_async._arguments import invalid, one_of
from itwin_async._http.urls import segment
from itwin_async.errors import ArgumentError, ITwinError
from itwin_async.models import Content, Id, Link
from itwin_async.session import Session

PictureSize: TypeAlias = Literal["small", "large"]
Entity: TypeAlias = (
    imodels.ChangesetSummary
    | imodels.BaselineFile
    | imodels.Checkpoint
    | imodels.IModelSummary
    | itwins.Export
    | itwins.ITwinSummary
    | itwins.ITwinImage
    | saved_views.SavedViewSummary
)

_IMODEL = re.compile(r"/imodels/([^/?#]+)")
_UNSAFE = re.compile(r"[^0-9A-Za-z_.-]")
_SUFFIXES = {"JsonGZip": ".json.gz", "JsonZipArchive": ".zip", "CsvGZip": ".csv.gz", "Csv": ".csv"}
_READ = "the token may lack the permission imodels_read"


@attrs.frozen(eq=False)
class RemoteFile:
    """
    The file of an entity.

    Attributes:
        name: its local name.
        ask: asks the platform for its address, or for the bytes where the platform has them.
        size: its size in bytes, where the platform tells.
        href: its address, where the entity has it.
        missing: what may be the reason if there is none.
        picture: whether its type, and so the end of its name, is told by the storage.

    """

    name: str
    ask: Callable[[], Awaitable[str | Content | None]] = attrs.field(repr=False)
    size: int | None = None
    href: str | None = attrs.field(default=None, repr=False)
    missing: str = "it may not be there yet"
    picture: bool = False


def remote_file(
    session: Session,
    entity: Entity,
    *,
    imodel_id: Id | None = None,
    picture_size: PictureSize = "large",
) -> RemoteFile:
    """
    Say what belongs to an entity.

    Raises:
        ArgumentError: it has no file, or nothing says to which iModel it belongs.

    """
    large = one_of("picture_size", picture_size, ("small", "large")) == "large"
    remote: RemoteFile | None = None
    match entity:
        case imodels.ChangesetSummary():
            remote = changeset_file(session, entity, imodel_id)
        case imodels.BaselineFile():
            remote = _baseline_file(session, entity, imodel_id)
        case imodels.Checkpoint():
            remote = _checkpoint_file(session, entity, imodel_id)
        case itwins.Export():
            remote = _export_file(session, entity)
        case itwins.ITwinImage():
            href = entity.large_image_url if large else entity.small_image_url
            remote = _itwin_picture(session, entity.id, href, large=large)
        case itwins.ITwinSummary():
            remote = _itwin_picture(session, entity.id, None, large=large)
        case imodels.IModelSummary():
            thumbnail = partial(imodels.get_thumbnail, session, entity.id, size=picture_size)
            remote = RemoteFile(safe_name(entity.id), thumbnail, picture=True)
        case saved_views.SavedViewSummary():
            picture = partial(_view_picture, session, entity.id, large=large)
            remote = RemoteFile(safe_name(entity.id), picture, picture=True)
    if remote is None:
        raise invalid("entity", entity, "an entity that has a file")
    return remote


def changeset_file(
    session: Session, changeset: imodels.ChangesetSummary, imodel_id: Id | None
) -> RemoteFile:
    """Say what belongs to a changeset; its file is named as the platform's own clients do."""
    links = changeset.links
    owner = imodel_id or _imodel_of(*([links.self_, links.creator] if links else []))
    return RemoteFile(
        f"{safe_name(changeset.id)}.cs",
        partial(_changeset, session, owner, changeset.id),
        changeset.file_size,
        _href(links.download if links else None),
        _READ,
    )


def _baseline_file(
    session: Session, entity: imodels.BaselineFile, imodel_id: Id | None
) -> RemoteFile:
    links = entity.links
    owner = imodel_id or _imodel_of(*([links.creator] if links else []))
    return RemoteFile(
        f"{safe_name(entity.id)}.bim",
        partial(_baseline, session, owner),
        entity.file_size,
        _href(links.download if links else None),
        _READ,
    )


def _export_file(session: Session, entity: itwins.Export) -> RemoteFile:
    kind = entity.request.output_format if entity.request else None
    name = f"{safe_name(entity.id)}{_SUFFIXES.get(kind or '', '')}"
    return RemoteFile(name, partial(_export, session, entity.id), None, entity.output_url)


def _checkpoint_file(
    session: Session, entity: imodels.Checkpoint, imodel_id: Id | None
) -> RemoteFile:
    if imodel_id is None:
        raise ArgumentError("imodel_id is needed for a checkpoint", argument="imodel_id")
    # An empty id stands for the baseline, whose index is 0.
    which: str | int = entity.changeset_id or entity.changeset_index or 0
    # The size that it tells is that of its blocks.
    return RemoteFile(
        f"{safe_name(entity.changeset_id or 'baseline')}.bim",
        partial(_checkpoint, session, imodel_id, which),
        None,
        _href(entity.links.download if entity.links else None),
        f"its state is {entity.state!r}",
    )


def _itwin_picture(session: Session, itwin_id: Id, href: str | None, *, large: bool) -> RemoteFile:
    ask = partial(_itwin_image, session, itwin_id, large=large)
    return RemoteFile(safe_name(str(itwin_id)), ask, href=href, picture=True)


async def _changeset(session: Session, imodel_id: Id | None, changeset_id: str) -> str | None:
    found = await imodels.get_changeset(session, _known(imodel_id), changeset_id)
    return _href(found.links.download if found.links else None)


async def _baseline(session: Session, imodel_id: Id | None) -> str | None:
    found = await imodels.get_baseline_file(session, _known(imodel_id))
    return _href(found.links.download if found.links else None)


async def _checkpoint(session: Session, imodel_id: Id, which: str | int) -> str | None:
    found = await imodels.get_changeset_checkpoint(session, imodel_id, which)
    return _href(found.links.download if found.links else None)


async def _export(session: Session, export_id: Id) -> str | None:
    return (await itwins.get_export(session, export_id)).output_url


async def _itwin_image(session: Session, itwin_id: Id, *, large: bool) -> str | None:
    image = await itwins.get_image(session, itwin_id)
    return image.large_image_url if large else image.small_image_url


async def _view_picture(session: Session, view_id: str, *, large: bool) -> str | Content:
    size: saved_views.ImageSize = "full" if large else "thumbnail"
    href = await saved_views.get_image(session, view_id, size=size)
    return saved_views.image_bytes(href) if href[:5].lower() == "data:" else href


def _known(imodel_id: Id | None) -> str:
    if imodel_id is None:
        raise ITwinError("the address has expired or is missing; give imodel_id to have another")
    return segment("imodel_id", imodel_id)


def _imodel_of(*links: Link | None) -> str | None:
    for link in links:
        found = _IMODEL.search(link.href or "") if link else None
        if found:
            return found[1]
    return None


def _href(link: imodels.StorageLink | None) -> str | None:
    return link.href if link else None


def safe_name(name: str) -> str:
    """Make a file name of an id, which comes from outside and must not lead out of the folder."""
    return _UNSAFE.sub("_", name).lstrip(".")[:200] or "_"
