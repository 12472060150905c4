from __future__ import annotations

import re
from typing import Any

import pytest
from caller import V2, Caller, error_of

from itwin_async.emulator import Emulator


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
