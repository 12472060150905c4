from __future__ import annotations

import hashlib
from typing import Any

import aiohttp
import pytest
from caller import Caller
from yarl import URL

from itwin_async import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    Session,
    imodels,
)
from itwin_async.emulator import Emulator

FILE = b"what changed" * 100


def changeset_id(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


@pytest.fixture(autouse=True)
def briefcases(emulator: Emulator, imodel_id: str) -> None:
    emulator.clock.freeze()
    emulator.add_briefcase(imodel_id, "demo")
    emulator.add_briefcase(imodel_id, "ana")


async def send(session: aiohttp.ClientSession, link: Any, data: bytes) -> int:
    url, headers = URL(link.href, encoded=True), {"x-ms-blob-type": "BlockBlob"}
    async with session.put(url, data=data, headers=headers) as response:
        return response.status


async def fetch(session: aiohttp.ClientSession, link: Any) -> bytes:
    async with session.get(URL(link.href, encoded=True)) as response:
        assert response.status == 200
        return await response.read()


async def announce(
    client: Session, imodel_id: str, number: int, parent: int = 0, **more: Any
) -> imodels.Changeset:
    parent_id = changeset_id(parent) if parent else None
    return await imodels.create_changeset(
        client,
        imodel_id,
        changeset_id(number),
        **{"briefcase_id": 2, "file_size": len(FILE), "parent_id": parent_id, **more},
    )


async def push(
    client: Session, session: aiohttp.ClientSession, imodel_id: str, number: int, parent: int = 0
) -> imodels.Changeset:
    made = await announce(client, imodel_id, number, parent)
    assert made.links is not None
    assert await send(session, made.links.upload, FILE) == 201
    return await imodels.complete_changeset(client, imodel_id, made.id, briefcase_id=2)


async def test_a_push(
    client: Session, session: aiohttp.ClientSession, emulator: Emulator, imodel_id: str
) -> None:
    group = await imodels.create_changeset_group(client, imodel_id, "nightly")
    made = await announce(
        client,
        imodel_id,
        1,
        description="first",
        containing_changes=imodels.ContainingChanges.SPATIAL_DATA,
        synchronization_info=imodels.SynchronizationInfo("task", ["a.dgn"]),
        group_id=group.id,
    )
    assert (made.index, made.display_name, made.parent_id) == (1, "1", "")
    assert made.state == "waitingForFile"
    assert made.links is not None
    assert made.links.complete is not None
    assert (
        made.links.complete.href == f"{emulator.base_url}/imodels/{imodel_id}/changesets/{made.id}"
    )
    assert made.links.download is None
    assert made.synchronization_info is None
    assert await send(session, made.links.upload, FILE) == 201
    emulator.clock.advance(30)
    done = await imodels.complete_changeset(client, imodel_id, made.id, briefcase_id=2)
    assert done.state == "fileUploaded"
    assert done.links is not None
    assert done.links.download is None
    found = await imodels.get_changeset(client, imodel_id, 1)
    assert found == await imodels.get_changeset(client, imodel_id, made.id.upper())
    assert found.links is not None
    assert await fetch(session, found.links.download) == FILE
    assert found.links.upload is None
    assert found.description == "first"
    assert found.containing_changes == 4
    assert found.group_id == group.id
    assert found.synchronization_info == imodels.SynchronizationInfo("task", ["a.dgn"])
    imodel = await imodels.get_imodel(client, imodel_id)
    assert imodel.last_changeset_push_date_time == found.push_date_time
    assert found.push_date_time is not None
    assert found.push_date_time.timestamp() == pytest.approx(emulator.clock.now(), abs=1e-3)


async def test_the_file_must_be_there_and_whole(
    client: Session, session: aiohttp.ClientSession, imodel_id: str
) -> None:
    made = await announce(client, imodel_id, 1)
    with pytest.raises(NotFoundError) as missing:
        await imodels.complete_changeset(client, imodel_id, made.id, briefcase_id=2)
    assert missing.value.code == "FileNotFound"
    assert made.links is not None
    await send(session, made.links.upload, FILE[:-1])
    with pytest.raises(InvalidRequestError) as cut:
        await imodels.complete_changeset(client, imodel_id, made.id, briefcase_id=2)
    assert cut.value.details[0].code == "InvalidChange"
    # A push that broke off is taken up again from the changeset itself.
    again = await imodels.get_changeset(client, imodel_id, made.id)
    assert again.state == "waitingForFile"
    assert again.links is not None
    assert again.links.download is None
    await send(session, again.links.upload, FILE)
    done = await imodels.complete_changeset(client, imodel_id, made.id, briefcase_id=2)
    assert done == await imodels.complete_changeset(client, imodel_id, made.id, briefcase_id=2)


async def test_pushes_that_conflict(
    client: Session,
    ana: Session,
    session: aiohttp.ClientSession,
    emulator: Emulator,
    imodel_id: str,
) -> None:
    await push(client, session, imodel_id, 1)
    await push(client, session, imodel_id, 2, parent=1)
    for number, parent, code in (
        (3, 0, "NewerChangesExist"),
        (3, 1, "NewerChangesExist"),
        (2, 2, "ChangesetExists"),
    ):
        with pytest.raises(ConflictError) as error:
            await announce(client, imodel_id, number, parent)
        assert error.value.code == code
    with pytest.raises(InvalidRequestError) as unknown:
        await announce(client, imodel_id, 3, 99)
    assert unknown.value.details[0].target == "parentId"
    await announce(ana, imodel_id, 3, 2, briefcase_id=3)
    with pytest.raises(ConflictError) as error:
        await announce(client, imodel_id, 4, 2)
    assert error.value.code == "AnotherUserPushing"
    with pytest.raises(ConflictError) as error:
        await imodels.complete_changeset(client, imodel_id, 3, briefcase_id=2)
    assert error.value.code == "ConflictWithAnotherUser"
    emulator.clock.advance(601)  # a push that was given up is in nobody's way
    made = await announce(client, imodel_id, 4, 2)
    assert made.index == 3
    with pytest.raises(NotFoundError):
        await imodels.get_changeset(client, imodel_id, changeset_id(3))


async def test_who_may_push(
    client: Session, ana: Session, emulator: Emulator, imodel_id: str
) -> None:
    with pytest.raises(NotFoundError) as unknown:
        await announce(client, imodel_id, 1, briefcase_id=9)
    assert unknown.value.code == "BriefcaseNotFound"
    with pytest.raises(NotFoundError) as group:
        await announce(client, imodel_id, 1, group_id="7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11")
    assert group.value.code == "ChangesetGroupNotFound"
    emulator.set_permissions(imodel_id, "ana", ["imodels_webview"])
    with pytest.raises(PermissionDeniedError):
        await announce(ana, imodel_id, 1, briefcase_id=3)
    emulator.add_changeset(imodel_id, b"x")
    found = await imodels.get_changeset(ana, imodel_id, 1)
    assert found.links is not None
    assert found.links.download is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": "1", "briefcaseId": 2, "fileSize": 1},
        {"id": "a" * 40, "briefcaseId": 0, "fileSize": 1},
        {"id": "a" * 40, "briefcaseId": 2, "fileSize": 0},
        {"id": "a" * 40, "briefcaseId": 2, "fileSize": 1, "containingChanges": 5},
        {"id": "a" * 40, "briefcaseId": 2, "fileSize": 1, "synchronizationInfo": {}},
        {
            "id": "a" * 40,
            "briefcaseId": 2,
            "fileSize": 1,
            "synchronizationInfo": {"taskId": "t", "changedFiles": [""]},
        },
    ],
)
async def test_bodies_that_are_wrong(call: Any, imodel_id: str, body: Any) -> None:
    reply = await call("POST", f"/imodels/{imodel_id}/changesets", json=body)
    assert reply.status == 422
    assert reply.json["error"]["code"] == "InvalidiModelsRequest"


async def test_lists(client: Session, call: Caller, emulator: Emulator, imodel_id: str) -> None:
    for number in range(1, 8):
        emulator.add_changeset(imodel_id, size=number)

    async def indexes(**options: Any) -> list[int | None]:
        pager = imodels.list_changesets(client, imodel_id, **options)
        return [changeset.index async for changeset in pager]

    assert await indexes(page_size=3) == [1, 2, 3, 4, 5, 6, 7]
    descending = {"order_by": "index desc", "page_size": 2}
    assert await indexes(after_index=2, last_index=6, **descending) == [6, 5, 4, 3]
    target = f"/imodels/{imodel_id}/changesets?afterIndex=1&$top=2&$orderBy=index%20desc"
    pages = await call.all_pages(target, "changesets")
    assert [[row["index"] for row in page] for page in pages] == [[7, 6], [5, 4], [3, 2]]
    assert await indexes(after_index=7) == []
    assert await indexes(last_index=0) == []
    full = [one async for one in imodels.list_changesets(client, imodel_id).full()]
    assert full[3] == await imodels.get_changeset(client, imodel_id, 4)
    (first, *_) = [one async for one in imodels.list_changesets(client, imodel_id)]
    assert first.links is not None
    assert first.links.self_ is not None
    assert first.links.download is None


async def test_a_file_without_bytes(
    client: Session, session: aiohttp.ClientSession, emulator: Emulator, imodel_id: str
) -> None:
    record = emulator.add_changeset(imodel_id, size=200_000, user="ana")
    found = await imodels.get_changeset(client, imodel_id, record.id)
    assert found.links is not None
    data = await fetch(session, found.links.download)
    assert len(data) == found.file_size == 200_000
    assert data == await fetch(session, found.links.download)
    link = found.links.download
    assert link is not None
    assert link.href is not None
    async with session.get(
        URL(link.href, encoded=True), headers={"Range": "bytes=70000-199999"}
    ) as response:
        assert await response.read() == data[70_000:]


async def test_what_controls_refuse(emulator: Emulator, imodel_id: str) -> None:
    with pytest.raises(KeyError):
        emulator.add_changeset("7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11")
    for wrong in ("abc", emulator.add_changeset(imodel_id).id):
        with pytest.raises(ValueError, match="id"):
            emulator.add_changeset(imodel_id, id=wrong)
    emulator.add_changeset(imodel_id, waiting=True)
    with pytest.raises(ValueError, match="waits"):
        emulator.add_changeset(imodel_id)


async def test_histories_are_kept(
    client: Session, session: aiohttp.ClientSession, emulator: Emulator, imodel_id: str
) -> None:
    await push(client, session, imodel_id, 1)
    emulator.add_changeset(imodel_id, b"2")
    taken, saved = emulator.snapshot(), emulator.export()
    token = emulator.token
    emulator.reset()
    with pytest.raises(NotFoundError):
        await imodels.get_changeset(client, imodel_id, 1)
    emulator.restore(taken)
    before = await imodels.list_changesets(client, imodel_id)
    async with Emulator(itwins=0, clock=emulator.clock) as other:
        other.load(saved)
        async with Session(token, base_url=other.base_url) as reader:
            after = await imodels.list_changesets(reader, imodel_id)
            found = await imodels.get_changeset(reader, imodel_id, 1)
        assert [one.id for one in after.items] == [one.id for one in before.items]
        assert found.links is not None
        assert await fetch(session, found.links.download) == FILE
