from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from doubles import CannedServer, FakeClock
from sent import GUID, session_of

from itwin_async import ArgumentError, OperationFailedError, Session, TransportError, itwins

# As the documents of the platform show it.
EXPORT = {
    "id": "5d6e7f80-91a2-4b3c-8d4e-5f60718293a4",
    "request": {
        "queryScope": "MemberOfiTwin",
        "subClass": "Asset",
        "select": "id,displayName",
        "filter": "status+eq+'Active'",
        "includeInactive": False,
        "outputFormat": "JsonGZip",
    },
    "status": "Completed",
    "outputUrl": "https://exports.example.net/5d6e.json.gz?sig=abc",
    "createdBy": "a1094ec1-5165-4550-b717-d5859d527938",
    "createdDateTime": "2026-05-04T08:00:00.000Z",
    "startedDateTime": None,
    "completedDateTime": "2026-05-04T08:00:09.000Z",
}


def state(status: str | None) -> dict[str, Any]:
    return {"export": {**EXPORT, "status": status}}


async def test_what_is_asked_for(canned: CannedServer) -> None:
    canned.script({"export": EXPORT})
    async with session_of(canned) as session:
        await itwins.create_export(session, "Csv")
        made = await itwins.create_export(
            session,
            "JsonGZip",
            query_scope="OrganizationAdmin",
            sub_class={"Project", "Asset"},
            select=["id", "displayName"],
            filter="status eq 'Active'",
            include_inactive=True,
        )
    assert [json.loads(seen.body) for seen in canned.seen] == [
        {"outputFormat": "Csv"},
        {
            "outputFormat": "JsonGZip",
            "queryScope": "OrganizationAdmin",
            "subClass": "Asset,Project",
            "select": "id,displayName",
            "filter": "status eq 'Active'",
            "includeInactive": True,
        },
    ]
    assert made.request is not None
    assert made.request.filter == "status+eq+'Active'"
    assert made.started_date_time is None
    assert made.completed_date_time == datetime(2026, 5, 4, 8, 0, 9, tzinfo=UTC)
    assert "sig=" not in repr(made)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"output_format": "Json"}, "output_format"),
        ({"output_format": None}, "output_format"),
        ({"query_scope": "memberOfItwin"}, "query_scope"),
        ({"sub_class": "Galaxy"}, "sub_class"),
        ({"select": []}, "select"),
        ({"filter": " "}, "filter"),
        ({"include_inactive": 1}, "include_inactive"),
    ],
)
async def test_requests_that_cannot_be(arguments: dict[str, Any], argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        await itwins.create_export(Session("t"), **{"output_format": "Csv", **arguments})
    assert caught.value.argument == argument


async def test_the_last_ones(canned: CannedServer) -> None:
    canned.script({"exports": [EXPORT]})
    async with session_of(canned) as session:
        assert [one.id async for one in itwins.list_exports(session)] == [EXPORT["id"]]
    assert canned.seen[0].target == "/itwins/exports"


async def test_waiting_for_the_end(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(state("Queued"), state("InProgress"), state(None), state("Completed"))
    async with session_of(canned, clock) as session:
        done = await itwins.wait_for_export(session, GUID, poll=10)
    assert done.output_url == EXPORT["outputUrl"]
    assert clock.sleeps == [10, 10, 10]
    assert {seen.target for seen in canned.seen} == {f"/itwins/exports/{GUID}"}


async def test_an_end_that_is_no_success(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(state("InProgress"), state("Failed"))
    async with session_of(canned, clock) as session:
        with pytest.raises(OperationFailedError) as caught:
            await itwins.wait_for_export(session, GUID)
    assert (caught.value.id, caught.value.state) == (GUID, "Failed")


async def test_no_end_in_time(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(state("InProgress"))
    async with session_of(canned, clock) as session:
        with pytest.raises(TransportError) as caught:
            await itwins.wait_for_export(session, GUID, timeout=60, poll=7)
    assert caught.value.timeout
    assert sum(clock.sleeps) <= 60
