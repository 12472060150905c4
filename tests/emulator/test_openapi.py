from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from caller import Caller, Reply

from itwin_async.emulator import SERVED, Emulator

DOCUMENT: Any = Emulator(itwins=0).openapi()
KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def problems(value: Any, schema: Any, where: str = "$") -> Iterator[str]:
    """
    What a value has that its schema does not allow; as much of OpenAPI 3.0 as the document uses.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        yield from problems(value, DOCUMENT["components"]["schemas"][name], where)
        return
    if "anyOf" in schema:
        found = [list(problems(value, one, where)) for one in schema["anyOf"]]
        if all(found):
            yield from min(found, key=len)
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (value is True and kind != "boolean")):
        yield f"{where}: {value!r} is no {kind}"
    elif kind == "array":
        for index, item in enumerate(value):
            yield from problems(item, schema["items"], f"{where}[{index}]")
    elif kind == "object":
        yield from member_problems(value, schema, where)
    elif kind is not None and not fits(value, schema):
        yield f"{where}: {value!r} is not allowed"


def fits(value: Any, schema: Any) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    if schema.get("format") == "date-time":
        pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}|\d{7})Z"
        return re.fullmatch(pattern, value) is not None
    if schema["type"] in {"number", "integer"}:
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def member_problems(value: Any, schema: Any, where: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, item in value.items():
        if name in known:
            yield from problems(item, known[name], f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{where}: {name} is unknown"


def template_of(method: str, target: str) -> str:
    """The path of the operation that a request means."""
    path = target.partition("?")[0]
    fitting = [
        one.path
        for one in SERVED
        if one.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", one.path), path)
    ]
    return min(fitting, key=lambda template: template.count("{"))


def check(method: str, target: str, reply: Reply) -> None:
    operation = DOCUMENT["paths"][template_of(method, target)][method.lower()]
    answers = operation["responses"]
    assert str(reply.status) in answers, f"{method} {target} -> {reply.status}"
    content = answers[str(reply.status)].get("content")
    if content is None:
        assert reply.text == ""
        return
    if reply.headers["Content-Type"] in content:
        return
    schema = content["application/json"]["schema"]
    assert list(problems(reply.json, schema)) == []


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from refs(item)


def test_what_is_served_is_public() -> None:
    titles = {f"{one.method} {one.path}": one.title for one in SERVED}
    assert len(titles) == len(SERVED)
    assert titles["PUT /imodels/favorites/{id}"] == "Add iModel to My Favorites"
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            assert operation["summary"] == titles[f"{method.upper()} {path}"]


def test_document_is_whole() -> None:
    assert DOCUMENT["openapi"] == "3.0.3"
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(one.method, one.path) for one in SERVED}
    ids = [one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values()]
    assert len(set(ids)) == len(ids)
    for target in set(refs(DOCUMENT)):
        assert target.removeprefix("#/components/schemas/") in DOCUMENT["components"]["schemas"]
    again: Any = Emulator(itwins=0).openapi()
    again["components"]["schemas"].clear()
    assert Emulator(itwins=0).openapi() == DOCUMENT


async def test_document_is_served(call: Caller) -> None:
    reply = await call.as_user(None)("GET", "/_emulator/openapi.json")
    assert reply.json["servers"] == [{"url": call.base_url}]
    assert reply.json["paths"] == DOCUMENT["paths"]


@pytest.mark.parametrize("full", [False, True])
async def test_every_answer_is_as_described(
    call: Caller, emulator: Emulator, itwin_id: str, full: bool
) -> None:
    imodel_id = emulator.state.imodels_of(itwin_id)[3].id
    done: set[str] = set()

    async def ask(method: str, target: str, **options: Any) -> Reply:
        reply = await call(method, target, full=full, **options)
        check(method, target, reply)
        if reply.status < 400:
            done.add(f"{method} {template_of(method, target)}")
        for token, status in ((None, 401), ("spent", 401)):
            refused = await call.as_user(token)(method, target, **options)
            assert refused.status == status
            check(method, target, refused)
        return reply

    emulator.expire("spent")
    within = f"iTwinId={itwin_id}&$top=7"
    for method, target in (
        ("GET", f"/imodels/favorites?{within}&$continuationToken="),
        ("GET", f"/imodels/favorites?{within}&$skip=3"),
        ("GET", "/imodels/favorites?iTwinId=abc"),
        ("PUT", f"/imodels/favorites/{imodel_id}"),
        ("DELETE", f"/imodels/favorites/{imodel_id}"),
        ("PUT", "/imodels/favorites/abc"),
        ("POST", f"/imodels/recents/{imodel_id}"),
        ("GET", f"/imodels/recents?{within}"),
        ("DELETE", f"/imodels/recents/{imodel_id}"),
        ("GET", f"/imodels?{within}"),
        ("GET", f"/imodels/{imodel_id}"),
        ("GET", "/itwins/favorites?includeInactive=true&$top=3"),
        ("GET", "/itwins/favorites?status=odd"),
        ("POST", f"/itwins/favorites/{itwin_id}"),
        ("DELETE", f"/itwins/favorites/{itwin_id}"),
        ("POST", f"/itwins/recents/{itwin_id}"),
        ("GET", "/itwins/recents"),
        ("GET", "/itwins?$top=1"),
        ("GET", "/itwins/myprimaryaccount"),
        ("GET", f"/itwins/{itwin_id}"),
        ("GET", f"/itwins/{itwin_id}/account"),
        ("GET", "/itwins/abc"),
        ("GET", f"/savedviews/tags?iTwinId={itwin_id}"),
        ("GET", "/savedviews/tags?iTwinId=abc"),
    ):
        await ask(method, target)
    imodel = await ask("POST", "/imodels", json={"iTwinId": itwin_id, "name": "One"})
    path = f"/imodels/{imodel.json['iModel']['id']}"
    await ask("POST", "/imodels", json={"iTwinId": itwin_id, "name": "One"})
    await ask("POST", "/imodels", json={})
    await ask("PATCH", path, json={"extent": None, "description": "x"})
    await ask("DELETE", path)
    body = {"class": "Thing", "subClass": "Asset", "displayName": "One", "number": "1"}
    itwin = await ask("POST", "/itwins", json=body)
    path = f"/itwins/{itwin.json['iTwin']['id']}"
    await ask("POST", "/itwins", json=body)
    await ask("PATCH", path, json={"latitude": 1, "type": None})
    await ask("PATCH", path, json={"latitude": "north"})
    await ask("DELETE", path)
    tag = await ask("POST", "/savedviews/tags", json={"displayName": "x", "iTwinId": itwin_id})
    path = f"/savedviews/tags/{tag.json['tag']['id']}"
    await ask("GET", path)
    await ask("GET", f"/savedviews/tags?iTwinId={itwin_id}")
    await ask("PATCH", path, json={"displayName": "y"})
    await ask("PATCH", path, json={"displayName": "y.z"})
    await ask("DELETE", path)
    await ask("GET", path)
    await ask_about_collaboration(ask, f"/imodels/{imodel_id}")
    await ask_about_creation(ask, f"/imodels/{imodel_id}", itwin_id)
    await ask_about_history(ask, imodel_id, emulator)
    await _saved_views(ask, itwin_id)
    await _itwin_data(ask, itwin_id)
    await ask_about_extended_data(ask, emulator.add_imodel(itwin_id).id, emulator)
    assert done == {f"{one.method} {one.path}" for one in SERVED}


async def _saved_views(ask: Any, itwin_id: str) -> None:
    """Every operation on groups, views, extensions and pictures."""
    body: dict[str, Any] = {"iTwinId": itwin_id, "displayName": "Reviews"}
    group = await ask("POST", "/savedviews/groups", json=body)
    path = f"/savedviews/groups/{group.json['group']['id']}"
    await ask("GET", path)
    await ask("GET", f"/savedviews/groups?iTwinId={itwin_id}")
    await ask("PATCH", path, json={"shared": True})
    tag = await ask("POST", "/savedviews/tags", json={"displayName": "x", "iTwinId": itwin_id})
    body["savedViewData"] = {"itwin3dView": {"origin": [0, 0, 0], "extents": [1, 1, 1]}}
    body |= {"groupId": group.json["group"]["id"], "tagIds": [tag.json["tag"]["id"]]}
    body["extensions"] = [{"extensionName": "EmphasizeElements", "data": '{"a": [1.5]}'}]
    view = await ask("POST", "/savedviews", json=body)
    await ask("DELETE", f"/savedviews/tags/{tag.json['tag']['id']}")
    await ask("GET", f"/savedviews?iTwinId={itwin_id}&$top=1")
    await ask("GET", "/savedviews")
    await ask("DELETE", path)
    path = f"/savedviews/{view.json['savedView']['id']}"
    await ask("GET", path)
    await ask("PATCH", path, json={"shared": True, "groupId": None})
    await ask("PATCH", path, json={"savedViewData": {}})
    await ask("GET", f"{path}/image")
    await ask("PUT", f"{path}/image", json={"image": "data:image/png;base64,AAAA"})
    await ask("PUT", f"{path}/image", json={"image": "AAAA"})
    await ask("GET", f"{path}/image?size=full")
    await ask("PUT", f"{path}/extensions", json={"extensionName": "One", "data": "{}"})
    await ask("GET", f"{path}/extensions")
    await ask("GET", f"{path}/extensions/EmphasizeElements")
    await ask("DELETE", f"{path}/extensions/One")
    await ask("GET", f"{path}/extensions/One")
    await ask("DELETE", path)


async def _itwin_data(ask: Any, itwin_id: str) -> None:
    """Every operation on repositories, resources, exports and images."""
    path = f"/itwins/{itwin_id}/repositories"
    body = {"class": "GeographicInformationSystem", "subClass": "ArcGIS", "uri": "https://e.test/"}
    made = await ask("POST", path, json=body)
    await ask("POST", path, json=body)
    await ask("POST", path, json={"class": "Forms"})
    await ask("GET", path)
    await ask("GET", f"{path}?class=Castles")
    await ask("DELETE", f"{path}/imodels")
    path += f"/{made.json['repository']['id']}"
    key = {"type": "Basic", "username": "a", "password": "b"}
    await ask("PATCH", path, json={"displayName": "Maps", "authentication": key})
    await ask("PATCH", path, json={"authentication": {"type": "Basic"}})
    await ask("GET", path)
    await ask("POST", f"{path}/resources", json={"id": "a", "displayName": "A"})
    await ask("POST", f"{path}/resources", json={"id": "a", "displayName": "A"})
    await ask("POST", f"{path}/resources", json={"id": "", "displayName": "A"})
    await ask("GET", f"{path}/resources?$search=a&$top=1")
    await ask("GET", f"{path}/resources/a")
    await ask("GET", f"{path}/resources/a/graphics")
    await ask("DELETE", f"{path}/resources/a")
    await ask("GET", f"{path}/resources/a")
    await ask("DELETE", path)
    await ask("GET", "/itwins/repositories")
    await ask("GET", "/itwins/repositories/cesium")
    await ask("GET", "/itwins/repositories/cesium/resources?$top=1")
    await ask("GET", "/itwins/repositories/cesium/resources?$top=1&$continuationToken=none")
    await ask("GET", "/itwins/repositories/cesium/resources/96188")
    await ask("GET", "/itwins/repositories/cesium/resources/96188/graphics")
    export = await ask("POST", "/itwins/exports", json={"outputFormat": "Csv"})
    await ask("POST", "/itwins/exports", json={"outputFormat": "Xml"})
    await ask("POST", "/itwins/exports", json={"outputFormat": "Csv"})
    await ask("GET", "/itwins/exports")
    await ask("GET", f"/itwins/exports/{export.json['export']['id']}")
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\5\0\0\0"
    png = {"headers": {"Content-Type": "image/png"}}
    path = f"/itwins/{itwin_id}/image"
    await ask("PUT", path, data=header + b"\1", **png)
    await ask("PUT", path, data=header + b"\0", **png)
    await ask("PUT", path, json={})
    await ask("GET", path)
    await ask("DELETE", path)
    await ask("GET", path)


async def ask_about_collaboration(ask: Any, imodel: str) -> None:
    await ask("GET", f"{imodel}/thumbnail?size=large")
    await ask("GET", f"{imodel}/thumbnail?size=odd")
    for kind, picture in (("png", b"\x89PNG\r\n\x1a\n"), ("png", b"GIF"), ("gif", b"GIF")):
        headers = {"Content-Type": f"image/{kind}"}
        await ask("PUT", f"{imodel}/thumbnail", data=picture, headers=headers)
    made = await ask("POST", f"{imodel}/briefcases", json={"deviceName": "WS-17"})
    number = made.json["briefcase"]["briefcaseId"]
    await ask("POST", f"{imodel}/briefcases", json={"deviceName": 1})
    await ask("GET", f"{imodel}/briefcases?ownerId=me&$orderBy=acquiredDateTime%20desc")
    await ask("GET", f"{imodel}/briefcases/{number}")
    await ask("GET", f"{imodel}/briefcases/99")
    wanted = {"lockedObjects": [{"lockLevel": "exclusive", "objectIds": ["0x1"]}]}
    other = (await ask("POST", f"{imodel}/briefcases")).json["briefcase"]["briefcaseId"]
    for body in (
        {"briefcaseId": number, **wanted},
        {"briefcaseId": other, **wanted},
        {"briefcaseId": 99, **wanted},
        {},
    ):
        await ask("PATCH", f"{imodel}/locks", json=body)
    await ask("GET", f"{imodel}/locks?briefcaseId={number}&lockLevel=exclusive&$top=1")
    await ask("GET", f"{imodel}/locks/released-locks?afterChangesetIndex=0")
    await ask("GET", f"{imodel}/users?$orderBy=surname,givenName%20desc")
    users = await ask("GET", f"{imodel}/users")
    await ask("GET", f"{imodel}/users/{users.json['users'][0]['id']}")
    await ask("GET", f"{imodel}/permissions")
    await ask("POST", f"{imodel}/locks/release-chunk", json={"briefcaseId": number})
    await ask("DELETE", f"{imodel}/briefcases/{number}")
    group = await ask("POST", f"{imodel}/changesetgroups", json={"description": "nightly"})
    path = f"{imodel}/changesetgroups/{group.json['changesetGroup']['id']}"
    await ask("GET", f"{imodel}/changesetgroups")
    await ask("GET", path)
    await ask("PATCH", path, json={"state": "timedOut"})
    await ask("PATCH", path, json={"state": "completed"})


async def ask_about_extended_data(ask: Any, imodel_id: str, emulator: Emulator) -> None:
    emulator.add_changeset(imodel_id)
    path = f"/imodels/{imodel_id}/changesets"
    await ask("GET", f"{path}/1/extendeddata")
    for data in ("e30=", "e30=", "W10="):
        await ask("POST", f"{path}/1/extendeddata", json={"data": data})
    await ask("GET", f"{path}/1/extendeddata")
    await ask("GET", f"{path}/extendeddata")


async def ask_about_history(ask: Any, imodel_id: str, emulator: Emulator) -> None:
    imodel = f"/imodels/{imodel_id}"
    number = int(emulator.add_briefcase(imodel_id).id)
    for _ in range(3):
        record = emulator.add_changeset(imodel_id, briefcase=number)
    body = {"id": "a" * 40, "briefcaseId": number, "fileSize": 5, "parentId": record.id}
    await ask("POST", f"{imodel}/changesets", json=body)
    await ask("POST", f"{imodel}/changesets", json={**body, "id": "b" * 40})
    await ask("POST", f"{imodel}/changesets", json={})
    done = {"state": "fileUploaded", "briefcaseId": number}
    await ask("PATCH", f"{imodel}/changesets/4", json=done)
    await ask("PATCH", f"{imodel}/changesets/3", json={**done, "briefcaseId": 99})
    await ask("PATCH", f"{imodel}/changesets/3", json=done)
    await ask("PATCH", f"{imodel}/changesets/3", json={})
    await ask("GET", f"{imodel}/changesets?afterIndex=1&lastIndex=4&$orderBy=index%20desc")
    await ask("GET", f"{imodel}/changesets?afterIndex=-1")
    for path in ("2", "4", "9", "2/checkpoint", "0/checkpoint", "9/checkpoint"):
        await ask("GET", f"{imodel}/changesets/{path}")
    await ask("GET", f"{imodel}/briefcases/checkpoint")
    wanted = {"name": "Issued", "changesetId": record.id}
    made = await ask("POST", f"{imodel}/namedversions", json=wanted)
    await ask("POST", f"{imodel}/namedversions", json=wanted)
    await ask("POST", f"{imodel}/namedversions", json={})
    version = f"{imodel}/namedversions/{made.json['namedVersion']['id']}"
    await ask("GET", f"{imodel}/namedversions?state=visible&$search=i&$orderBy=createdDateTime")
    await ask("GET", version)
    await ask("PATCH", version, json={"state": "hidden"})
    await ask("PATCH", version, json={})
    await ask("GET", f"{version}/checkpoint")
    await ask("PUT", f"{version}/checkpoint")
    emulator.set_permissions(imodel_id, "demo", ["imodels_webview"])
    await ask("PUT", f"{version}/checkpoint")
    await ask("PATCH", version, json={"state": "hidden"})
    await ask("PATCH", f"{imodel}/changesets/3", json=done)
    await ask("POST", f"{imodel}/changesets", json=body)


async def ask_about_creation(ask: Any, imodel: str, itwin_id: str) -> None:
    await ask("GET", f"{imodel}/operations/create")
    await ask("GET", f"{imodel}/baselinefile")
    await ask("POST", f"{imodel}/baselinefile")
    body = {"iTwinId": itwin_id, "name": "Two", "creationMode": "fromBaseline"}
    await ask("POST", "/imodels", json=body)
    made = await ask("POST", "/imodels", json={**body, "baselineFile": {"size": 5}})
    fresh = f"/imodels/{made.json['iModel']['id']}"
    for method in ("GET", "POST"):
        await ask(method, f"{fresh}/baselinefile")
    await ask("GET", f"{fresh}/operations/create")
    for verb in ("clone", "fork"):
        await ask("POST", f"{imodel}/{verb}", json={"iTwinId": itwin_id, "name": verb})
        await ask("POST", f"{imodel}/{verb}", json={"iTwinId": itwin_id, "name": verb})
        await ask("POST", f"{imodel}/{verb}", json={})
    await ask("GET", f"{fresh}/briefcases/checkpoint")
