from __future__ import annotations

import pytest

from itwin_async import NotFoundError, Session, imodels
from itwin_async.emulator import Emulator


async def test_everybody_who_may_see_it(
    client: Session, emulator: Emulator, imodel_id: str
) -> None:
    for name in ("ana.lima", "bo.zander", "cy.abel", "di.moss", "eve.adams"):
        emulator.add_user(name)
    emulator.deny("eve.adams", imodel_id)
    listed = imodels.list_users(client, imodel_id, page_size=2)
    pages = [[row.display_name for row in page.items] async for page in listed.pages()]
    assert pages == [
        ["demo@example.com", "ana.lima@example.com"],
        ["bo.zander@example.com", "cy.abel@example.com"],
        ["di.moss@example.com", "creator@example.com"],
    ]
    by_name = imodels.list_users(client, imodel_id, order_by=["surname desc", "givenName"])
    full = await by_name.full().collect()
    assert [(row.surname, row.given_name) for row in full] == [
        ("Zander", "Bo"),
        ("Moss", "Di"),
        ("Lima", "Ana"),
        ("Abel", "Cy"),
        ("", "Creator"),
        ("", "Demo"),
    ]
    one = await imodels.get_user(client, imodel_id, full[0].id.upper())
    assert one == full[0]
    hidden = emulator.state.users["eve.adams"].id
    with pytest.raises(NotFoundError) as error:
        await imodels.get_user(client, imodel_id, hidden)
    assert error.value.code == "UserNotFound"
    emulator.add_briefcase(imodel_id, "eve.adams")
    assert (await imodels.get_user(client, imodel_id, hidden)).email == "eve.adams@example.com"


async def test_the_creator_of_an_imodel_is_one(client: Session, imodel_id: str) -> None:
    links = (await imodels.get_imodel(client, imodel_id)).links
    assert links is not None
    assert links.creator is not None
    assert links.creator.href is not None
    creator = await imodels.get_user(client, imodel_id, links.creator.href.rpartition("/")[2])
    assert creator.display_name == "creator@example.com"


async def test_statistics(client: Session, emulator: Emulator, imodel_id: str) -> None:
    user_id = emulator.state.users["demo"].id

    async def applications() -> list[tuple[str | None, bool | None, bool | None]]:
        found = (await imodels.get_user(client, imodel_id, user_id)).statistics
        assert found is not None
        assert found.briefcases_count == len(
            await imodels.list_briefcases(client, imodel_id).collect()
        )
        return [
            (row.id, row.owns_locks, row.owns_exclusive_root_element_lock)
            for row in found.applications or ()
        ]

    assert await applications() == []
    await imodels.acquire_briefcase(client, imodel_id)
    emulator.add_briefcase(imodel_id, application=("connector", "Connector"))
    assert await applications() == [(None, False, False), ("connector", False, False)]
    emulator.lock_elements(imodel_id, 2, ["0x1"], "shared")
    emulator.lock_elements(imodel_id, 3, ["0x2"])
    assert await applications() == [(None, True, False), ("connector", True, False)]
    emulator.lock_elements(imodel_id, 2, ["0x1"], "exclusive")
    await imodels.release_briefcase(client, imodel_id, 3)
    assert await applications() == [(None, True, True)]


async def test_permissions(
    client: Session, ana: Session, emulator: Emulator, itwin_id: str
) -> None:
    imodel_id = emulator.add_imodel(itwin_id).id
    everything = await imodels.get_permissions(ana, imodel_id)
    assert everything[0] == "imodels_webview"
    assert len(everything) == 5
    assert (await imodels.get_imodel(ana, imodel_id)).is_secured is False
    emulator.set_permissions(imodel_id, "ana", ["imodels_webview", "imodels_read"])
    assert await imodels.get_permissions(ana, imodel_id) == ["imodels_webview", "imodels_read"]
    assert await imodels.get_permissions(client, imodel_id) == everything
    assert (await imodels.get_imodel(ana, imodel_id)).is_secured is True
    emulator.load(emulator.export() | {"itwins": [], "users": [], "tags": []})
    assert await imodels.get_permissions(ana, imodel_id) == ["imodels_webview", "imodels_read"]


async def test_what_users_pushed(client: Session, emulator: Emulator, itwin_id: str) -> None:
    imodel_id = emulator.add_imodel(itwin_id).id
    for user in ("demo", "ana", "demo"):
        emulator.clock.advance(60)
        last = emulator.add_changeset(imodel_id, user=user)
    emulator.add_changeset(imodel_id, user="ana", waiting=True)
    emulator.add_named_version(imodel_id, "One", 1, user="ana")
    emulator.deny("ana", imodel_id)  # who pushed a changeset is known for ever
    users = await imodels.list_users(client, imodel_id).full().collect()
    found = {user.given_name: user.statistics for user in users}
    pushed = {
        name: (one.pushed_changesets_count, one.created_versions_count)
        for name, one in found.items()
        if one is not None
    }
    assert pushed == {"Demo": (2, 0), "Ana": (1, 1), "Creator": (0, 0)}
    newest = await imodels.get_changeset(client, imodel_id, last.id)
    assert found["Demo"] is not None
    assert found["Demo"].last_changeset_push_date == newest.push_date_time
    assert found["Creator"] is not None
    assert found["Creator"].last_changeset_push_date is None
