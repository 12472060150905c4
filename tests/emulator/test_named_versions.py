from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from caller import Caller
from yarl import URL

from itwin_async import ConflictError, NotFoundError, Session, imodels
from itwin_async.emulator import Emulator


@pytest.fixture(autouse=True)
def changesets(emulator: Emulator, imodel_id: str) -> None:
    emulator.clock.freeze()
    for _ in range(6):
        emulator.add_changeset(imodel_id)


async def create(
    client: Session, imodel_id: str, name: str, index: int = 0, **more: Any
) -> imodels.NamedVersion:
    changeset = await imodels.get_changeset(client, imodel_id, index) if index else None
    return await imodels.create_named_version(
        client, imodel_id, name, changeset_id=changeset.id if changeset else None, **more
    )


async def test_created_on_a_changeset(client: Session, imodel_id: str) -> None:
    made = await create(client, imodel_id, "Issued", 4, description="for review")
    changeset = await imodels.get_changeset(client, imodel_id, 4)
    assert (made.changeset_id, made.changeset_index) == (changeset.id, 4)
    assert (made.name, made.description, made.state) == ("Issued", "for review", "visible")
    assert made == await imodels.get_named_version(client, imodel_id, made.id.upper())
    assert made.links is not None
    assert made.links.changeset is not None
    assert changeset.links is not None
    assert changeset.links.named_version is not None
    assert str(changeset.links.named_version.href).endswith(f"/namedversions/{made.id}")
    assert changeset.links.self_ == made.links.changeset


async def test_created_on_the_baseline(client: Session, imodel_id: str) -> None:
    made = await create(client, imodel_id, "Start")
    assert (made.changeset_id, made.changeset_index) == (None, 0)
    assert made.links is not None
    assert made.links.changeset is None


async def test_what_is_taken(client: Session, imodel_id: str) -> None:
    first = await create(client, imodel_id, "A", 1)
    second = await create(client, imodel_id, "B", 2)
    for name, index, code in (
        ("A", 3, "NamedVersionExists"),
        ("C", 1, "NamedVersionOnChangesetExists"),
    ):
        with pytest.raises(ConflictError) as error:
            await create(client, imodel_id, name, index)
        assert error.value.code == code
    with pytest.raises(ConflictError):
        await imodels.update_named_version(client, imodel_id, second.id, name="A")
    await imodels.update_named_version(client, imodel_id, first.id, name="A")
    with pytest.raises(NotFoundError) as unknown:
        await imodels.create_named_version(client, imodel_id, "D", changeset_id="a" * 40)
    assert unknown.value.code == "ChangesetNotFound"


async def test_updated(client: Session, imodel_id: str) -> None:
    made = await create(client, imodel_id, "A", 1, description="x")
    changed = await imodels.update_named_version(
        client, imodel_id, made.id, name="B", description=None, state="hidden"
    )
    assert (changed.name, changed.description, changed.state) == ("B", None, "hidden")
    assert changed == await imodels.get_named_version(client, imodel_id, made.id)
    with pytest.raises(NotFoundError) as unknown:
        await imodels.get_named_version(client, imodel_id, imodel_id)
    assert unknown.value.code == "NamedVersionNotFound"


async def test_lists(client: Session, call: Caller, emulator: Emulator, imodel_id: str) -> None:
    for index, name in ((5, "Alpha"), (0, "Beta"), (2, "Gamma"), (6, "Delta"), (1, "Epsilon")):
        emulator.clock.advance(1)
        description = "for review" if index > 4 else None
        state = "hidden" if index == 2 else "visible"
        emulator.add_named_version(imodel_id, name, index, description=description, state=state)

    async def names(**options: Any) -> list[str | None]:
        pager = imodels.list_named_versions(client, imodel_id, **options)
        return [version.display_name async for version in pager]

    assert await names(page_size=2) == ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"]
    found = await names(order_by="changesetIndex desc", page_size=2)
    assert found == ["Delta", "Alpha", "Gamma", "Epsilon", "Beta"]
    pages = await call.all_pages(f"/imodels/{imodel_id}/namedversions?$top=2", "namedVersions")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert await names(order_by="createdDateTime desc") == [
        "Epsilon",
        "Delta",
        "Gamma",
        "Beta",
        "Alpha",
    ]
    assert await names(name="Beta") == ["Beta"]
    assert await names(search="REVIEW") == ["Alpha", "Delta"]
    assert await names(search="eta") == ["Beta"]
    assert await names(state="hidden") == ["Gamma"]
    full = await imodels.list_named_versions(client, imodel_id).full()
    assert full.items[0].description == "for review"


async def test_a_checkpoint_is_made(
    client: Session, session: aiohttp.ClientSession, emulator: Emulator, imodel_id: str
) -> None:
    version = await create(client, imodel_id, "Issued", 4)
    found = await imodels.get_named_version_checkpoint(client, imodel_id, version.id)
    assert (found.state, found.size, found.changeset_index) == ("scheduled", 0, 4)
    assert found.directory_access_info is None
    latest = await imodels.get_latest_checkpoint(client, imodel_id)
    assert (latest.changeset_index, latest.changeset_id, latest.state) == (0, "", "successful")
    emulator.clock.advance(emulator.work_seconds)
    found = await imodels.get_named_version_checkpoint(client, imodel_id, version.id)
    assert found.state == "successful"
    for same in (
        await imodels.get_latest_checkpoint(client, imodel_id),
        await imodels.get_changeset_checkpoint(client, imodel_id, 4),
        await imodels.update_named_version_checkpoint(client, imodel_id, version.id),
    ):
        assert same == found
    assert found.links is not None
    assert found.links.download is not None
    assert found.directory_access_info is not None
    access = found.directory_access_info
    assert access.azure is not None
    by_container = f"{access.base_url}/{access.storage}/{found.db_name}?{access.azure.sas_token}"
    for href in (found.links.download.href, by_container):
        async with session.get(URL(str(href), encoded=True)) as response:
            assert response.status == 200
            assert len(await response.read()) == found.size
    changeset = await imodels.get_changeset(client, imodel_id, 5)
    assert changeset.links is not None
    assert changeset.links.current_or_preceding_checkpoint is not None
    assert str(changeset.links.current_or_preceding_checkpoint.href).endswith("/4/checkpoint")
    none = await imodels.get_changeset_checkpoint(client, imodel_id, 5)
    assert (none.state, none.directory_access_info) == ("notGenerated", None)
    baseline = await imodels.get_changeset_checkpoint(client, imodel_id, 0)
    assert (baseline.state, baseline.changeset_id) == ("successful", "")


async def test_a_checkpoint_that_failed_is_made_again(
    client: Session, emulator: Emulator, imodel_id: str
) -> None:
    version = await create(client, imodel_id, "Issued", 4)
    emulator.set_checkpoint(imodel_id, 4, "failed")
    emulator.clock.advance(60)
    found = await imodels.get_named_version_checkpoint(client, imodel_id, version.id)
    assert found.state == "failed"
    found = await imodels.update_named_version_checkpoint(client, imodel_id, version.id)
    assert found.state == "scheduled"
    emulator.clock.advance(60)
    found = await imodels.get_named_version_checkpoint(client, imodel_id, version.id)
    assert found.state == "successful"


async def test_bodies_that_are_wrong(call: Any, imodel_id: str, client: Session) -> None:
    for body in ({}, {"name": ""}, {"name": "x" * 256}, {"name": "a", "changesetId": "1"}):
        reply = await call("POST", f"/imodels/{imodel_id}/namedversions", json=body)
        assert reply.status == 422
    version = await create(client, imodel_id, "A")
    for body in ({}, {"state": "gone"}):
        target = f"/imodels/{imodel_id}/namedversions/{version.id}"
        assert (await call("PATCH", target, json=body)).status == 422
