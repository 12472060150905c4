"""Repositories, their resources and graphics, by id and by the address that the platform gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from doubles import CannedServer
from sent import GUID, query_of, session_of

from itwin_async import ApiError, ArgumentError, PaginationError, Session, itwins, to_dict

CLOSED = Session("secret")
RESOURCES = f"/itwins/{GUID}/repositories/r1/resources"
# As the documents of the platform show it.
REPOSITORY: dict[str, Any] = {
    "id": "r1",
    "class": "GeographicInformationSystem",
    "subClass": "WebMapService",
    "displayName": "Flood maps",
    "uri": "https://maps.example.net/wms",
    "authentication": {"type": "Header", "key": "X-Key", "value": "hidden"},
    "options": {"queryParameters": {"a": "1"}, "minimumLevel": 3, "new": [None]},
    "capabilities": {"resources": {"uri": f"https://api.bentley.com{RESOURCES}"}},
}
GRAPHICS: dict[str, Any] = {
    "type": "IMAGERY",
    "uri": "https://tiles.example.net/{z}?sig=hidden",
    "authentication": {"type": "Basic", "username": "u", "password": "hidden"},
    "provider": {
        "name": "UrlTemplateImageryProvider",
        "options": {"bounds": [-1.5, 2, 3, 4], "credit": None},
    },
}


async def test_nothing_of_a_repository_is_lost(canned: CannedServer) -> None:
    canned.script({"repository": REPOSITORY})
    async with session_of(canned) as session:
        found = await itwins.get_repository(session, GUID, "r1")
    assert to_dict(found) == REPOSITORY
    assert found.options == REPOSITORY["options"]
    assert "hidden" not in repr(found)


async def test_repositories_of_a_class(canned: CannedServer) -> None:
    canned.script({"repositories": [REPOSITORY, {"id": "2", "subClass": None}]})
    async with session_of(canned) as session:
        lists = [
            itwins.list_repositories(session, GUID),
            itwins.list_repositories(session, GUID, class_="a+b", sub_class="c&d"),
            itwins.list_global_repositories(session, class_="x"),
        ]
        for one in lists:
            assert [repository.id for repository in await one.collect()] == ["r1", "2"]
        with pytest.raises(ArgumentError) as caught:
            itwins.list_repositories(session, GUID, sub_class="x")
    assert caught.value.argument == "sub_class"
    assert [query_of(seen) for seen in canned.seen] == [
        {},
        {"class": "a+b", "subClass": "c&d"},
        {"class": "x"},
    ]
    assert canned.seen[2].target.startswith("/itwins/repositories?")


async def test_what_is_created(canned: CannedServer) -> None:
    canned.script({"repository": {"id": "r1"}})
    async with session_of(canned) as session:
        await itwins.create_repository(session, GUID, class_="Forms", uri="https://x")
        await itwins.create_repository(
            session,
            GUID,
            class_="GeographicInformationSystem",
            sub_class="ArcGIS",
            uri="https://x?a=1&b",
            display_name="n",
            authentication=itwins.Authentication("QueryParameter", "k", "v"),
            options={"minimumLevel": 1},
        )
    assert [json.loads(seen.body) for seen in canned.seen] == [
        {"class": "Forms", "uri": "https://x"},
        {
            "class": "GeographicInformationSystem",
            "subClass": "ArcGIS",
            "uri": "https://x?a=1&b",
            "displayName": "n",
            "authentication": {"type": "QueryParameter", "key": "k", "value": "v"},
            "options": {"minimumLevel": 1},
        },
    ]


async def test_what_is_changed(canned: CannedServer) -> None:
    canned.script({"repository": {"id": "r1"}})
    basic = itwins.Authentication("Basic", username="u", password="p")
    async with session_of(canned) as session:
        await itwins.update_repository(session, GUID, "r1", authentication=None, options={})
        await itwins.update_repository(session, GUID, "r1", authentication=basic, uri="u")
        with pytest.raises(ArgumentError):
            await itwins.update_repository(session, GUID, "r1")
    assert [json.loads(seen.body) for seen in canned.seen] == [
        {"authentication": None, "options": {}},
        {"authentication": {"type": "Basic", "username": "u", "password": "p"}, "uri": "u"},
    ]


@pytest.mark.parametrize(
    ("members", "argument"),
    [
        ({"class_": ""}, "class_"),
        ({"uri": None}, "uri"),
        ({"sub_class": 5}, "sub_class"),
        ({"display_name": " "}, "display_name"),
        ({"authentication": {"type": "Basic"}}, "authentication"),
        ({"options": [1]}, "options"),
    ],
)
async def test_members_that_cannot_be(members: dict[str, Any], argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        await itwins.create_repository(CLOSED, GUID, **{"class_": "x", "uri": "u", **members})
    assert caught.value.argument == argument


async def test_resources_are_followed_by_link(canned: CannedServer) -> None:
    pages: list[Any] = [
        {
            "resources": [{"id": "96188", "class": "c", "properties": {"a": {"b": 1}}}],
            "_links": {"next": {"href": f"{canned.base_url}{RESOURCES}?token=a%2Bb"}},
        },
        {"resources": [{"id": "2"}], "_links": {}},
    ]
    canned.script(*pages, *pages)
    async with session_of(canned) as session:
        listed = itwins.list_resources(session, GUID, "r1", search="a+b&c", page_size=1, prefetch=0)
        assert [one.id for one in await listed.collect()] == ["96188", "2"]
        first, _ = await listed.full().collect()
    assert first.properties == {"a": {"b": 1}}
    assert query_of(canned.seen[0]) == {"$search": "a+b&c", "$top": "1"}
    assert canned.seen[1].target == f"{RESOURCES}?token=a%2Bb"
    wanted = [seen.headers["Prefer"] for seen in canned.seen]
    assert wanted == ["return=minimal"] * 2 + ["return=representation"] * 2


def test_resources_are_not_numbered() -> None:
    with pytest.raises((ArgumentError, TypeError)):
        itwins.list_resources(CLOSED, GUID, "r1", concurrency=2)  # type: ignore[call-arg]


@pytest.mark.parametrize("wrong", ["a b", "a/b", "..", "a?b", "", 5, "a" * 257])
async def test_ids_that_could_not_be_asked_for_are_not_created(wrong: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        await itwins.create_resource(CLOSED, GUID, "r1", wrong, "A name")
    assert caught.value.argument == "resource_id"


async def test_a_resources_life(canned: CannedServer) -> None:
    canned.script({"resource": {"id": "f1", "displayName": "n"}})
    async with session_of(canned) as session:
        made = await itwins.create_resource(session, GUID, "r1", "f1", "n")
        assert await itwins.get_resource(session, GUID, "r1", "f1") == made
        assert await itwins.get_global_resource(session, "cesium", "f1") == made
        await itwins.delete_resource(session, GUID, "r1", "f1")
        for bad in ("", None):
            with pytest.raises(ArgumentError):
                await itwins.create_resource(session, GUID, "r1", bad, "n")  # type: ignore[arg-type]
            with pytest.raises(ArgumentError):
                await itwins.create_resource(session, GUID, "r1", "f1", bad)  # type: ignore[arg-type]
    assert json.loads(canned.seen[0].body) == {"id": "f1", "displayName": "n"}
    assert canned.seen[1].headers["Prefer"] == "return=representation"
    assert canned.seen[2].target == "/itwins/repositories/cesium/resources/f1"
    assert len(canned.seen) == 4


async def test_nothing_of_graphics_is_lost(canned: CannedServer) -> None:
    canned.script({"graphics": [GRAPHICS, {}]})
    async with session_of(canned) as session:
        for listed in (
            itwins.list_graphics(session, GUID, "r1", "f1"),
            itwins.list_global_graphics(session, "r1", "f1"),
        ):
            found, empty = await listed.collect()
            assert to_dict(found) == GRAPHICS
            assert empty == itwins.Graphics()
            assert "hidden" not in repr(found)


@pytest.mark.parametrize("host", ["{base}", ""])
async def test_addresses_are_followed_as_they_are(canned: CannedServer, host: str) -> None:
    uri = host.format(base=canned.base_url) + f"/iTwins/{GUID}/repositories/r1/resources?v=%2B"
    canned.script({"resources": [{"id": "1"}]}, {"graphics": [GRAPHICS]})
    async with session_of(canned) as session:
        await itwins.list_resources_at(session, uri, search="a", page_size=5)
        await itwins.list_graphics_at(session, uri)
    path = f"/iTwins/{GUID}/repositories/r1/resources?v=%2B"
    assert [seen.target for seen in canned.seen] == [f"{path}&$search=a&$top=5", path]


async def test_addresses_at_another_host_get_no_token(canned: CannedServer) -> None:
    foreign = "https://gis-api.example.com/repositories/r1/resources"
    async with session_of(canned) as session:
        for make in (itwins.list_resources_at, itwins.list_graphics_at):
            for uri in (foreign, "ftp://x/y", "https://u:p@api.bentley.com/", "", None):
                with pytest.raises(ArgumentError) as caught:
                    make(session, uri)  # type: ignore[arg-type]
                assert caught.value.argument == "uri"
                assert not isinstance(caught.value, PaginationError)
    assert canned.seen == []


async def test_addresses_of_the_platform_behind_a_proxy(canned: CannedServer) -> None:
    canned.script({"resources": []})
    uri = REPOSITORY["capabilities"]["resources"]["uri"]
    async with Session("t", base_url=canned.base_url, rewrite_links=True) as session:
        await itwins.list_resources_at(session, uri)
    assert canned.seen[0].target == RESOURCES


async def test_a_cursor_of_an_address(canned: CannedServer) -> None:
    canned.script({"resources": [{"id": "1"}, {"id": "2"}]})
    async with session_of(canned) as session:
        rows = aiter(itwins.list_resources_at(session, RESOURCES))
        await anext(rows)
        rest = itwins.list_resources_at(session, RESOURCES, cursor=rows.cursor)
        assert [one.id for one in await rest.collect()] == ["2"]
        with pytest.raises(ArgumentError):
            itwins.list_resources_at(session, f"{RESOURCES}?x=1", cursor=rows.cursor)
        await rows.aclose()


async def test_a_redirect_is_not_followed(canned: CannedServer) -> None:
    elsewhere = {"Location": f"{canned.base_url}/elsewhere"}
    canned.script(web.Response(status=302, headers=elsewhere))
    async with session_of(canned) as session:
        with pytest.raises(ApiError) as caught:
            await itwins.get_resource(session, GUID, "r1", "f1")
    assert caught.value.status == 302
    assert len(canned.seen) == 1
