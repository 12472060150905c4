from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from yarl import URL

from itwin_async import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OperationFailedError,
    PermissionDeniedError,
    Session,
    imodels,
)
from itwin_async.emulator import Emulator

FILE = b"baseline" * 50


@pytest.fixture(autouse=True)
def frozen(emulator: Emulator) -> None:
    emulator.clock.freeze()


async def send(session: aiohttp.ClientSession, link: Any, data: bytes) -> None:
    url, headers = URL(link.href, encoded=True), {"x-ms-blob-type": "BlockBlob"}
    async with session.put(url, data=data, headers=headers) as response:
        assert response.status == 201


async def fetch(session: aiohttp.ClientSession, link: Any) -> bytes:
    async with session.get(URL(link.href, encoded=True)) as response:
        assert response.status == 200
        return await response.read()


async def changesets(client: Session, imodel_id: str) -> list[str]:
    return [changeset.id async for changeset in imodels.list_changesets(client, imodel_id)]


async def test_an_empty_imodel_is_there_at_once(client: Session, itwin_id: str) -> None:
    made = await imodels.create_imodel(
        client, itwin_id, "One", containers_enabled=3, horizontal_crs_id="EPSG:25832"
    )
    assert (made.state, made.containers_enabled) == ("initialized", 3)
    assert made.links is not None
    assert made.links.upload is made.links.complete is None
    operation = await imodels.get_create_operation(client, made.id)
    assert operation == imodels.CreateOperation("successful")
    assert await imodels.creation(client, made.id).wait() == made.id


async def test_from_a_template(
    client: Session, emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    source = emulator.add_changeset(imodel_id)
    made = await imodels.create_imodel(
        client,
        itwin_id,
        "One",
        template_imodel_id=imodel_id,
        template_changeset_id=source.id,
    )
    assert made.state == "notInitialized"
    assert (await imodels.get_create_operation(client, made.id)).state == "scheduled"
    waiting = await imodels.list_imodels(client, itwin_id, state="notInitialized")
    assert [imodel.id for imodel in waiting.items] == [made.id]
    emulator.clock.advance(emulator.work_seconds)
    assert await imodels.creation(client, made.id).wait() == made.id
    assert (await imodels.get_imodel(client, made.id)).state == "initialized"
    assert not (await imodels.list_imodels(client, itwin_id, state="notInitialized")).items
    for template, changeset, code in (
        (itwin_id, None, "iModelNotFound"),
        (imodel_id, "a" * 40, "ChangesetNotFound"),
    ):
        with pytest.raises(NotFoundError) as error:
            await imodels.create_imodel(
                client,
                itwin_id,
                "Two",
                template_imodel_id=template,
                template_changeset_id=changeset,
            )
        assert error.value.code == code
    elsewhere = emulator.add_itwin(data_center_location="Japan East")
    with pytest.raises(InvalidRequestError) as wrong:
        await imodels.create_imodel(client, elsewhere.id, "Two", template_imodel_id=imodel_id)
    assert wrong.value.details[0].target == "template"


async def test_from_a_baseline_file(
    client: Session, session: aiohttp.ClientSession, emulator: Emulator, itwin_id: str
) -> None:
    made = await imodels.create_imodel(client, itwin_id, "One", baseline_file_size=len(FILE))
    assert made.state == "notInitialized"
    assert made.links is not None
    assert made.links.complete is not None
    assert made.links.complete.href == f"{emulator.base_url}/imodels/{made.id}/baselinefile"
    assert (await imodels.get_create_operation(client, made.id)).state == "waitingForFile"
    file = await imodels.get_baseline_file(client, made.id)
    assert (file.state, file.file_size) == ("waitingForFile", len(FILE))
    with pytest.raises(NotFoundError) as missing:
        await imodels.complete_baseline_file(client, made.id)
    assert missing.value.code == "FileNotFound"
    await send(session, made.links.upload, FILE + b"!")
    with pytest.raises(InvalidRequestError):
        await imodels.complete_baseline_file(client, made.id)
    await send(session, made.links.upload, FILE)
    file = await imodels.complete_baseline_file(client, made.id)
    assert file.state == "initializationScheduled"
    assert file.links is not None
    assert file.links.download is None
    assert file == await imodels.complete_baseline_file(client, made.id)
    assert (await imodels.get_create_operation(client, made.id)).state == "scheduled"
    emulator.clock.advance(emulator.work_seconds)
    file = await imodels.get_baseline_file(client, made.id)
    assert file.state == "initialized"
    assert file.links is not None
    assert await fetch(session, file.links.download) == FILE
    assert (await imodels.get_imodel(client, made.id)).state == "initialized"


@pytest.mark.parametrize("state", ["failed", "fileIsBriefcase"])
async def test_a_baseline_file_that_is_none(
    client: Session,
    session: aiohttp.ClientSession,
    emulator: Emulator,
    itwin_id: str,
    state: str,
) -> None:
    made = await imodels.create_imodel(client, itwin_id, "One", baseline_file_size=len(FILE))
    assert made.links is not None
    await send(session, made.links.upload, FILE)
    await imodels.complete_baseline_file(client, made.id)
    emulator.end_creation(made.id, state)
    emulator.clock.advance(60)
    file = await imodels.get_baseline_file(client, made.id)
    assert file.state == {"failed": "initializationFailed"}.get(state, state)
    with pytest.raises(OperationFailedError):
        await imodels.creation(client, made.id).wait()
    assert (await imodels.get_imodel(client, made.id)).state == "notInitialized"


@pytest.mark.parametrize("mode", ["fromBaseline", "fromiModelVersion"])
async def test_a_mode_needs_its_source(call: Any, itwin_id: str, mode: str) -> None:
    body = {"iTwinId": itwin_id, "name": "One", "creationMode": mode}
    reply = await call("POST", "/imodels", json=body)
    assert reply.status == 422
    assert reply.json["error"]["details"][0]["code"] == "MissingRequiredProperty"


async def test_a_clone(
    client: Session,
    session: aiohttp.ClientSession,
    emulator: Emulator,
    itwin_id: str,
    imodel_id: str,
) -> None:
    for number in range(3):
        emulator.add_changeset(imodel_id, f"file {number}".encode())
    emulator.add_changeset(imodel_id)
    emulator.add_named_version(imodel_id, "Issued", 2)
    target = emulator.add_itwin()
    operation = await imodels.clone(client, imodel_id, target.id)
    assert (await operation.status()).state == "scheduled"
    copy = await imodels.get_imodel(client, operation.id)
    source = await imodels.get_imodel(client, imodel_id)
    assert (copy.state, copy.itwin_id, copy.name) == ("notInitialized", target.id, source.name)
    assert (copy.description, copy.extent) == (source.description, source.extent)
    emulator.clock.advance(emulator.work_seconds)
    assert await operation.wait() == copy.id
    status = await operation.status()
    last = (await changesets(client, imodel_id))[-1]
    assert status.cloned_from == imodels.CopyOrigin(imodel_id, last)
    assert status.forked_from is None
    assert await changesets(client, copy.id) == await changesets(client, imodel_id)
    for number in (2, 4):
        data = [
            await fetch(session, found.links.download)
            for found in [
                await imodels.get_changeset(client, one, number) for one in (copy.id, imodel_id)
            ]
            if found.links is not None
        ]
        assert data[0] == data[1]
    assert not (await imodels.list_named_versions(client, copy.id)).items
    await imodels.delete_imodel(client, imodel_id)
    assert len(await changesets(client, copy.id)) == 4


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"changeset_index": 2}, 2),
        ({"changeset_index": 0}, 0),
        ({"changeset_id": ""}, 0),
        ({}, 3),
    ],
)
async def test_a_part_of_a_history(
    client: Session, emulator: Emulator, itwin_id: str, imodel_id: str, options: Any, count: int
) -> None:
    records = [emulator.add_changeset(imodel_id) for _ in range(3)]
    emulator.add_changeset(imodel_id, waiting=True)
    operation = await imodels.clone(client, imodel_id, itwin_id, name="Copy", **options)
    assert await changesets(client, operation.id) == [record.id for record in records[:count]]
    origin = (await operation.status()).cloned_from
    assert origin is not None
    assert origin.changeset_id == (records[count - 1].id if count else "")
    forked = await imodels.fork(client, imodel_id, itwin_id, name="Fork", **options)
    assert await changesets(client, forked.id) == []
    kept = await imodels.fork(
        client, imodel_id, itwin_id, name="Kept", preserve_history=True, **options
    )
    assert len(await changesets(client, kept.id)) == count
    origin = (await kept.status()).forked_from
    assert origin is not None
    assert origin.relationship_id is not None


async def test_a_fork_that_fails(
    client: Session, emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    operation = await imodels.fork(client, imodel_id, itwin_id, name="Fork")
    emulator.end_creation(operation.id, "mainIModelIsMissingFederationGuids")
    with pytest.raises(OperationFailedError):
        await operation.wait()
    with pytest.raises(KeyError):
        emulator.end_creation(imodel_id)
    with pytest.raises(ValueError, match="state"):
        emulator.end_creation(operation.id, "odd")


async def test_what_cannot_be_copied(
    client: Session, call: Any, emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    with pytest.raises(ConflictError):
        await imodels.clone(client, imodel_id, itwin_id)
    with pytest.raises(NotFoundError) as error:
        await imodels.clone(client, imodel_id, imodel_id)
    assert error.value.code == "iTwinNotFound"
    with pytest.raises(NotFoundError) as error:
        await imodels.clone(client, imodel_id, itwin_id, name="x", changeset_index=7)
    assert error.value.code == "ChangesetNotFound"
    body = {"iTwinId": itwin_id, "name": "x", "changesetIndex": 1, "changesetId": "a" * 40}
    reply = await call("POST", f"/imodels/{imodel_id}/clone", json=body)
    assert reply.status == 422
    assert reply.json["error"]["details"][0]["code"] == "MutuallyExclusivePropertiesProvided"
    emulator.set_permissions(imodel_id, "demo", ["imodels_read"])
    with pytest.raises(PermissionDeniedError):
        await imodels.clone(client, imodel_id, itwin_id, name="x")


async def test_creations_are_kept(client: Session, emulator: Emulator, itwin_id: str) -> None:
    made = await imodels.create_imodel(client, itwin_id, "One", baseline_file_size=9)
    source = next(iter(emulator.state.imodels))
    operation = await imodels.clone(client, source, itwin_id, name="Copy")
    saved, now = emulator.export(), emulator.clock.now()
    async with Emulator(itwins=0) as other:
        other.clock.freeze()
        other.clock.set(now)
        other.load(saved)
        async with Session(other.token, base_url=other.base_url) as reader:
            assert (await imodels.get_baseline_file(reader, made.id)).state == "waitingForFile"
            assert (await imodels.get_imodel(reader, operation.id)).state == "notInitialized"
            other.clock.advance(emulator.work_seconds)
            assert (await imodels.get_imodel(reader, operation.id)).state == "initialized"


async def test_the_mode_follows_from_what_is_given(client: Session, itwin_id: str) -> None:
    reply = await client.request(
        "POST",
        "/imodels",
        json={"iTwinId": itwin_id, "name": "From a file", "baselineFile": {"size": 5}},
        accept="application/vnd.bentley.itwin-platform.v2+json",
    )
    made = reply.json()["iModel"]
    assert made["state"] == "notInitialized"
    assert made["_links"]["upload"]["storageType"] == "azure"
