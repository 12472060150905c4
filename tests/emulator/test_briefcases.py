from __future__ import annotations

import pytest

from itwin_async import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    Session,
    imodels,
)
from itwin_async.emulator import Emulator, EmulatorClock
from itwin_async.imodels import LockedObjects


async def test_acquired_read_and_released(
    client: Session, emulator: Emulator, imodel_id: str
) -> None:
    made = await imodels.acquire_briefcase(client, imodel_id, device_name="WS-17")
    assert (made.id, made.briefcase_id, made.device_name) == ("2", 2, "WS-17")
    assert made.owner_id == emulator.state.users["demo"].id
    assert await imodels.get_briefcase(client, imodel_id.upper(), 2) == made
    assert made.links is not None
    assert made.links.owner is not None
    owner = await imodels.get_user(client, imodel_id, made.owner_id or "")
    assert made.links.owner.href == owner.links.self_.href  # type: ignore[union-attr]
    unnamed = await imodels.acquire_briefcase(client, imodel_id)
    assert (unnamed.id, unnamed.device_name) == ("3", None)
    await imodels.release_briefcase(client, imodel_id, 3)
    with pytest.raises(NotFoundError) as gone:
        await imodels.get_briefcase(client, imodel_id, 3)
    assert gone.value.code == "BriefcaseNotFound"
    with pytest.raises(NotFoundError):
        await imodels.release_briefcase(client, imodel_id, 3)
    assert (await imodels.acquire_briefcase(client, imodel_id)).id == "4"


async def test_of_an_unknown_imodel(client: Session, emulator: Emulator, imodel_id: str) -> None:
    emulator.deny("demo", imodel_id)
    for unknown in (imodel_id, "no-guid"):
        with pytest.raises(NotFoundError) as error:
            await imodels.acquire_briefcase(client, unknown)
        assert error.value.code == "iModelNotFound"


async def test_listed_by_owner_and_order(
    client: Session, ana: Session, emulator: Emulator, imodel_id: str
) -> None:
    for day, user in enumerate(("ana", "demo", "ana", "demo", "ana", "ana", "demo"), 1):
        emulator.add_briefcase(imodel_id, user, acquired=f"2024-05-{10 - day:02}T08:00:00.0000000Z")
    listed = imodels.list_briefcases(client, imodel_id, page_size=2)
    pages = [[row.id for row in page.items] async for page in listed.pages()]
    assert pages == [["2", "3"], ["4", "5"], ["6", "7"], ["8"]]
    full = await listed.full().collect()
    assert [row.briefcase_id for row in full] == list(range(2, 9))
    mine = imodels.list_briefcases(
        ana, imodel_id, owner_id="me", order_by="acquiredDateTime", page_size=1
    )
    assert [row.id async for row in mine] == ["7", "6", "4", "2"]
    theirs = imodels.list_briefcases(
        ana, imodel_id, owner_id=emulator.state.users["demo"].id, order_by="acquiredDateTime desc"
    )
    assert [row.id async for row in theirs] == ["3", "5", "8"]


async def test_quota_of_a_user(
    client: Session, ana: Session, emulator: Emulator, imodel_id: str
) -> None:
    for _ in range(100):
        emulator.add_briefcase(imodel_id)
    with pytest.raises(InvalidRequestError) as error:
        await imodels.acquire_briefcase(client, imodel_id)
    assert (error.value.status, error.value.code) == (422, "InvalidiModelsRequest")
    detail = error.value.details[0]
    assert detail.code == "ResourceQuotaExceeded"
    assert detail.inner_code == "MaximumNumberOfBriefcasesPerUser"
    assert (await imodels.acquire_briefcase(ana, imodel_id)).id == "102"
    await imodels.release_briefcase(client, imodel_id, 2)
    emulator.clock.advance(61)
    assert (await imodels.acquire_briefcase(client, imodel_id)).id == "103"


async def test_limit_of_a_minute() -> None:
    clock = EmulatorClock(frozen=True)
    async with (
        Emulator(clock=clock) as emulator,
        Session(
            emulator.token, base_url=emulator.base_url, retry=RetryPolicy(max_retry_after=1)
        ) as session,
    ):
        imodel_id = next(iter(emulator.state.imodels))
        for _ in range(100):
            emulator.add_briefcase(imodel_id)
        await imodels.release_briefcase(session, imodel_id, 2)
        clock.advance(20)
        with pytest.raises(RateLimitError) as error:
            await imodels.acquire_briefcase(session, imodel_id)
        assert error.value.code == "RateLimitExceeded"
        assert error.value.retry_after is not None
        assert 40 <= error.value.retry_after <= 41
        clock.advance(error.value.retry_after)
        async with Session(emulator.token, base_url=emulator.base_url) as later:
            assert (await imodels.acquire_briefcase(later, imodel_id)).id == "102"


async def test_of_another_user(
    client: Session, ana: Session, emulator: Emulator, imodel_id: str
) -> None:
    await imodels.acquire_briefcase(client, imodel_id)
    emulator.set_permissions(imodel_id, "ana", ["imodels_webview", "imodels_write"])
    with pytest.raises(PermissionDeniedError) as error:
        await imodels.release_briefcase(ana, imodel_id, 2)
    assert error.value.code == "InsufficientPermissions"
    own = await imodels.acquire_briefcase(ana, imodel_id)
    await imodels.release_briefcase(ana, imodel_id, own.id)
    emulator.set_permissions(imodel_id, "ana", ["imodels_manage"])
    await imodels.release_briefcase(ana, imodel_id, 2)
    assert await imodels.list_briefcases(ana, imodel_id).collect() == []


async def test_a_released_one_holds_no_locks(client: Session, imodel_id: str) -> None:
    await imodels.acquire_briefcase(client, imodel_id)
    wanted = [LockedObjects("exclusive", ["0x1"])]
    await imodels.update_locks(client, imodel_id, 2, wanted)
    await imodels.release_briefcase(client, imodel_id, 2)
    assert await imodels.collect_locks(client, imodel_id) == []
    await imodels.acquire_briefcase(client, imodel_id)
    await imodels.update_locks(client, imodel_id, 3, wanted)


async def test_in_snapshots_and_saved_worlds(
    client: Session, emulator: Emulator, imodel_id: str
) -> None:
    emulator.add_briefcase(imodel_id, "demo", application=("connector", "Connector"))
    emulator.lock_elements(imodel_id, 2, ["0x1", "0x20"])
    before = emulator.snapshot()
    saved = emulator.export()
    listed = await imodels.list_briefcases(client, imodel_id).full().collect()
    assert listed[0].application is not None
    assert listed[0].application.id == "connector"
    held = await imodels.collect_locks(client, imodel_id)
    await imodels.release_briefcase(client, imodel_id, 2)
    emulator.restore(before)
    assert await imodels.list_briefcases(client, imodel_id).full().collect() == listed
    assert await imodels.collect_locks(client, imodel_id) == held
    async with (
        Emulator(itwins=0) as other,
        Session(other.token, base_url=other.base_url) as session,
    ):
        other.load(saved)
        kept = await imodels.get_briefcase(session, imodel_id, 2)
        assert (kept.acquired_date_time, kept.application) == (
            listed[0].acquired_date_time,
            listed[0].application,
        )
        assert await imodels.collect_locks(session, imodel_id) == held
    emulator.reset()
    client_again = Session(emulator.token, base_url=emulator.base_url)
    async with client_again:
        assert await imodels.list_briefcases(client_again, imodel_id).collect() == []


async def test_go_with_their_imodel(emulator: Emulator, imodel_id: str) -> None:
    emulator.add_briefcase(imodel_id)
    emulator.lock_elements(imodel_id, 2, ["0x1"])
    assert set(emulator.export()["belongings"]) == {"Briefcase", "Element"}  # type: ignore[arg-type]
    emulator.remove_imodel(imodel_id)
    kept = emulator.export()["belongings"]
    assert isinstance(kept, dict)
    assert [rows for rows in kept.values() if rows] == []
