from __future__ import annotations

import pytest

from itwin_async import InvalidRequestError, NotFoundError, PermissionDeniedError, Session, imodels
from itwin_async.emulator import Emulator


async def test_made_listed_and_closed(client: Session, emulator: Emulator, imodel_id: str) -> None:
    made = [
        await imodels.create_changeset_group(client, imodel_id, f"run {number}")
        for number in range(7)
    ]
    assert {group.state for group in made} == {"inProgress"}
    assert made[0].creator_id == emulator.state.users["demo"].id
    listed = imodels.list_changeset_groups(client, imodel_id, page_size=3)
    pages = [page.items async for page in listed.pages()]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [group for page in pages for group in page] == made
    closed = await imodels.close_changeset_group(client, imodel_id, made[2].id)
    assert closed.state == "completed"
    assert await imodels.get_changeset_group(client, imodel_id, made[2].id.upper()) == closed
    assert await imodels.close_changeset_group(client, imodel_id, made[2].id) == closed
    kept = emulator.export()
    async with (
        Emulator(itwins=0) as again,
        Session(again.token, base_url=again.base_url) as session,
    ):
        again.load(kept)
        states = [g.state async for g in imodels.list_changeset_groups(session, imodel_id)]
        assert states == [*["inProgress"] * 2, "completed", *["inProgress"] * 4]
        new = await imodels.create_changeset_group(session, imodel_id, "another")
        assert new.id not in {group.id for group in made}


@pytest.mark.parametrize("state", ["timedOut", "forciblyClosed"])
async def test_closed_by_the_platform(
    client: Session, emulator: Emulator, imodel_id: str, state: str
) -> None:
    made = await imodels.create_changeset_group(client, imodel_id, "x")
    emulator.close_changeset_group(imodel_id, made.id, state)
    assert (await imodels.get_changeset_group(client, imodel_id, made.id)).state == state
    with pytest.raises(InvalidRequestError) as error:
        await imodels.close_changeset_group(client, imodel_id, made.id)
    assert [(one.code, one.target) for one in error.value.details] == [("InvalidChange", "state")]


async def test_refused(client: Session, ana: Session, emulator: Emulator, imodel_id: str) -> None:
    other = list(emulator.state.imodels)[1]
    made = await imodels.create_changeset_group(client, other, "x")
    with pytest.raises(NotFoundError) as error:
        await imodels.get_changeset_group(client, imodel_id, made.id)
    assert error.value.code == "ChangesetGroupNotFound"
    emulator.set_permissions(other, "ana", ["imodels_webview"])
    with pytest.raises(PermissionDeniedError):
        await imodels.create_changeset_group(ana, other, "x")
    with pytest.raises(PermissionDeniedError):
        await imodels.close_changeset_group(ana, other, made.id)
    with pytest.raises(ValueError, match="state"):
        emulator.close_changeset_group(other, made.id, "odd")
