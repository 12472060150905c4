from __future__ import annotations

import re
from typing import Any

import pytest
from caller import V2, Caller, error_of

from itwin_async.emulator import SERVED, Emulator


async def test_life_of_a_tag(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    imodel_id = emulator.state.imodels_of(itwin_id)[0].id
    body = {"displayName": "Night shift", "iTwinId": itwin_id, "iModelId": imodel_id}
    made = await call("POST", "/savedviews/tags", json=body)
    assert made.status == 201
    tag = made.json["tag"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{66}", tag["id"])
    assert tag["_links"] == {
        "iTwin": {"href": f"{call.base_url}/iTwins/{itwin_id}"},
        "imodel": {"href": f"{call.base_url}/imodels/{imodel_id}"},
        "creator": {
            "href": f"{call.base_url}/accesscontrol/iTwins/{itwin_id}/members/"
            f"{emulator.state.users['demo'].id}"
        },
    }
    twin = await call("POST", "/savedviews/tags/", json={**body, "iModelId": imodel_id.upper()})
    assert twin.json["tag"]["id"] != tag["id"]
    ana = call.as_user(emulator.token_for("ana"))
    assert (await ana("GET", f"/savedviews/tags/{tag['id']}")).json["tag"] == tag
    listed = await ana("GET", f"/savedviews/tags?iTwinId={itwin_id}")
    assert [row["id"] for row in listed.json["tags"]] == [tag["id"], twin.json["tag"]["id"]]
    assert set(listed.json["_links"]) == {"self"}
    other = list(emulator.state.itwins)[1]
    assert (await call("GET", f"/savedviews/tags?iTwinId={other}")).json["tags"] == []
    renamed = await call("PATCH", f"/savedviews/tags/{tag['id']}", json={"displayName": "Day"})
    assert renamed.status == 200
    assert renamed.json["tag"] == {**tag, "displayName": "Day"}
    unchanged = await call("PATCH", f"/savedviews/tags/{tag['id']}", json={})
    assert unchanged.json == renamed.json
    assert (await call("DELETE", f"/savedviews/tags/{tag['id']}")).status == 204
    gone = await call("GET", f"/savedviews/tags/{tag['id']}")
    assert (gone.status, gone.json) == (
        404,
        {"error": {"code": "TagNotFound", "message": "Requested tag is not available."}},
    )


async def test_sample_of_the_reference(call: Caller) -> None:
    for body in ({}, {"displayName": 5}, {"displayName": None}):
        reply = await call("POST", "/savedviews/tags", json=body)
        assert (reply.status, reply.json) == (
            422,
            {
                "error": {
                    "code": "InvalidSavedviewsRequest",
                    "message": "Cannot create tag.",
                    "details": [
                        {
                            "code": "InvalidRequestBody",
                            "message": "displayName must be a string.",
                            "target": "displayName",
                        }
                    ],
                }
            },
        )


@pytest.mark.parametrize("character", list("<>&\"'."))
async def test_forbidden_characters(call: Caller, character: str) -> None:
    made = await call("POST", "/savedviews/tags", json={"displayName": "ok"})
    for method, path in (
        ("POST", "/savedviews/tags"),
        ("PATCH", f"/savedviews/tags/{made.json['tag']['id']}"),
    ):
        for name in ("displayName", "iTwinId", "other"):
            reply = await call(method, path, json={"displayName": "ok", name: f"a{character}b"})
            assert reply.status == 422
            details = [(item["code"], item["target"]) for item in error_of(reply)["details"]]
            assert details == [("InvalidRequestBody", name)]


async def test_members_that_are_no_texts_are_let_through(call: Caller) -> None:
    body = {"displayName": "ok", "number": 1.5, "list": ["a.b"], "nothing": None}
    assert (await call("POST", "/savedviews/tags", json=body)).status == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
async def test_other_content_types(call: Caller, emulator: Emulator, kind: str) -> None:
    tag = (await call("POST", "/savedviews/tags", json={"displayName": "ok"})).json["tag"]
    for method, path in (("POST", "/savedviews/tags"), ("PATCH", f"/savedviews/tags/{tag['id']}")):
        headers = {"Content-Type": kind}
        reply = await call(method, path, data=b'{"displayName": "x"}', headers=headers)
        assert (reply.status, error_of(reply)["code"]) == (415, "UnsupportedMediaType")
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        reply = await call(method, path, data=b'{"displayName": "x"}', headers=headers)
        assert reply.status in {200, 201}
    assert len(emulator.state.tags) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff"])
async def test_no_json(call: Caller, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await call("POST", "/savedviews/tags", data=body, headers=headers)
    assert reply.status == 422
    assert error_of(reply)["details"] == [
        {
            "code": "InvalidRequestBody",
            "message": "Failed to parse request body. Make sure it is a valid JSON.",
        }
    ]


async def test_all_details(call: Caller) -> None:
    body: dict[str, Any] = {"displayName": "a.b", "iTwinId": 1, "iModelId": []}
    reply = await call("POST", "/savedviews/tags", json=body)
    targets = [item["target"] for item in error_of(reply)["details"]]
    assert targets == ["displayName", "iTwinId", "iModelId"]


async def test_unknown_itwin_is_forbidden(call: Caller) -> None:
    body = {"displayName": "x", "iTwinId": "00000000-0000-4000-8000-000000000000"}
    reply = await call("POST", "/savedviews/tags", json=body)
    assert (reply.status, reply.json) == (
        403,
        {
            "error": {
                "code": "InsufficientPermissions",
                "message": "The user has insufficient permissions for the requested operation.",
            }
        },
    )


async def test_wrong_accept(call: Caller) -> None:
    reply = await call("GET", "/savedviews/tags", headers={"Accept": V2})
    assert error_of(reply)["code"] == "ResourceNotFound"


async def test_requests_as_the_official_client_writes_them(
    call: Caller, emulator: Emulator, itwin_id: str
) -> None:
    """Trailing slashes, no `Accept`, and a content type although there is no body."""
    imodel_id = emulator.state.imodels_of(itwin_id)[0].id
    within = f"?iTwinId={itwin_id}&iModelId={imodel_id}"
    ids: dict[str, str] = {"iTwinId": itwin_id, "iModelId": imodel_id}

    async def send(method: str, target: str, body: Any = None, prefer: str = "") -> Any:
        headers = {"Content-Type": "application/json", **({"prefer": prefer} if prefer else {})}
        reply = await call(method, f"/savedviews{target}", json=body, headers=headers)
        assert reply.status < 300, (method, target, reply.text)
        return reply.json

    tag = (await send("POST", "/tags", {"displayName": "t", **ids}))["tag"]
    group = await send("POST", "/groups/", {"displayName": "g", **ids, "readOnly": False})
    group_id = group["group"]["id"]
    data = {"itwin3dView": {"origin": [0, 0, 0], "extents": [1, 1, 1], "a": "b++dot++c"}}
    body = {**ids, "displayName": "v", "savedViewData": data, "groupId": group_id}
    view = (await send("POST", "/", {**body, "tagIds": [tag["id"]], "shared": True}))["savedView"]
    assert view["savedViewData"] == data
    here = f"/{view['id']}"
    for prefer in ("return=minimal", "return=representation"):
        assert (await send("GET", here, prefer=prefer))["savedView"]["savedViewData"] == data
        listed = await send("GET", f"/{within}&groupId={group_id}&$top=5&$skip=0", prefer=prefer)
        (row,) = listed["savedViews"]
        assert ("savedViewData" in row) == (prefer == "return=representation")
    for one in ("tags", "groups"):
        assert len((await send("GET", f"/{one}/{within}"))[one]) == 1
    await send("PATCH", f"/tags/{tag['id']}", {"displayName": "u"})
    assert (await send("GET", f"/tags/{tag['id']}"))["tag"]["displayName"] == "u"
    await send("PATCH", f"/groups/{group_id}", {"displayName": "h", "readOnly": True})
    assert (await send("GET", f"/groups/{group_id}"))["group"]["readOnly"] is True
    await send("PUT", f"{here}/extensions/", {"extensionName": "E", "data": '{"a": "."}'})
    assert len((await send("GET", f"{here}/extensions/"))["extensions"]) == 1
    assert (await send("GET", f"{here}/extensions/E"))["extension"]["data"] == '{"a": "."}'
    await send("DELETE", f"{here}/extensions/E")
    await send("PUT", f"{here}/image", {"image": "data:image/png;base64,iVBORw0KGgo="})
    assert set(await send("GET", f"{here}/image?size=thumbnail")) == {"href"}
    await send("PATCH", here, {"displayName": "w", "tagIds": []})
    for gone in (f"/groups/{group_id}", f"/tags/{tag['id']}", here):
        await send("DELETE", gone)
    operations = {str(one) for one in SERVED if one.path.startswith("/savedviews")}
    assert operations <= emulator.counts.keys()
