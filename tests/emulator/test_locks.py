from __future__ import annotations

from collections.abc import Iterable

import pytest

from itwin_async import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    Session,
    imodels,
)
from itwin_async.emulator import Emulator
from itwin_async.imodels import Lock, LockedObjects


def elements_of(locks: Iterable[Lock]) -> list[str]:
    return [
        element
        for lock in locks
        for part in lock.locked_objects or ()
        for element in part.object_ids or ()
    ]


@pytest.fixture(autouse=True)
def two_briefcases(emulator: Emulator, imodel_id: str) -> None:
    emulator.add_briefcase(imodel_id, "demo")
    emulator.add_briefcase(imodel_id, "ana")


async def test_locked_listed_and_released(client: Session, ana: Session, imodel_id: str) -> None:
    exclusive, shared = (
        LockedObjects("exclusive", ["0x1", "0x20"]),
        LockedObjects("shared", ["0x9"]),
    )
    assert await imodels.update_locks(client, imodel_id, 2, [exclusive, shared]) == Lock(
        2, [exclusive, shared]
    )
    await imodels.update_locks(ana, imodel_id, 3, [shared])
    assert await imodels.collect_locks(client, imodel_id) == [
        Lock(2, [exclusive, shared]),
        Lock(3, [shared]),
    ]
    only = await imodels.collect_locks(client, imodel_id, briefcase_id=2, lock_level="shared")
    assert only == [Lock(2, [shared])]
    await imodels.update_locks(client, imodel_id, 2, [LockedObjects("none", ["0x1", "0x9"])])
    assert await imodels.collect_locks(client, imodel_id) == [
        Lock(2, [LockedObjects("exclusive", ["0x20"])]),
        Lock(3, [shared]),
    ]


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [
        ("shared", "shared", True),
        ("shared", "exclusive", False),
        ("exclusive", "shared", False),
        ("exclusive", "exclusive", False),
    ],
)
async def test_conflicts(
    client: Session, ana: Session, imodel_id: str, held: str, wanted: str, allowed: bool
) -> None:
    await imodels.update_locks(client, imodel_id, 2, [LockedObjects(held, ["0x5"])])
    update = [LockedObjects("exclusive", ["0x4"]), LockedObjects(wanted, ["0x5"])]
    if allowed:
        await imodels.update_locks(ana, imodel_id, 3, update)
        return
    with pytest.raises(ConflictError) as error:
        await imodels.update_locks(ana, imodel_id, 3, update)
    assert error.value.code == "ConflictWithAnotherUser"
    assert error.value.extra == {
        "conflictingLocks": [{"objectId": "0x5", "lockLevel": held, "briefcaseIds": [2]}]
    }
    assert await imodels.collect_locks(ana, imodel_id, briefcase_id=3) == []


async def test_own_locks_change_their_level(client: Session, ana: Session, imodel_id: str) -> None:
    for level in ("shared", "exclusive", "exclusive", "shared"):
        await imodels.update_locks(client, imodel_id, 2, [LockedObjects(level, ["0xA"])])
        assert await imodels.collect_locks(client, imodel_id) == [
            Lock(2, [LockedObjects(level, ["0xa"])])
        ]
    await imodels.update_locks(ana, imodel_id, 3, [LockedObjects("shared", ["0xa"])])
    with pytest.raises(ConflictError):
        await imodels.update_locks(client, imodel_id, 2, [LockedObjects("exclusive", ["0xa"])])


async def test_what_is_not_held_or_unknown(client: Session, ana: Session, imodel_id: str) -> None:
    await imodels.update_locks(client, imodel_id, 2, [LockedObjects("shared", ["0x1"])])
    for session, number, level, code in (
        (ana, 3, "none", "LockNotFound"),
        (client, 9, "shared", "BriefcaseNotFound"),
    ):
        with pytest.raises(NotFoundError) as error:
            await imodels.update_locks(session, imodel_id, number, [LockedObjects(level, ["0x1"])])
        assert error.value.code == code
    with pytest.raises(NotFoundError) as error:
        await imodels.update_locks(
            client, imodel_id, 2, [LockedObjects("shared", ["0x2"])], changeset_id="a" * 40
        )
    assert error.value.code == "ChangesetNotFound"
    with pytest.raises(InvalidRequestError):
        await imodels.update_locks(client, imodel_id, 2, [LockedObjects("shared", ["five"])])


async def test_no_more_than_a_thousand(emulator: Emulator, client: Session, imodel_id: str) -> None:
    ids = [f"{number:#x}" for number in range(1001)]
    parts = [{"lockLevel": "shared", "objectIds": half} for half in (ids[:500], ids[500:])]
    path = f"/imodels/{imodel_id}/locks"
    with pytest.raises(InvalidRequestError) as error:
        await client.request("PATCH", path, json={"briefcaseId": 2, "lockedObjects": parts})
    assert error.value.details[0].target == "lockedObjects"
    parts[1]["objectIds"] = ids[501:]
    await client.request("PATCH", path, json={"briefcaseId": 2, "lockedObjects": parts})
    pages = imodels.list_locks(client, imodel_id, page_size=300)
    sizes = [len(elements_of(page.items)) async for page in pages.pages()]
    assert sizes == [300, 300, 300, 100]


async def test_pages_count_elements(emulator: Emulator, client: Session, imodel_id: str) -> None:
    emulator.lock_elements(imodel_id, 2, ["0x1", "0x2", "0x3"])
    emulator.lock_elements(imodel_id, 2, ["0x9", "0x8"], "shared")
    emulator.lock_elements(imodel_id, 3, ["0x9", "0x8"], "shared")
    pages = [
        page.items async for page in imodels.list_locks(client, imodel_id, page_size=2).pages()
    ]
    assert pages == [
        [Lock(2, [LockedObjects("exclusive", ["0x1", "0x2"])])],
        [Lock(2, [LockedObjects("exclusive", ["0x3"]), LockedObjects("shared", ["0x8"])])],
        [Lock(2, [LockedObjects("shared", ["0x9"])]), Lock(3, [LockedObjects("shared", ["0x8"])])],
        [Lock(3, [LockedObjects("shared", ["0x9"])])],
    ]


async def test_a_list_goes_on_although_locks_were_released(
    emulator: Emulator, client: Session, imodel_id: str
) -> None:
    emulator.lock_elements(imodel_id, 2, [f"{number:#x}" for number in range(1, 10)])
    found: list[str] = []
    listed = imodels.list_locks(client, imodel_id, page_size=3, prefetch=0)
    async for page in listed.pages():
        found += elements_of(page.items)
        emulator.lock_elements(imodel_id, 2, found[-3:], "none")
    assert found == [f"{number:#x}" for number in range(1, 10)]


async def test_released_in_chunks(emulator: Emulator, client: Session, imodel_id: str) -> None:
    emulator.lock_elements(imodel_id, 2, [f"{number:#x}" for number in range(2500)])
    emulator.lock_elements(imodel_id, 3, ["0xffff"])
    assert await imodels.release_locks_chunk(client, imodel_id, 2) is False
    assert len(elements_of(await imodels.collect_locks(client, imodel_id, briefcase_id=2))) == 1500
    assert await imodels.release_all_locks(client, imodel_id, 2) == 2
    assert await imodels.release_all_locks(client, imodel_id, 2) == 1
    assert await imodels.collect_locks(client, imodel_id) == [
        Lock(3, [LockedObjects("exclusive", ["0xffff"])])
    ]


async def test_released_ones_after_a_changeset(
    emulator: Emulator, client: Session, ana: Session, imodel_id: str
) -> None:
    for index in (1, 2, 3):
        elements = [f"{10 * index + number:#x}" for number in range(3)]
        emulator.lock_elements(imodel_id, 2, elements)
        emulator.lock_elements(imodel_id, 2, elements, "none", changeset_index=index)
    emulator.lock_elements(imodel_id, 2, ["0x5", "0x6"], "shared")
    emulator.lock_elements(imodel_id, 2, ["0x5"], "none", changeset_index=2)
    emulator.lock_elements(imodel_id, 2, ["0x6"], "none")  # abandoned: nothing was changed
    listed = imodels.list_released_locks(client, imodel_id, 1, page_size=3)
    pages = [page.items async for page in listed.pages()]
    assert pages == [
        [LockedObjects("exclusive", ["0x14", "0x15", "0x16"])],
        [LockedObjects("exclusive", ["0x1e", "0x1f", "0x20"])],
        [LockedObjects("shared", ["0x5"])],
    ]
    assert await imodels.list_released_locks(client, imodel_id, 3).collect() == []
    with pytest.raises(ConflictError) as error:
        await imodels.update_locks(ana, imodel_id, 3, [LockedObjects("shared", ["0x5", "0x14"])])
    assert (error.value.code, error.value.extra) == ("NewerChangesExist", {"objectIds": ["0x14"]})


async def test_permissions(
    emulator: Emulator, client: Session, ana: Session, imodel_id: str
) -> None:
    update = [LockedObjects("shared", ["0x1"])]
    emulator.set_permissions(imodel_id, "ana", ["imodels_webview", "imodels_write"])
    await imodels.update_locks(ana, imodel_id, 3, update)
    for call in (
        imodels.update_locks(ana, imodel_id, 2, update),
        imodels.release_locks_chunk(ana, imodel_id, 2),
    ):
        with pytest.raises(PermissionDeniedError):
            await call
    emulator.set_permissions(imodel_id, "ana", ["imodels_webview", "imodels_read"])
    with pytest.raises(PermissionDeniedError):
        await imodels.release_locks_chunk(ana, imodel_id, 3)
    assert await imodels.release_locks_chunk(client, imodel_id, 3) is True


def test_controls_refuse(emulator: Emulator, imodel_id: str) -> None:
    with pytest.raises(ValueError, match="level"):
        emulator.lock_elements(imodel_id, 2, ["0x1"], "odd")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        emulator.lock_elements(imodel_id, 9, ["0x1"])
    with pytest.raises(ValueError, match="permission"):
        emulator.set_permissions(imodel_id, "ana", ["fly"])


async def test_a_briefcase_has_to_be_at_the_last_change(
    emulator: Emulator, client: Session, ana: Session, imodel_id: str
) -> None:
    first, second = emulator.add_changeset(imodel_id), emulator.add_changeset(imodel_id)
    lock, free = [LockedObjects("exclusive", ["0x5"])], [LockedObjects("none", ["0x5"])]
    await imodels.update_locks(client, imodel_id, 2, lock, changeset_id=first.id)
    await imodels.update_locks(client, imodel_id, 2, free, changeset_id=second.id.upper())
    assert await imodels.list_released_locks(client, imodel_id, 1).collect() == lock
    for changeset_id in (None, "", first.id):
        with pytest.raises(ConflictError) as error:
            await imodels.update_locks(ana, imodel_id, 3, lock, changeset_id=changeset_id)
        assert error.value.code == "NewerChangesExist"
    await imodels.update_locks(ana, imodel_id, 3, lock, changeset_id=second.id)
    third = emulator.add_changeset(imodel_id)
    await imodels.release_all_locks(ana, imodel_id, 3, changeset_id=third.id)
    assert await imodels.list_released_locks(client, imodel_id, 2).collect() == lock
