from __future__ import annotations

import re

import aiohttp
import pytest
from caller import V1, V2, Caller, error_of

from itwin_async.emulator import Emulator, Extent

UNKNOWN = "00000000-0000-4000-8000-000000000000"
DATE_7 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")


def favorites(itwin_id: str, more: str = "") -> str:
    return f"/imodels/favorites?iTwinId={itwin_id}{more}"


async def test_minimal_page_is_the_default(call: Caller, itwin_id: str) -> None:
    reply = await call("GET", favorites(itwin_id))
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert set(reply.json) == {"iModels", "_links"}
    assert len(reply.json["iModels"]) == 25
    assert all(
        set(row) == {"id", "displayName", "dataCenterLocation"} for row in reply.json["iModels"]
    )
    assert reply.json["_links"]["next"] is None
    assert reply.json["_links"]["prev"] is None


async def test_full_page(call: Caller, itwin_id: str) -> None:
    reply = await call("GET", favorites(itwin_id), full=True)
    rows = reply.json["iModels"]
    assert all(DATE_7.fullmatch(row["createdDateTime"]) for row in rows)
    assert {row["iTwinId"] for row in rows} == {itwin_id}
    assert None in [row["extent"] for row in rows]
    assert any(set(row["extent"]) == {"southWest", "northEast"} for row in rows if row["extent"])
    assert {row["description"] is None for row in rows} == {True, False}
    assert rows[0]["_links"]["changesets"]["href"] == (
        f"{call.base_url}/imodels/{rows[0]['id']}/changesets"
    )
    assert rows[0]["name"] == rows[0]["displayName"]


@pytest.mark.parametrize("start", ["", "&$skip=0", "&$continuationToken="])
@pytest.mark.parametrize("top", [1, 7, 25, 26])
async def test_both_modes_give_the_same_list(
    call: Caller, itwin_id: str, emulator: Emulator, start: str, top: int
) -> None:
    pages = await call.all_pages(favorites(itwin_id, f"&$top={top}{start}"), "iModels")
    ids = [row["id"] for page in pages for row in page]
    assert ids == [record.id for record in emulator.state.imodels_of(itwin_id)]
    assert [len(page) for page in pages] == [min(top, 25 - begin) for begin in range(0, 25, top)]


async def test_token_mode_links_carry_opaque_tokens(call: Caller, itwin_id: str) -> None:
    reply = await call("GET", favorites(itwin_id, "&$top=10&$continuationToken="))
    links = reply.json["_links"]
    assert "prev" not in links
    for name in ("self", "next"):
        token = links[name]["href"].partition("&$continuationToken=")[2]
        assert re.fullmatch(r"[A-Za-z0-9_-]{20,}", token)
    again = await call("GET", links["self"]["href"])
    assert again.json == reply.json


async def test_skip_mode_links(call: Caller, itwin_id: str) -> None:
    reply = await call("GET", favorites(itwin_id, "&$top=10&$skip=10"))
    links = reply.json["_links"]
    assert "&$skip=0" in links["prev"]["href"]
    assert "&$skip=20" in links["next"]["href"]
    beyond = await call("GET", favorites(itwin_id, "&$skip=1000"))
    assert beyond.json["iModels"] == []
    assert beyond.json["_links"]["next"] is None


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ("", [("MissingRequiredParameter", "iTwinId")]),
        ("iTwinId=abc", [("InvalidValue", "iTwinId")]),
        ("iTwinId=", [("InvalidValue", "iTwinId")]),
        ("iTwinId={id}&$top=0", [("InvalidValue", "$top")]),
        ("iTwinId={id}&$top=1001", [("InvalidValue", "$top")]),
        ("iTwinId={id}&$top=-1&$skip=-1", [("InvalidValue", "$top"), ("InvalidValue", "$skip")]),
        ("iTwinId={id}&$top=ten", [("InvalidValue", "$top")]),
        ("iTwinId={id}&$top=%D9%A1", [("InvalidValue", "$top")]),
        ("iTwinId={id}&$continuationToken=x!", [("InvalidValue", "$continuationToken")]),
        (
            "iTwinId={id}&$skip=0&$continuationToken=",
            [("MutuallyExclusiveParametersProvided", "$continuationToken")],
        ),
    ],
)
async def test_unprocessable_lists(
    call: Caller, itwin_id: str, query: str, details: list[tuple[str, str]]
) -> None:
    reply = await call("GET", "/imodels/favorites?" + query.replace("{id}", itwin_id))
    assert reply.status == 422
    error = error_of(reply)
    assert (error["code"], error["message"]) == ("InvalidiModelsRequest", "Cannot get iModels.")
    assert [(item["code"], item["target"]) for item in error["details"]] == details


async def test_sample_of_the_reference(call: Caller) -> None:
    reply = await call("GET", "/imodels/favorites?iTwinId=abc")
    assert reply.json == {
        "error": {
            "code": "InvalidiModelsRequest",
            "message": "Cannot get iModels.",
            "details": [
                {
                    "code": "InvalidValue",
                    "message": "'abc' is not a valid 'iTwinId' value.",
                    "target": "iTwinId",
                }
            ],
        }
    }


async def test_token_of_another_list_is_refused(call: Caller, emulator: Emulator) -> None:
    first, second = list(emulator.state.itwins)[:2]
    reply = await call("GET", favorites(first, "&$top=2&$continuationToken="))
    token = reply.json["_links"]["next"]["href"].partition("oken=")[2]
    refused = await call("GET", favorites(second, f"&$continuationToken={token}"))
    assert refused.status == 422


async def test_unknown_itwin(call: Caller) -> None:
    reply = await call("GET", favorites(UNKNOWN))
    assert (reply.status, reply.json) == (
        404,
        {"error": {"code": "iTwinNotFound", "message": "Requested iTwin is not available."}},
    )


@pytest.mark.parametrize("imodel_id", [UNKNOWN, "abc", "%20", "a%2Fb", "x" * 10_000, "%F0%9F"])
@pytest.mark.parametrize(
    ("method", "list_name"),
    [("PUT", "favorites"), ("DELETE", "favorites"), ("POST", "recents"), ("DELETE", "recents")],
)
async def test_unknown_imodel(call: Caller, method: str, list_name: str, imodel_id: str) -> None:
    reply = await call(method, f"/imodels/{list_name}/{imodel_id}")
    assert (reply.status, reply.json) == (
        404,
        {"error": {"code": "iModelNotFound", "message": "Requested iModel is not available."}},
    )


async def test_favorites_come_and_go(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    ids = [record.id for record in emulator.state.imodels_of(itwin_id)]
    removed = await call("DELETE", f"/imodels/favorites/{ids[3]}")
    assert (removed.status, removed.text) == (204, "")
    assert (await call("DELETE", f"/imodels/favorites/{ids[3].upper()}")).status == 204
    reply = await call("GET", favorites(itwin_id))
    assert [row["id"] for row in reply.json["iModels"]] == ids[:3] + ids[4:]
    for _ in range(2):
        assert (await call("PUT", f"/imodels/favorites/{ids[3]}")).status == 204
    reply = await call("GET", favorites(itwin_id))
    assert [row["id"] for row in reply.json["iModels"]] == ids
    assert ids[3] in emulator.state.favorites["demo"].imodels


async def test_users_have_lists_of_their_own(
    call: Caller, emulator: Emulator, itwin_id: str
) -> None:
    ana, stranger = call.as_user(emulator.token_for("ana")), call.as_user("any token at all")
    target = emulator.state.imodels_of(itwin_id)[4].id
    assert (await ana("GET", favorites(itwin_id))).json["iModels"] == []
    await ana("PUT", f"/imodels/favorites/{target}")
    rows = (await ana("GET", favorites(itwin_id))).json["iModels"]
    assert [row["id"] for row in rows] == [target]
    assert (await stranger("GET", favorites(itwin_id))).json["iModels"] == []
    assert emulator.state.favorites["ana"].imodels == [target]


async def test_recents_newest_first_and_at_most_25(
    call: Caller, emulator: Emulator, itwin_id: str
) -> None:
    itwin = emulator.add_itwin()
    models = [emulator.add_imodel(itwin.id) for _ in range(30)]
    ana = call.as_user(emulator.token_for("ana"))
    for model in models:
        reply = await ana("POST", f"/imodels/recents/{model.id}", json={})
        assert reply.status == 204
    recents = f"/imodels/recents?iTwinId={itwin.id}"
    newest = [model.id for model in reversed(models)][:25]
    assert [row["id"] for row in (await ana("GET", recents)).json["iModels"]] == newest
    await ana("POST", f"/imodels/recents/{newest[10]}")
    rows = (await ana("GET", recents)).json["iModels"]
    assert [row["id"] for row in rows] == [newest[10], *newest[:10], *newest[11:]]
    assert (await ana("DELETE", f"/imodels/recents/{newest[0]}")).status == 204
    assert len((await ana("GET", recents)).json["iModels"]) == 24
    assert (await ana("GET", f"/imodels/recents?iTwinId={itwin_id}")).json["iModels"] == []
    pages = await ana.all_pages(recents + "&$top=5", "iModels")
    assert [len(page) for page in pages] == [5, 5, 5, 5, 4]


@pytest.mark.parametrize("accept", [V2, "*/*", "application/json", f"text/html, {V2};q=0.5"])
async def test_good_accept(call: Caller, itwin_id: str, accept: str) -> None:
    assert (await call("GET", favorites(itwin_id), headers={"Accept": accept})).status == 200


@pytest.mark.parametrize("accept", [V1, "text/html", "application/xml"])
async def test_wrong_accept_is_a_404_of_the_gateway(
    call: Caller, itwin_id: str, accept: str
) -> None:
    reply = await call("GET", favorites(itwin_id), headers={"Accept": accept})
    assert (reply.status, reply.json) == (
        404,
        {
            "error": {
                "code": "ResourceNotFound",
                "message": "The requested resource was not found. Verify the API URL and the "
                "Accept header.",
            }
        },
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/imodels/favorites/"),
        ("DELETE", "/imodels/favorites/"),
        ("DELETE", "/imodels/"),
        ("PUT", "/imodels/favorites//"),
        ("PUT", "/imodels/favorites/a/b"),
        ("GET", "/itwins//account"),
        ("GET", "/itwins/repositories/cesium/account"),
        ("GET", "/unknown"),
    ],
)
async def test_unknown_paths(session: aiohttp.ClientSession, method: str, path: str) -> None:
    async with Emulator(strict=True) as emulator:
        reply = await Caller(session, emulator.base_url, emulator.token)(method, path)
        assert (reply.status, error_of(reply)["code"]) == (404, "ResourceNotFound")
        assert [line.split(":")[0] for line in emulator.violations] == [f"{method} {path}"]
        assert emulator.counts == {}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/imodels/favorites/x", "DELETE, PUT"),
        ("POST", "/imodels/favorites/" + UNKNOWN, "DELETE, PUT"),
        ("PATCH", "/imodels/recents/x", "DELETE, POST"),
        ("DELETE", "/imodels", "GET, POST"),
        ("DELETE", "/imodels/favorites", "GET"),
        ("PUT", "/itwins/myprimaryaccount", "GET"),
        ("DELETE", f"/itwins/recents/{UNKNOWN}", "POST"),
        ("GET", "/itwins/favorites/account", "DELETE, POST"),
        ("PATCH", "/itwins/exports/", "GET, POST"),
        ("DELETE", "/itwins/repositories/cesium", "GET"),
        ("POST", f"/itwins/{UNKNOWN}/image", "DELETE, GET, PUT"),
        ("HEAD", "/itwins/favorites", "GET"),
    ],
)
async def test_methods_that_are_not_allowed(
    session: aiohttp.ClientSession, method: str, path: str, allowed: str
) -> None:
    async with Emulator(strict=True) as emulator:
        reply = await Caller(session, emulator.base_url, emulator.token)(method, path)
        assert (reply.status, reply.headers["Allow"]) == (405, allowed)
        assert len(emulator.violations) == 1


async def test_paths_in_any_case_and_with_a_slash(call: Caller, itwin_id: str) -> None:
    plain = await call("GET", favorites(itwin_id))
    other = await call("GET", f"/iModels/Favorites/?itwinid={itwin_id.upper()}")
    assert other.json == plain.json


async def test_entities(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    body = {
        "iTwinId": itwin_id,
        "name": "New Pier & Quay",
        "description": "",
        "extent": {
            "southWest": {"latitude": 1, "longitude": 2},
            "northEast": {"latitude": 3, "longitude": 4},
        },
    }
    made = await call("POST", "/imodels/", json=body)
    assert made.status == 201
    imodel = made.json["iModel"]
    assert imodel["_links"]["upload"] is None
    assert imodel["extent"] == body["extent"]
    assert emulator.state.imodels[imodel["id"]].extent == Extent(1, 2, 3, 4)
    again = await call("POST", "/imodels", json=body)
    assert (again.status, error_of(again)["code"]) == (409, "iModelExists")
    listed = await call("GET", f"/imodels?iTwinId={itwin_id}&name=New%20Pier%20%26%20Quay")
    assert [row["id"] for row in listed.json["iModels"]] == [imodel["id"]]
    assert "name=New%20Pier%20%26%20Quay" in listed.json["_links"]["self"]["href"]
    changed = await call("PATCH", f"/imodels/{imodel['id']}", json={"description": "second"})
    assert changed.json["iModel"]["description"] == "second"
    assert changed.json["iModel"]["name"] == "New Pier & Quay"
    assert (await call("GET", f"/imodels/{imodel['id']}")).json["iModel"] == {
        **changed.json["iModel"]
    }
    assert (await call("DELETE", f"/imodels/{imodel['id']}")).status == 204
    assert (await call("GET", f"/imodels/{imodel['id']}")).status == 404
    assert (await call("DELETE", f"/imodels/{imodel['id']}")).status == 404


async def test_create_refuses_with_all_details(call: Caller) -> None:
    reply = await call("POST", "/imodels", data=b"{", headers={"Content-Type": "application/json"})
    assert reply.status == 422
    assert {
        "code": "InvalidRequestBody",
        "message": "Failed to parse request body. Make sure it is a valid JSON.",
    } in error_of(reply)["details"]
    body = {"iTwinId": 5, "description": "x" * 256, "extent": {"southWest": None}}
    reply = await call("POST", "/imodels", json=body)
    targets = [item["target"] for item in error_of(reply)["details"]]
    assert targets == ["iTwinId", "name", "description", "extent"]


async def test_list_filters_and_order(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    shelf = list(emulator.state.imodels_of(itwin_id))
    found = await call("GET", f"/imodels?iTwinId={itwin_id}&$search=TERRAIN")
    assert [row["id"] for row in found.json["iModels"]] == [
        record.id for record in shelf if "terrain" in f"{record.name} {record.description}".lower()
    ]
    ordered = f"/imodels?iTwinId={itwin_id}&$orderBy=name%20desc&$top=4&$continuationToken="
    pages = await call.all_pages(ordered, "iModels")
    names = [row["displayName"] for page in pages for row in page]
    assert names == sorted((record.name for record in shelf), reverse=True)
    wrong = await call("GET", f"/imodels?iTwinId={itwin_id}&$orderBy=colour&state=odd")
    assert [item["target"] for item in error_of(wrong)["details"]] == ["state", "$orderBy"]


@pytest.mark.parametrize(
    ("body", "targets"),
    [
        ({}, ["name"]),
        ({"odd": 1}, ["name"]),
        ({"name": " "}, ["name"]),
        ({"name": None}, ["name"]),
        ({"description": 5}, ["description"]),
        ({"extent": []}, ["extent"]),
        (
            {"extent": {"southWest": {"latitude": 91, "longitude": 0}, "northEast": {}}},
            ["extent"],
        ),
        ({"containersEnabled": 8}, ["containersEnabled"]),
        ({"containersEnabled": True}, ["containersEnabled"]),
    ],
)
async def test_update_refuses(
    call: Caller, emulator: Emulator, itwin_id: str, body: dict[str, object], targets: list[str]
) -> None:
    record = emulator.state.imodels_of(itwin_id)[0]
    reply = await call("PATCH", f"/imodels/{record.id}", json=body)
    assert (reply.status, error_of(reply)["message"]) == (422, "Cannot update iModel.")
    assert [item["target"] for item in error_of(reply)["details"]] == targets
    assert emulator.state.imodels[record.id] == record


async def test_update(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    first, second = (emulator.state.imodels_of(itwin_id)[row] for row in (0, 1))
    path = f"/imodels/{first.id}"
    taken = await call("PATCH", path, json={"name": second.name})
    assert (taken.status, error_of(taken)["code"]) == (409, "iModelExists")
    assert (await call("PATCH", path, data=b"[")).status == 422
    assert (await call("PATCH", f"/imodels/{UNKNOWN}", json={"name": "x"})).status == 404
    body = {"name": "Other", "extent": None, "containersEnabled": 5, "description": None}
    changed = (await call("PATCH", path, json=body)).json["iModel"]
    assert {name: changed[name] for name in body} == body
    assert changed["displayName"] == "Other"
    listed = await call("GET", favorites(itwin_id, "&$top=1"))
    assert listed.json["iModels"][0]["displayName"] == "Other"
    again = await call("PATCH", path, json={"name": "Other"})
    assert again.status == 200


@pytest.mark.parametrize(
    ("changes", "status", "target"),
    [
        ({"iTwinId": "abc"}, 422, "iTwinId"),
        ({"iTwinId": UNKNOWN}, 404, None),
        ({"creationMode": "fromNothing"}, 422, "creationMode"),
        ({"creationMode": {}}, 422, "creationMode"),
        ({"containersEnabled": -1}, 422, "containersEnabled"),
        ({"name": "x" * 256}, 422, "name"),
        ({"creationMode": "empty", "containersEnabled": 1}, 201, None),
    ],
)
async def test_create_checks_each_member(
    call: Caller, itwin_id: str, changes: dict[str, object], status: int, target: str | None
) -> None:
    reply = await call("POST", "/imodels", json={"iTwinId": itwin_id, "name": "x", **changes})
    assert reply.status == status
    if target is not None:
        assert [item["target"] for item in error_of(reply)["details"]] == [target]


async def test_hidden_imodel(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    record = emulator.state.imodels_of(itwin_id)[2]
    emulator.deny("demo", record)
    assert (await call("GET", f"/imodels/{record.id}")).status == 404
    assert (await call("PUT", f"/imodels/favorites/{record.id}")).status == 404
    rows = (await call("GET", favorites(itwin_id))).json["iModels"]
    assert record.id not in [row["id"] for row in rows]
    assert len(rows) == 24


async def test_a_description_that_is_too_long(call: Caller, itwin_id: str) -> None:
    body = {"iTwinId": itwin_id, "name": "x", "description": "y" * 256}
    reply = await call("POST", "/imodels", json=body)
    assert reply.status == 422
    assert error_of(reply)["details"] == [
        {
            "code": "InvalidValue",
            "message": "Provided 'description' value is not valid. The value exceeds allowed 255 "
            "characters.",
            "target": "description",
        }
    ]
