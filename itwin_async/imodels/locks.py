"""Locks: elements that a briefcase keeps to itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, Unpack, get_args

from itwin_async._arguments import instance, invalid, one_of, text, whole
from itwin_async._json.model import model
from itwin_async.errors import OperationFailedError
from itwin_async.imodels._arguments import briefcase, hexadecimal_or_empty, natural
from itwin_async.imodels.api import api
from itwin_async.models import Id
from itwin_async.operations import Checks, choice, new, query
from itwin_async.paging import MAX_PAGE_SIZE, NumberedPaging, Pager
from itwin_async.session import Session

LockLevel: TypeAlias = Literal["none", "shared", "exclusive"]
HeldLockLevel: TypeAlias = Literal["shared", "exclusive"]

_MAX_OBJECT_IDS = 1000


@model
class LockedObjects:
    """
    Elements that are locked alike.

    Attributes:
        lock_level: ``"none"``, ``"shared"`` or ``"exclusive"``; open set.
        object_ids: ids of the elements, such as ``"0x20000000144"``.

    """

    lock_level: str | None = None
    object_ids: list[str] | None = None


@model
class Lock:
    """
    What a briefcase has locked; a page of a list may hold only some of it.

    Attributes:
        briefcase_id: number of the briefcase.
        locked_objects: the elements, by level.

    """

    briefcase_id: int | None = None
    locked_objects: list[LockedObjects] | None = None


LIST = api.list(
    "list_locks", "GET /{imodel_id}/locks", "Get iModel Locks", Lock, key="locks", paging="both"
)
UPDATE = api.entity(
    "update_locks", "PATCH /{imodel_id}/locks", "Update iModel Locks", Lock, key="lock"
)
RELEASE_CHUNK = api.entity(
    "release_locks_chunk",
    "POST /{imodel_id}/locks/release-chunk",
    "Release iModel Locks Chunk",
    bool,
    key="isLastChunk",
)
LIST_RELEASED = api.list(
    "list_released_locks",
    "GET /{imodel_id}/locks/released-locks",
    "Get iModel Released Locks",
    LockedObjects,
    key="releasedLocks",
    paging="skip",
)

_QUERY: Checks = {"briefcase_id": briefcase, "lock_level": choice(*get_args(HeldLockLevel))}
_HOLDER: Checks = {"briefcase_id": briefcase, "changeset_id": hexadecimal_or_empty}


def list_locks(
    session: Session,
    imodel_id: Id,
    *,
    briefcase_id: int | None = None,
    lock_level: HeldLockLevel | None = None,
    **paging: Unpack[NumberedPaging],
) -> Pager[Lock]:
    """
    List the locks of an iModel.

    Page sizes count elements, so that what a briefcase has locked may come in several items;
    ``collect_locks`` joins them.
    """
    chosen = query(_QUERY, briefcase_id=briefcase_id, lock_level=lock_level)
    return LIST(session, chosen, paging, imodel_id=imodel_id)


async def collect_locks(
    session: Session,
    imodel_id: Id,
    *,
    briefcase_id: int | None = None,
    lock_level: HeldLockLevel | None = None,
) -> list[Lock]:
    """Fetch all locks of an iModel: one item a briefcase, and in it one a level."""
    found: dict[int | None, dict[str | None, dict[str, None]]] = {}
    async for lock in list_locks(
        session,
        imodel_id,
        briefcase_id=briefcase_id,
        lock_level=lock_level,
        page_size=MAX_PAGE_SIZE,
    ):
        levels = found.setdefault(lock.briefcase_id, {})
        for part in lock.locked_objects or ():
            levels.setdefault(part.lock_level, {}).update(dict.fromkeys(part.object_ids or ()))
    return [
        Lock(number, [LockedObjects(level, list(ids)) for level, ids in levels.items()])
        for number, levels in found.items()
    ]


async def update_locks(
    session: Session,
    imodel_id: Id,
    briefcase_id: int,
    locked_objects: Iterable[LockedObjects],
    *,
    changeset_id: str | None = None,
) -> Lock:
    """
    Lock elements for a briefcase, or free them with the level ``"none"``.

    Args:
        session: the session.
        imodel_id: id of the iModel.
        briefcase_id: number of the briefcase.
        locked_objects: the elements, up to 1000 in all.
        changeset_id: the changeset that the briefcase is at; empty for the baseline.

    Raises:
        ConflictError: another briefcase holds a lock, or a newer changeset changed an element.

    """
    return await UPDATE(
        session,
        json={**_holder(briefcase_id, changeset_id), "lockedObjects": _bodies(locked_objects)},
        imodel_id=imodel_id,
    )


async def release_locks_chunk(
    session: Session, imodel_id: Id, briefcase_id: int, *, changeset_id: str | None = None
) -> bool:
    """Free some of a briefcase's locks; returns whether these were the last."""
    body = _holder(briefcase_id, changeset_id)
    return await RELEASE_CHUNK(session, json=body, imodel_id=imodel_id)


async def release_all_locks(
    session: Session,
    imodel_id: Id,
    briefcase_id: int,
    *,
    changeset_id: str | None = None,
    max_chunks: int = 1000,
) -> int:
    """
    Free all locks of a briefcase, chunk by chunk; returns how many chunks it took.

    Raises:
        OperationFailedError: locks are left after ``max_chunks``.

    """
    for chunk in range(1, whole("max_chunks", max_chunks, 1) + 1):
        if await release_locks_chunk(session, imodel_id, briefcase_id, changeset_id=changeset_id):
            return chunk
    raise OperationFailedError(
        f"locks of briefcase {briefcase_id} are left after {max_chunks} chunks",
        id=str(briefcase_id),
        state="isLastChunk: false",
    )


def list_released_locks(
    session: Session,
    imodel_id: Id,
    after_changeset_index: int,
    **paging: Unpack[NumberedPaging],
) -> Pager[LockedObjects]:
    """List the locks that were freed by changesets behind an index (beta)."""
    after = str(natural("after_changeset_index", after_changeset_index))
    return LIST_RELEASED(session, {"afterChangesetIndex": after}, paging, imodel_id=imodel_id)


def _holder(briefcase_id: int, changeset_id: str | None) -> dict[str, object]:
    return new(_HOLDER, {"briefcase_id": briefcase_id}, changeset_id=changeset_id)


def _bodies(locked_objects: object) -> list[dict[str, object]]:
    if not isinstance(locked_objects, Iterable):
        raise invalid("locked_objects", locked_objects, "an iterable of LockedObjects")
    parts: list[dict[str, object]] = []
    count = 0
    for given_part in locked_objects:
        part = instance("locked_objects", given_part, LockedObjects, "an iterable of LockedObjects")
        level = one_of("lock_level", part.lock_level, get_args(LockLevel))
        if not isinstance(part.object_ids, list) or not part.object_ids:
            raise invalid("object_ids", part.object_ids, "a list of at least one id")
        ids = [text("object_ids", one) for one in part.object_ids]
        count += len(ids)
        parts.append({"lockLevel": level, "objectIds": ids})
    if not 1 <= count <= _MAX_OBJECT_IDS:
        raise invalid("locked_objects", count, f"1 to {_MAX_OBJECT_IDS} object ids in all")
    return parts
