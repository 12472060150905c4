"""iTwins and accounts: queries, headers, bodies, and what is refused before any request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from doubles import CannedServer
from sent import GUID, query_of, session_of

from itwin_async import ArgumentError, Session, itwins
from itwin_async.emulator import Emulator

CLOSED = Session("secret")
EMPTY: dict[str, Any] = {"iTwins": []}
HOSTILE = "a+b&c#d%e'f ü/?="

LISTS: list[Any] = [itwins.list_itwins, itwins.list_favorites, itwins.list_recents]


@pytest.mark.parametrize("make", LISTS)
async def test_every_filter_arrives_as_typed(make: Any, canned: CannedServer) -> None:
    canned.script(EMPTY)
    async with session_of(canned) as session:
        await make(
            session,
            sub_class=["Project", "Asset"],
            type=HOSTILE,
            include_inactive=True,
            display_name=HOSTILE,
            number=HOSTILE,
            parent_id=GUID,
            itwin_account_id=GUID,
            search=HOSTILE,
            page_size=7,
        )
        await make(session, status="Trial")
    assert query_of(canned.seen[0]) == {
        "subClass": "Asset,Project",
        "type": HOSTILE,
        "includeInactive": "true",
        "displayName": HOSTILE,
        "number": HOSTILE,
        "parentId": GUID,
        "iTwinAccountId": GUID,
        "$search": HOSTILE,
        "$top": "7",
    }
    assert query_of(canned.seen[1]) == {"status": "Trial"}


async def test_expressions_and_headers_of_every_page(canned: CannedServer) -> None:
    following = {"next": {"href": f"{canned.base_url}/itwins?$skip=1&$top=1"}}
    canned.script({"iTwins": [{"id": "1"}], "_links": following}, EMPTY)
    async with session_of(canned) as session:
        found = await itwins.list_itwins(
            session,
            filter="contains(number,'1+2') and status eq 'Active'",
            order_by=["displayName desc", "number"],
            select=["displayName", "status"],
            query_scope="OrganizationAdmin",
            max_return=10_000,
            sub_class="Asset",
            search="a",
            include_inactive=False,
            prefetch=0,
        ).collect()
    assert found == [itwins.ITwinSummary("1")]
    assert query_of(canned.seen[0]) == {
        "subClass": "Asset",
        "$search": "a",
        "includeInactive": "false",
        "$filter": "contains(number,'1+2') and status eq 'Active'",
        "$orderby": "displayName desc,number",
        "$select": "id,displayName,status",
    }
    for seen in canned.seen:
        assert seen.headers["X-iTwin-Query-Scope"] == "OrganizationAdmin"
        assert seen.headers["X-Max-Return"] == "10000"
        assert seen.headers["Prefer"] == "return=minimal"
    assert len(canned.seen) == 2


@pytest.mark.parametrize(
    ("select", "sent"),
    [
        ("displayName", "id,displayName"),
        ("displayName, id", "displayName,id"),
        (("id", "status"), "id,status"),
        (["class,number"], "id,class,number"),
    ],
)
async def test_what_is_selected_and_what_is_not(
    canned: CannedServer, select: Any, sent: str
) -> None:
    canned.script({"iTwins": [{"id": "1", "displayName": "n"}]})
    async with session_of(canned) as session:
        (found,) = await itwins.list_itwins(session, select=select).full().collect()
    assert found == itwins.ITwin("1", display_name="n")
    assert query_of(canned.seen[0])["$select"] == sent


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        *[
            ({"filter": "x", name: value}, name)
            for name, value in {
                "status": "Active",
                "type": "t",
                "display_name": "d",
                "number": "n",
                "parent_id": GUID,
                "itwin_account_id": GUID,
            }.items()
        ],
        ({"filter": ""}, "filter"),
        ({"order_by": " "}, "order_by"),
        ({"order_by": []}, "order_by"),
        ({"order_by": ["number", 5]}, "order_by"),
        ({"select": []}, "select"),
        ({"select": ["id", 5]}, "select"),
        ({"select": ""}, "select"),
        ({"select": 5}, "select"),
        ({"query_scope": "memberOfiTwin"}, "query_scope"),
        ({"max_return": 0}, "max_return"),
        ({"max_return": 10_001}, "max_return"),
        ({"max_return": "1"}, "max_return"),
        ({"parent_id": "x"}, "parent_id"),
        ({"itwin_account_id": "x"}, "itwin_account_id"),
        ({"display_name": ""}, "display_name"),
        ({"number": 5}, "number"),
        ({"search": ""}, "search"),
        ({"page_size": 1001}, "page_size"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        itwins.list_itwins(CLOSED, **options)
    assert caught.value.argument == argument


async def test_a_cursor_belongs_to_its_scope(canned: CannedServer) -> None:
    canned.script({"iTwins": [{"id": "1"}, {"id": "2"}]})
    async with session_of(canned) as session:
        rows = aiter(itwins.list_itwins(session, query_scope="all"))
        await anext(rows)
        cursor = rows.cursor
        with pytest.raises(ArgumentError) as caught:
            itwins.list_itwins(session, cursor=cursor)
        assert caught.value.argument == "cursor"
        rest = itwins.list_itwins(session, query_scope="all", cursor=cursor)
        assert [itwin.id for itwin in await rest.full().collect()] == ["2"]
        await rows.aclose()


async def test_what_is_created(canned: CannedServer) -> None:
    canned.script({"iTwin": {"id": GUID}})
    async with session_of(canned) as session:
        await itwins.create_itwin(session, "A & B", class_="Thing", sub_class="Asset")
        made = await itwins.create_itwin(
            session,
            "B",
            class_="Endeavor",
            sub_class="WorkPackage",
            number="1",
            type="t",
            geographic_location="Oslo",
            latitude=-90,
            longitude=180.0,
            iana_time_zone="Europe/Oslo",
            data_center_location="North Europe",
            status="Trial",
            parent_id=GUID,
        )
    assert made == itwins.ITwin(GUID)
    bodies = [json.loads(seen.body) for seen in canned.seen]
    assert bodies == [
        {"class": "Thing", "subClass": "Asset", "displayName": "A & B"},
        {
            "class": "Endeavor",
            "subClass": "WorkPackage",
            "displayName": "B",
            "number": "1",
            "type": "t",
            "geographicLocation": "Oslo",
            "latitude": -90,
            "longitude": 180.0,
            "ianaTimeZone": "Europe/Oslo",
            "dataCenterLocation": "North Europe",
            "status": "Trial",
            "parentId": GUID,
        },
    ]


REFUSED = [
    ({"display_name": ""}, "display_name"),
    ({"display_name": None}, "display_name"),
    ({"number": ""}, "number"),
    ({"number": 5}, "number"),
    ({"latitude": 90.1}, "latitude"),
    ({"latitude": float("nan")}, "latitude"),
    ({"latitude": True}, "latitude"),
    ({"longitude": -181}, "longitude"),
    ({"longitude": "1"}, "longitude"),
    ({"data_center_location": "Mars"}, "data_center_location"),
    ({"status": "active"}, "status"),
    ({"parent_id": "x"}, "parent_id"),
    ({"class_": "Idea"}, "class_"),
    ({"sub_class": "Idea"}, "sub_class"),
    ({"sub_class": None}, "sub_class"),
]


@pytest.mark.parametrize(("members", "argument"), REFUSED)
async def test_members_that_cannot_be(members: dict[str, Any], argument: str) -> None:
    given = {"display_name": "n", "class_": "Thing", "sub_class": "Asset", **members}
    with pytest.raises(ArgumentError) as caught:
        await itwins.create_itwin(CLOSED, **given)
    assert caught.value.argument == argument
    with pytest.raises(ArgumentError) as caught:
        await itwins.update_itwin(CLOSED, GUID, **members)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("class_", "sub_class"), [("Thing", "Project"), ("Endeavor", "Asset"), ("Account", "Asset")]
)
async def test_sub_classes_of_another_class(class_: Any, sub_class: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        await itwins.create_itwin(CLOSED, "n", class_=class_, sub_class=sub_class)
    assert caught.value.argument == "sub_class"


async def test_what_is_changed_and_what_is_left(canned: CannedServer) -> None:
    canned.script({"iTwin": {"id": GUID}})
    async with session_of(canned) as session:
        await itwins.update_itwin(session, GUID, display_name="n", type=None, latitude=None)
        with pytest.raises(ArgumentError):
            await itwins.update_itwin(session, GUID)
    assert json.loads(canned.seen[0].body) == {
        "displayName": "n",
        "type": None,
        "latitude": None,
    }
    assert len(canned.seen) == 1


async def test_whole_entities_are_asked_for(canned: CannedServer) -> None:
    canned.script({"iTwin": {"id": GUID}})
    async with session_of(canned) as session:
        await itwins.get_itwin(session, GUID)
        await itwins.get_account(session, GUID)
        await itwins.get_primary_account(session)
    wanted = [seen.headers.get("Prefer") for seen in canned.seen]
    assert wanted == ["return=representation", "return=representation", None]


async def test_an_itwins_life(emulator: Emulator, session: Session) -> None:
    made = await itwins.create_itwin(
        session, "New + old", class_="Thing", sub_class="Asset", latitude=1.5
    )
    assert (made.display_name, made.latitude) == ("New + old", 1.5)
    assert await itwins.get_itwin(session, made.id) == made
    found = await itwins.list_itwins(session, display_name="New + old").full().collect()
    assert found == [made]
    renamed = await itwins.update_itwin(session, made.id, display_name="Old")
    assert renamed.display_name == "Old"
    assert (await itwins.get_account(session, made.id)).class_ == "Account"
    assert (await itwins.get_primary_account(session)).class_ == "Account"
    await itwins.delete_itwin(session, made.id)
    assert made.id not in emulator.state.itwins
