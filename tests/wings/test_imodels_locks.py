"""Locks: joined over pages, updated, and released chunk by chunk."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import CannedServer, refused

from itwin_async import ITwinError, OperationFailedError, Session, imodels
from itwin_async.imodels import Lock, LockedObjects

ID = "9c1f1a5e-9a55-4d38-8d6e-3f4a0f9b1c22"
LAST = "3b9f6f0f0d1c4c2f8e7a6b5c4d3e2f1a0b9c8d7e"
CLOSED = Session("secret")  # whatever would send a request fails otherwise


def lock(number: int, **levels: list[str]) -> dict[str, Any]:
    parts = [{"lockLevel": level, "objectIds": ids} for level, ids in levels.items()]
    return {"briefcaseId": number, "lockedObjects": parts}


async def test_locks_of_a_briefcase_on_several_pages(canned: CannedServer) -> None:
    pages = [
        {
            "locks": [lock(2, exclusive=["0x1"], shared=["0x9"])],
            "_links": {"next": {"href": f"{canned.base_url}/imodels/{ID}/locks?page=2"}},
        },
        {
            "locks": [],
            "_links": {"next": {"href": f"{canned.base_url}/imodels/{ID}/locks?page=3"}},
        },
        {"locks": [lock(3, shared=["0x9"]), lock(2, exclusive=["0x1", "0x2"])]},
    ]
    canned.script(*pages)
    async with Session("t", base_url=canned.base_url) as session:
        found = await imodels.collect_locks(session, ID, briefcase_id=2, lock_level="shared")
        assert found == [
            Lock(2, [LockedObjects("exclusive", ["0x1", "0x2"]), LockedObjects("shared", ["0x9"])]),
            Lock(3, [LockedObjects("shared", ["0x9"])]),
        ]
        assert canned.seen[0].parameters == {
            "briefcaseId": "2",
            "lockLevel": "shared",
            "$top": "1000",
            "$continuationToken": "",
        }
        canned.script(*pages)
        apart = await imodels.list_locks(session, ID).collect()
    assert [one.briefcase_id for one in apart] == [2, 3, 2]


async def test_locks_without_members(canned: CannedServer) -> None:
    canned.script({"locks": [{}, {"briefcaseId": 2, "lockedObjects": None}]})
    async with Session("t", base_url=canned.base_url) as session:
        assert await imodels.collect_locks(session, ID) == [Lock(None, []), Lock(2, [])]


async def test_elements_are_locked(canned: CannedServer) -> None:
    canned.script({"lock": lock(2, exclusive=["0x1"])})
    wanted = [LockedObjects("exclusive", ["0x1"]), LockedObjects("none", ["0x2", "0x3"])]
    async with Session("t", base_url=canned.base_url) as session:
        made = await imodels.update_locks(session, ID, 2, iter(wanted), changeset_id=LAST)
        assert made == Lock(2, [LockedObjects("exclusive", ["0x1"])])
        assert canned.seen[-1].json == {
            **lock(2, exclusive=["0x1"], none=["0x2", "0x3"]),
            "changesetId": LAST,
        }
        most = [LockedObjects("shared", [f"0x{number:x}" for number in range(1000)])]
        await imodels.update_locks(session, ID, 2, most)
        assert "changesetId" not in canned.seen[-1].json


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        ("briefcase_id", {"briefcase_id": 0}),
        ("briefcase_id", {"briefcase_id": "2"}),
        ("changeset_id", {"changeset_id": "5"}),
        ("locked_objects", {"locked_objects": []}),
        ("locked_objects", {"locked_objects": 5}),
        ("locked_objects", {"locked_objects": ["0x1"]}),
        ("locked_objects", {"locked_objects": [LockedObjects("shared", ["0x1"] * 501)] * 2}),
        ("lock_level", {"locked_objects": [LockedObjects("all", ["0x1"])]}),
        ("lock_level", {"locked_objects": [LockedObjects(None, ["0x1"])]}),
        ("object_ids", {"locked_objects": [LockedObjects("shared", [])]}),
        ("object_ids", {"locked_objects": [LockedObjects("shared", [""])]}),
        ("object_ids", {"locked_objects": [LockedObjects("shared", "0x1")]}),  # type: ignore[arg-type]
    ],
)
async def test_locks_that_cannot_be(argument: str, change: dict[str, Any]) -> None:
    right = {"briefcase_id": 2, "locked_objects": [LockedObjects("shared", ["0x1"])]}
    with refused(argument):
        await imodels.update_locks(CLOSED, ID, **{**right, **change})


async def test_all_locks_are_released(canned: CannedServer) -> None:
    canned.script(*[{"isLastChunk": last} for last in (False, False, True)])
    async with Session("t", base_url=canned.base_url) as session:
        assert await imodels.release_all_locks(session, ID, 2, changeset_id="") == 3
    assert len(canned.seen) == 3
    for seen in canned.seen:
        assert seen.target == f"/imodels/{ID}/locks/release-chunk"
        assert seen.json == {"briefcaseId": 2, "changesetId": ""}


async def test_releasing_has_a_bound(canned: CannedServer) -> None:
    canned.script({"isLastChunk": False})
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(OperationFailedError) as caught:
            await imodels.release_all_locks(session, ID, 2, max_chunks=4)
    assert len(canned.seen) == 4
    assert caught.value.id == "2"
    with refused("max_chunks"):
        await imodels.release_all_locks(CLOSED, ID, 2, max_chunks=0)


async def test_a_failing_chunk_ends_the_release(canned: CannedServer) -> None:
    canned.script({"isLastChunk": False}, 500)
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ITwinError):
            await imodels.release_all_locks(session, ID, 2)
    assert len(canned.seen) == 2


async def test_released_locks(canned: CannedServer) -> None:
    canned.script({"releasedLocks": [{"lockLevel": "shared", "objectIds": ["0x5"]}]})
    async with Session("t", base_url=canned.base_url) as session:
        found = await imodels.list_released_locks(session, ID, 0, page_size=9).collect()
    assert found == [LockedObjects("shared", ["0x5"])]
    assert canned.seen[0].parameters == {"afterChangesetIndex": "0", "$top": "9"}
    for bad in (-1, None, "1"):
        with refused("after_changeset_index"):
            imodels.list_released_locks(CLOSED, ID, bad)  # type: ignore[arg-type]
    with refused("lock_level"):
        imodels.list_locks(CLOSED, ID, lock_level="none")  # type: ignore[arg-type]
