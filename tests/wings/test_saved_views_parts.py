"""Groups, extensions and pictures of saved views."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from doubles import CannedServer, refused
from sent import GUID, query_of, session_of

from itwin_async import ArgumentError, Content, Session, saved_views, to_dict
from itwin_async.saved_views import Extension, SavedViewData

CLOSED = Session("secret")
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
NAME = "EmphasizeElements"


async def test_groups(canned: CannedServer) -> None:
    canned.script({"groups": [{"id": "-g_", "readOnly": True}]}, {"group": {"id": "-g_"}})
    async with session_of(canned) as session:
        listed = saved_views.list_groups(session, itwin_id=GUID, imodel_id=GUID)
        assert await listed.collect() == [saved_views.Group("-g_", read_only=True)]
        await saved_views.create_group(session, GUID, "Reviews")
        await saved_views.create_group(
            session, GUID, "Reviews", imodel_id=GUID, shared=True, read_only=False
        )
        await saved_views.update_group(session, "-g_", shared=False)
        await saved_views.update_group(session, "-g_", display_name="New", read_only=True)
        await saved_views.get_group(session, "-g_")
        await saved_views.delete_group(session, "-g_")
    assert query_of(canned.seen[0]) == {"iTwinId": GUID, "iModelId": GUID}
    assert [json.loads(seen.body) for seen in canned.seen[1:5]] == [
        {"iTwinId": GUID, "displayName": "Reviews"},
        {
            "iTwinId": GUID,
            "displayName": "Reviews",
            "iModelId": GUID,
            "shared": True,
            "readOnly": False,
        },
        {"shared": False},
        {"displayName": "New", "readOnly": True},
    ]
    assert {seen.target for seen in canned.seen[3:]} == {"/savedviews/groups/-g_"}


@pytest.mark.parametrize(
    ("members", "argument"),
    [
        ({"display_name": "a&b"}, "display_name"),
        ({"display_name": None}, "display_name"),
        ({"shared": "yes"}, "shared"),
        ({"read_only": 0}, "read_only"),
    ],
)
async def test_groups_that_cannot_be(members: dict[str, Any], argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        await saved_views.create_group(CLOSED, GUID, **{"display_name": "n", **members})
    assert caught.value.argument == argument
    with pytest.raises(ArgumentError) as caught:
        await saved_views.update_group(CLOSED, "g", **members)
    assert caught.value.argument == argument


async def test_a_group_needs_an_itwin_and_a_change() -> None:
    for bad in ("x", None):
        with pytest.raises(ArgumentError) as caught:
            await saved_views.create_group(CLOSED, bad, "n")  # type: ignore[arg-type]
        assert caught.value.argument == "itwin_id"
    with pytest.raises(ArgumentError):
        await saved_views.update_group(CLOSED, "g")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('{"a":["x.y",null]}', {"a": ["x.y", None]}),
        ({"a": 1}, {"a": 1}),
        ("no JSON", "no JSON"),
        (None, None),
    ],
)
async def test_data_is_read_as_text_or_object(
    canned: CannedServer, given: object, read: object
) -> None:
    answer = {"extensionName": NAME, "markdownUrl": "", "schemaUrl": None, "data": given}
    canned.script({"extension": answer})
    async with session_of(canned) as session:
        found = await saved_views.get_extension(session, "v", NAME)
    assert found == Extension(NAME, read, markdown_url="")
    assert canned.seen[0].target == f"/savedviews/v/extensions/{NAME}"


async def test_links_of_extensions_in_any_case(canned: CannedServer) -> None:
    links = {"iModel": {"href": "m"}, "savedView": {"href": "v"}}
    canned.script({"extension": {"extensionName": NAME, "_links": links}})
    async with session_of(canned) as session:
        found = await saved_views.get_extension(session, "v", NAME)
    assert to_dict(found)["_links"] == {"imodel": {"href": "m"}, "savedView": {"href": "v"}}


@pytest.mark.parametrize("name", ["a b", "a/b", "..", "a?b", "", 5, "a" * 257])
async def test_names_that_could_not_be_asked_for_are_not_created(name: Any) -> None:
    with refused("extension_name"):
        await saved_views.create_extension(CLOSED, "v", name, {})
    data = SavedViewData(itwin3d_view={})
    with refused("extension_name"):
        await saved_views.create_saved_view(
            CLOSED, GUID, "View", data, extensions=[Extension(name, {})]
        )


async def test_extensions_come_and_go(canned: CannedServer) -> None:
    found = {"extensionName": NAME, "href": "https://x"}
    canned.script({"extensions": [found]}, {"extension": found})
    async with session_of(canned) as session:
        listed = await saved_views.list_extensions(session, "v").collect()
        assert listed == [Extension(NAME, href="https://x")]
        await saved_views.create_extension(session, "v", NAME, {"é": [1, None]})
        await saved_views.create_extension(session, "v", NAME, "as it is")
        await saved_views.delete_extension(session, "v", NAME)
    methods = [(seen.method, seen.target) for seen in canned.seen]
    assert methods == [
        ("GET", "/savedviews/v/extensions"),
        ("PUT", "/savedviews/v/extensions"),
        ("PUT", "/savedviews/v/extensions"),
        ("DELETE", f"/savedviews/v/extensions/{NAME}"),
    ]
    first, second = (json.loads(seen.body) for seen in canned.seen[1:3])
    assert (first["extensionName"], json.loads(first["data"])) == (NAME, {"é": [1, None]})
    assert second == {"extensionName": NAME, "data": "as it is"}


@pytest.mark.parametrize("data", [None, "", 5, b"{}", {"a": float("inf")}, {"a": object()}])
async def test_data_that_cannot_be(data: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        await saved_views.create_extension(CLOSED, "v", NAME, data)
    assert caught.value.argument == "data"


async def test_pictures(canned: CannedServer) -> None:
    href = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    canned.script({"href": href}, {"href": href}, 204)
    async with session_of(canned) as session:
        assert await saved_views.get_image(session, "v") == href
        assert await saved_views.get_image(session, "v", size="full") == href
        await saved_views.update_image(session, "v", PNG)
        with pytest.raises(ArgumentError) as caught:
            await saved_views.get_image(session, "v", size="large")  # type: ignore[arg-type]
    assert caught.value.argument == "size"
    assert [query_of(seen) for seen in canned.seen[:2]] == [{"size": "thumbnail"}, {"size": "full"}]
    assert json.loads(canned.seen[2].body) == {"image": href}
    assert saved_views.image_bytes(href) == Content(PNG, "image/png")


@pytest.mark.parametrize(
    ("href", "content"),
    [
        ("data:image/png;base64,", Content(b"", "image/png")),
        ("DATA:image/svg+xml,%3Csvg/%3E", Content(b"<svg/>", "image/svg+xml")),
        ("data:text/plain;charset=utf-8,a,b", Content(b"a,b", "text/plain;charset=utf-8")),
        ("data:;base64,aGk%3D", Content(b"hi", "")),
        ("data:,x", Content(b"x", "")),
    ],
)
def test_forms_of_data(href: str, content: Content) -> None:
    assert saved_views.image_bytes(href) == content


@pytest.mark.parametrize(
    "href",
    [
        "https://x/y.png?sig=hidden",
        "",
        "data:image/png;base64",
        "data:image/png;base64,aGk",
        "data:image/png;base64,a b?",
        "data:image/png;base64,é",
        None,
        b"data:,x",
    ],
)
def test_what_is_no_data(href: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        saved_views.image_bytes(href)
    assert caught.value.argument == "href"
    assert "hidden" not in str(caught.value)
