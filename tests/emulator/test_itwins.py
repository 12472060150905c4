from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from caller import V2, Caller, error_of

from itwin_async.emulator import Emulator, World

UNKNOWN = "00000000-0000-4000-8000-000000000000"
MINIMAL = {"id", "class", "subClass", "type", "number", "displayName"}


async def test_inactive_ones_are_hidden(call: Caller, emulator: Emulator) -> None:
    rows = emulator.state.itwins.values()
    inactive = {row.id for row in rows if row.status == "Inactive"}
    assert inactive
    everything = {row.id for row in rows}

    async def ids(query: str) -> set[str]:
        reply = await call("GET", f"/itwins/favorites?{query}")
        return {row["id"] for row in reply.json["iTwins"]}

    assert await ids("") == everything - inactive
    assert await ids("status=Inactive") == inactive
    assert await ids("includeInactive=true") == everything
    assert await ids("includeInactive=false") == everything - inactive
    assert await ids("status=Trial") == {row.id for row in rows if row.status == "Trial"}


async def test_shapes(call: Caller) -> None:
    minimal = await call("GET", "/itwins/favorites")
    assert all(set(row) == MINIMAL for row in minimal.json["iTwins"])
    assert None in [row["type"] for row in minimal.json["iTwins"]]
    full = await call("GET", "/itwins/favorites?includeInactive=true", full=True)
    digits = {
        len(re.fullmatch(r".*\.(\d+)Z", row["createdDateTime"])[1])  # type: ignore[index]
        for row in full.json["iTwins"]
    }
    assert digits == {3, 7}
    assert None in [row["latitude"] for row in full.json["iTwins"]]


async def test_links(call: Caller) -> None:
    first = await call("GET", "/itwins/favorites?$top=4&subClass=Asset,Project&status=Active")
    assert set(first.json["_links"]) == {"self", "next"}
    assert first.json["_links"]["self"]["href"] == (
        f"{call.base_url}/iTwins/favorites?$skip=0&$top=4&subClass=Asset,Project&status=Active"
    )
    second = await call("GET", first.json["_links"]["next"]["href"])
    assert set(second.json["_links"]) == {"self", "prev"}
    assert "$skip=0&$top=4" in second.json["_links"]["prev"]["href"]


@pytest.mark.parametrize("top", [1, 3, 10, 1000])
async def test_all_pages(call: Caller, emulator: Emulator, top: int) -> None:
    pages = await call.all_pages(f"/itwins/favorites?$top={top}&includeInactive=true", "iTwins")
    assert [row["id"] for page in pages for row in page] == list(emulator.state.itwins)


async def test_all_details_at_once(call: Caller) -> None:
    query = "$top=0&$skip=-1&subClass=Nope&status=Nope&includeInactive=true"
    reply = await call("GET", f"/itwins/favorites?{query}")
    assert reply.status == 422
    assert reply.json == {
        "error": {
            "code": "InvalidiTwinsRequest",
            "message": "Cannot query iTwins.",
            "details": [
                {
                    "code": "InvalidValue",
                    "message": "The $top query option must be a positive integer that does not "
                    "exceed 1000.",
                    "target": "$top",
                },
                {
                    "code": "InvalidValue",
                    "message": "The $skip query option must be a non-negative integer.",
                    "target": "$skip",
                },
                {
                    "code": "InvalidValue",
                    "message": "A valid iTwin SubClass was not specified in the query.",
                    "target": "subClass",
                },
                {
                    "code": "InvalidValue",
                    "message": "Status value is incorrect. Valid values are Active, Inactive and "
                    "Trial.",
                    "target": "status",
                },
                {
                    "code": "InvalidParameter",
                    "message": "The includeInactive parameter should not be used at the same time "
                    "as the status parameter.",
                    "target": "includeInactive",
                },
            ],
        }
    }


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("$top=1001", "$top"),
        ("$top=", "$top"),
        ("$top=1.5", "$top"),
        ("$skip=-1", "$skip"),
        ("subClass=Asset,", "subClass"),
        ("status=active", "status"),
        ("includeInactive=yes", "includeInactive"),
    ],
)
async def test_single_details(call: Caller, query: str, target: str) -> None:
    for path in ("/itwins/favorites", "/itwins/recents/", "/itwins/"):
        reply = await call("GET", f"{path}?{query}")
        assert reply.status == 422
        assert [item["target"] for item in error_of(reply)["details"]] == [target]


async def test_favorites_come_and_go(call: Caller, emulator: Emulator) -> None:
    ana = call.as_user(emulator.token_for("ana"))
    first, second = list(emulator.state.itwins)[:2]
    for itwin_id in (second, first, first):
        reply = await ana("POST", f"/itwins/favorites/{itwin_id}")
        assert (reply.status, reply.text) == (204, "")
    rows = (await ana("GET", "/itwins/favorites")).json["iTwins"]
    assert [row["id"] for row in rows] == [first, second]
    for _ in range(2):
        assert (await ana("DELETE", f"/itwins/favorites/{first}")).status == 204
    assert emulator.state.favorites["ana"].itwins == [second]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "favorites/"),
        ("DELETE", "favorites/"),
        ("POST", "recents/"),
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
    ],
)
async def test_unknown_itwin(call: Caller, method: str, path: str) -> None:
    reply = await call(method, f"/itwins/{path}{UNKNOWN}")
    assert (reply.status, reply.json) == (
        404,
        {"error": {"code": "iTwinNotFound", "message": "Requested iTwin is not available."}},
    )


async def test_recents(call: Caller, emulator: Emulator) -> None:
    made = [emulator.add_itwin(f"Extra {index}") for index in range(28)]
    hidden = emulator.add_itwin("Old", status="Inactive")
    ana = call.as_user(emulator.token_for("ana"))
    for row in [*made, hidden, made[5]]:
        assert (await ana("POST", f"/itwins/recents/{row.id}")).status == 204
    used = [made[5].id, hidden.id] + [row.id for row in reversed(made) if row != made[5]]
    rows = (await ana("GET", "/itwins/recents?includeInactive=true")).json["iTwins"]
    assert [row["id"] for row in rows] == used[:25]
    rows = (await ana("GET", "/itwins/recents")).json["iTwins"]
    assert hidden.id not in [row["id"] for row in rows]


async def test_entities(call: Caller, emulator: Emulator) -> None:
    body = {"class": "Thing", "subClass": "Asset", "displayName": "Lock", "number": "L-1"}
    made = await call("POST", "/itwins/", json={**body, "latitude": 51.5, "type": None})
    assert made.status == 201
    itwin = made.json["iTwin"]
    assert (itwin["status"], itwin["latitude"]) == ("Active", 51.5)
    again = await call("POST", "/itwins", json=body)
    assert (again.status, error_of(again)["code"]) == (409, "iTwinExists")
    assert error_of(again)["details"][0]["target"] == "number"
    got = await call("GET", f"/itwins/{itwin['id']}")
    assert set(got.json["iTwin"]) == MINIMAL
    assert (await call("GET", f"/iTwins/{itwin['id']}", full=True)).json["iTwin"] == itwin
    changed = await call("PATCH", f"/itwins/{itwin['id']}", json={"status": "Inactive"})
    assert changed.json["iTwin"]["status"] == "Inactive"
    assert changed.json["iTwin"]["number"] == "L-1"
    other = next(iter(emulator.state.itwins.values()))
    clash = await call("PATCH", f"/itwins/{itwin['id']}", json={"number": other.number})
    assert clash.status == 409
    assert (await call("DELETE", f"/itwins/{itwin['id']}")).status == 204
    assert itwin["id"] not in emulator.state.itwins


async def test_create_refuses(call: Caller) -> None:
    reply = await call("POST", "/itwins", json={"latitude": 91, "status": "Odd"})
    assert reply.status == 422
    details = [(item["code"], item["target"]) for item in error_of(reply)["details"]]
    assert details == [
        ("MissingRequiredProperty", "class"),
        ("MissingRequiredProperty", "subClass"),
        ("MissingRequiredProperty", "displayName"),
        ("InvalidValue", "status"),
        ("InvalidValue", "latitude"),
    ]


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ({"class": "Thing", "subClass": "Project"}, ["subClass"]),
        ({"class": "Endeavor", "subClass": "Asset"}, ["subClass"]),
        ({"class": "Nothing", "subClass": "Asset"}, ["class"]),
        ({"class": None, "subClass": "Odd"}, ["class", "subClass"]),
        ({"class": "Account", "subClass": "Account"}, []),
    ],
)
async def test_class_and_subclass_belong_together(
    call: Caller, kind: dict[str, object], targets: list[str]
) -> None:
    reply = await call("POST", "/itwins", json={"displayName": "x", **kind})
    if not targets:
        assert reply.status == 201
        return
    assert [item["target"] for item in error_of(reply)["details"]] == targets


async def test_my_itwins(call: Caller, emulator: Emulator) -> None:
    reply = await call("GET", "/itwins/?$search=bridge&$top=1000")
    names = [row["displayName"] for row in reply.json["iTwins"]]
    assert names
    assert all("bridge" in name.lower() for name in names)
    reply = await call("GET", "/itwins?includeInactive=true", headers={"X-Max-Return": "3"})
    assert len(reply.json["iTwins"]) == 3
    assert reply.headers["X-Max-Return"] == "3"
    wrong = await call("GET", "/itwins", headers={"X-Max-Return": "0"})
    assert error_of(wrong)["details"][0]["code"] == "InvalidHeaderValue"
    itwin = next(iter(emulator.state.itwins))
    account = (await call("GET", f"/itwins/{itwin}/account")).json["iTwin"]
    assert account["class"] == "Account"
    assert (await call("GET", "/itwins/myprimaryaccount")).json["iTwin"] == account


async def test_wrong_accept(call: Caller) -> None:
    reply = await call("GET", "/itwins/favorites", headers={"Accept": V2})
    assert error_of(reply)["code"] == "ResourceNotFound"


async def test_hidden_from_a_user(call: Caller, emulator: Emulator) -> None:
    itwin_id = next(iter(emulator.state.itwins))
    emulator.deny("demo", itwin_id)
    assert (await call("GET", f"/itwins/{itwin_id}")).status == 404
    assert (await call("GET", f"/imodels/favorites?iTwinId={itwin_id}")).status == 404
    rows = (await call("GET", "/itwins/favorites")).json["iTwins"]
    assert itwin_id not in [row["id"] for row in rows]
    tag = await call("POST", "/savedviews/tags", json={"displayName": "x", "iTwinId": itwin_id})
    assert (tag.status, error_of(tag)["code"]) == (403, "InsufficientPermissions")
    emulator.allow("demo", itwin_id)
    assert (await call("GET", f"/itwins/{itwin_id}")).status == 200


async def ids_of(call: Caller, query: str) -> list[str]:
    reply = await call("GET", f"/itwins?{query}")
    assert reply.status == 200, reply.text
    return [row["id"] for row in reply.json["iTwins"]]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("status eq 'inactive'", ["Inactive 'A'"]),
        ("number eq 'n-2' or number eq 'N-3'", ["Bridge", "Tunnel"]),
        ("displayName in ['bridge','TUNNEL'] and subClass eq 'Asset'", ["Tunnel"]),
        ("displayName in ('Bridge', 'Tunnel')", ["Bridge", "Tunnel"]),
        ("displayName eq 'Inactive ''A''' and status eq 'Inactive'", ["Inactive 'A'"]),
        ("contains('UNN',displayName)", ["Tunnel"]),
        ("contains(number,'N-')", ["Bridge", "Tunnel"]),
        ("startswith(displayName,'br')", ["Bridge"]),
        ("createdDateTime ge 2024-01-01T00:00:00Z", ["Tunnel"]),
        ("createdDateTime ge '2023-05-01' and createdDateTime le '2024-12-31'", ["Bridge"]),
        ("latitude ge 51.5", ["Tunnel"]),
        ("type eq null", ["Bridge", "Tunnel"]),
        ("(number eq 'N-2' or number eq 'N-3') and status eq 'Active'", ["Bridge", "Tunnel"]),
        ("number eq 'N-2' or number eq 'N-3' and status eq 'Trial'", ["Bridge"]),
        ("", ["Bridge", "Tunnel"]),
    ],
)
async def test_filter(
    call: Caller, emulator: Emulator, expression: str, expected: list[str]
) -> None:
    emulator.reset(World(1))
    emulator.add_itwin("Inactive 'A'", number="N-1", status="Inactive")
    emulator.add_itwin("Bridge", number="N-2", created="2023-06-01T00:00:00.000Z")
    emulator.add_itwin("Tunnel", number="N-3", sub_class="Asset", latitude=51.5)
    query = f"$filter={quote(expression)}&$orderby=displayName"
    shown = (await call("GET", f"/itwins?{query}")).json
    assert [row["displayName"] for row in shown["iTwins"]] == expected
    assert (await call("GET", shown["_links"]["self"]["href"])).json == shown


async def test_a_filter_and_subclasses(call: Caller, emulator: Emulator) -> None:
    active = quote("status eq 'Active'")
    rows = emulator.state.itwins.values()
    assets = [row.id for row in rows if row.sub_class == "Asset" and row.status == "Active"]
    assert await ids_of(call, f"$filter={active}&subClass=Asset") == assets
    everything = f"$filter={quote('latitude ge -90')}&includeInactive=true"
    located = [row.id for row in rows if row.latitude is not None]
    assert await ids_of(call, everything) == located
    for name in ("status", "type", "number", "displayName", "parentId", "$search"):
        reply = await call("GET", f"/itwins?$filter={active}&{name}=Active")
        details = [(item["code"], item["target"]) for item in error_of(reply)["details"]]
        assert (reply.status, details) == (422, [("InvalidParameter", name)])


@pytest.mark.parametrize(
    ("name", "expression", "position"),
    [
        ("$filter", "status is 'Active'", 9),
        ("$filter", "status eq", 9),
        ("$filter", "status eq Active", 16),
        ("$filter", "status eq 'Active", 11),
        ("$filter", "status eq 'Active' and", 22),
        ("$filter", "status eq 'Active' number eq 'x'", 25),
        ("$filter", "(status eq 'Active'", 19),
        ("$filter", "contains(displayName)", 21),
        ("$filter", "endswith(displayName,'x')", None),
        ("$filter", "number in 'a'", 13),
        ("$filter", "number in ['a'", 14),
        ("$filter", "number in ['a')", 15),
        ("$filter", "5 eq number", 1),
        ("$orderby", "displayName up", 14),
        ("$orderby", "displayName desc asc", 20),
        ("$orderby", "displayName,", 12),
    ],
)
async def test_what_cannot_be_parsed(
    call: Caller, emulator: Emulator, name: str, expression: str, position: int | None
) -> None:
    reply = await call("GET", f"/itwins?{name}={quote(expression)}")
    assert reply.status == 422
    error = error_of(reply)
    assert error["code"] == "InvalidiTwinsRequest"
    if position is not None:
        message = f"Syntax error at position {position} in '{expression}'."
        assert error == {"code": "InvalidiTwinsRequest", "message": message}


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("$filter", "invalidFieldName eq 'x'"),
        ("$filter", "contains('x',invalidFieldName)"),
        ("$orderby", "number,invalidFieldName desc"),
        ("$select", "id,invalidFieldName"),
    ],
)
async def test_unknown_properties(call: Caller, name: str, expression: str) -> None:
    reply = await call("GET", f"/itwins?{name}={quote(expression)}")
    assert reply.status == 422
    assert error_of(reply)["details"] == [
        {
            "code": "InvalidValue",
            "message": f"The {name} string contains an unknown property 'invalidFieldName'.",
            "target": name,
        }
    ]


async def test_order(call: Caller, emulator: Emulator) -> None:
    everything = "includeInactive=true&$orderby="
    rows = list(emulator.state.itwins.values())
    by_name = sorted(rows, key=lambda row: row.display_name.lower())
    assert await ids_of(call, everything + "displayName") == [row.id for row in by_name]
    descending = [row.id for row in reversed(by_name)]
    assert await ids_of(call, everything + quote("displayName DESC")) == descending
    found = await ids_of(call, everything + quote("type, displayName desc"))
    types = [emulator.state.itwins[key].type for key in found]
    assert types == sorted(types, key=lambda one: (one is not None, (one or "").lower()))
    untyped = [row.id for row in reversed(by_name) if row.type is None]
    assert found[: len(untyped)] == untyped
    pages = await call.all_pages(
        f"/itwins?$top=5&{everything}{quote('displayName desc')}", "iTwins"
    )
    assert [row["id"] for page in pages for row in page] == descending


async def test_select(call: Caller) -> None:
    for full in (False, True):
        reply = await call("GET", "/itwins?$select=id,%20latitude&$top=3", full=full)
        assert all(set(row) == {"id", "latitude"} for row in reply.json["iTwins"])
    rows = (await call("GET", "/itwins?$select=")).json["iTwins"]
    assert all(set(row) == MINIMAL for row in rows)


async def test_an_empty_subclass_is_none(call: Caller) -> None:
    for path in ("/itwins/favorites", "/itwins/recents", "/itwins"):
        every = (await call("GET", path)).json["iTwins"]
        assert (await call("GET", f"{path}?subClass=")).json["iTwins"] == every


async def test_prefer_for_accounts(call: Caller, itwin_id: str) -> None:
    minimal = (await call("GET", f"/itwins/{itwin_id}/account")).json["iTwin"]
    assert set(minimal) == MINIMAL
    full = (await call("GET", f"/itwins/{itwin_id}/account", full=True)).json["iTwin"]
    assert minimal.items() < full.items()
    assert full["iTwinAccountId"] == full["id"] == minimal["id"]
    primary = await call("GET", "/itwins/myprimaryaccount", full=True)
    assert primary.json["iTwin"] == minimal


@pytest.mark.parametrize("path", ["/itwins", "/itwins/favorites", "/itwins/recents"])
async def test_a_wider_scope_is_for_administrators(
    call: Caller, emulator: Emulator, path: str
) -> None:
    active = [row.id for row in emulator.state.itwins.values() if row.status == "Active"]
    emulator.recent("demo", active[0])
    emulator.deny("demo", active[0])

    async def seen(scope: str | None) -> bool:
        headers = {} if scope is None else {"X-iTwin-Query-Scope": scope}
        reply = await call("GET", path, headers=headers)
        return active[0] in {row["id"] for row in reply.json["iTwins"]}

    scopes = [None, "memberOfItwin", "all", "OrganizationAdmin", "organizationadmin", "odd"]
    assert [await seen(scope) for scope in scopes] == [False, False, True, True, True, False]
    emulator.set_administrator("demo", on=False)
    assert not await seen("all")


async def test_filters_that_only_the_official_client_knows(
    call: Caller, emulator: Emulator
) -> None:
    one = next(row for row in emulator.state.itwins.values() if row.status == "Active")
    emulator.recent("demo", one.id)
    for path in ("/itwins/favorites", "/itwins/recents"):
        for query in (
            f"displayName={quote(one.display_name.upper())}",
            f"number={one.number}",
            f"parentId={one.parent_id}&number={one.number}",
            f"iTwinAccountId={one.account_id}&number={one.number}",
            f"$search={quote(one.number[2:].lower())}",
        ):
            reply = await call("GET", f"{path}?{query}")
            assert [row["id"] for row in reply.json["iTwins"]] == [one.id], query


async def test_the_account_is_an_itwin(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    mine = (await call("GET", "/itwins/myprimaryaccount")).json["iTwin"]
    itwin = (await call("GET", f"/itwins/{itwin_id}", full=True)).json["iTwin"]
    assert itwin["parentId"] == itwin["iTwinAccountId"] == mine["id"]
    account = (await call("GET", f"/itwins/{mine['id'].upper()}", full=True)).json["iTwin"]
    assert {**account, **mine} == account
    assert (await call("GET", f"/itwins/{mine['id']}/account")).json["iTwin"] == mine
    for method in ("PATCH", "DELETE"):
        refused = await call(method, f"/itwins/{mine['id']}", json={})
        assert (refused.status, error_of(refused)["code"]) == (404, "iTwinNotFound")


async def test_what_the_platform_decides_cannot_be_sent(call: Caller, itwin_id: str) -> None:
    own = {"id": UNKNOWN, "iTwinAccountId": UNKNOWN, "createdBy": UNKNOWN, "image": "x"}
    body = {"class": "Thing", "subClass": "Asset", "displayName": "One", **own}
    made = (await call("POST", "/itwins", json=body)).json["iTwin"]
    changed = await call("PATCH", f"/itwins/{itwin_id}", json={**own, "type": "Rail"})
    for itwin in (made, changed.json["iTwin"]):
        assert UNKNOWN not in itwin.values()
        assert itwin["image"] is None
    assert changed.json["iTwin"]["id"] == itwin_id
