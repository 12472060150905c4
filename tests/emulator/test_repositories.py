from __future__ import annotations

import json
from typing import Any

import pytest
from caller import Caller, error_of

from itwin_async import ApiError, ConflictError, InvalidRequestError, NotFoundError, Session, itwins
from itwin_async.emulator import Emulator
from itwin_async.itwins import Authentication, Repository

UNKNOWN = "00000000-0000-4000-8000-000000000000"
MAPS: dict[str, Any] = {
    "class_": "GeographicInformationSystem",
    "sub_class": "WebMapService",
    "uri": "https://maps.example.net/wms",
}


async def made(platform: Session, itwin_id: str, **changes: Any) -> Repository:
    return await itwins.create_repository(platform, itwin_id, **{**MAPS, **changes})


def code(caught: pytest.ExceptionInfo[ApiError]) -> str | None:
    return caught.value.code


async def test_the_platform_makes_some_by_itself(
    platform: Session, emulator: Emulator, itwin_id: str
) -> None:
    curated, of_imodels = await itwins.list_repositories(platform, itwin_id).collect()
    assert (curated.id, curated.class_) == ("cesiumcuratedcontent", "CesiumCuratedContent")
    assert (of_imodels.id, of_imodels.class_, of_imodels.sub_class) == ("imodels", "iModels", None)
    assert of_imodels.uri == f"{emulator.base_url}/imodels?iTwinId={itwin_id}"
    empty = emulator.add_itwin()
    (only,) = await itwins.list_repositories(platform, empty.id).collect()
    assert only.class_ == "CesiumCuratedContent"
    with pytest.raises(InvalidRequestError):
        await itwins.delete_repository(platform, itwin_id, "imodels")
    with pytest.raises(InvalidRequestError):
        await itwins.update_repository(platform, itwin_id, "imodels", display_name="Mine")


async def test_life_of_a_repository(platform: Session, itwin_id: str) -> None:
    key = Authentication(type="Header", key="X-Key", value="secret")
    options = {"queryParameters": {"version": "1.3"}, "minimumLevel": 3}
    one = await made(platform, itwin_id, display_name="Floods", authentication=key, options=options)
    assert (one.display_name, one.authentication, one.options) == ("Floods", key, options)
    assert await itwins.get_repository(platform, itwin_id, one.id) == one
    assert one in await itwins.list_repositories(platform, itwin_id).collect()
    changed = await itwins.update_repository(
        platform, itwin_id, one.id, uri="https://other.example.net/", authentication=None
    )
    assert (changed.uri, changed.authentication) == ("https://other.example.net/", None)
    assert (changed.display_name, changed.class_) == ("Floods", one.class_)
    await itwins.delete_repository(platform, itwin_id, one.id.upper())
    with pytest.raises(NotFoundError) as caught:
        await itwins.get_repository(platform, itwin_id, one.id)
    assert code(caught) == "iTwinRepositoryNotFound"


async def test_filters(platform: Session, itwin_id: str) -> None:
    first = await made(platform, itwin_id)
    second = await made(platform, itwin_id, sub_class="ArcGIS")
    await made(platform, itwin_id, class_="Construction", sub_class="Performance")

    async def ids(**filters: str) -> list[str]:
        found = await itwins.list_repositories(platform, itwin_id, **filters).collect()
        return [one.id for one in found]

    assert await ids(class_="GeographicInformationSystem") == [first.id, second.id]
    assert await ids(class_="GeographicInformationSystem", sub_class="ArcGIS") == [second.id]
    assert await ids(class_="iModels") == ["imodels"]
    assert await ids(class_="Storage") == []
    for filters in ({"class_": "Castles"}, {"class_": "Construction", "sub_class": "ArcGIS"}):
        with pytest.raises(InvalidRequestError):
            await ids(**filters)


async def test_what_cannot_be_created(platform: Session, call: Caller, itwin_id: str) -> None:
    await made(platform, itwin_id)
    with pytest.raises(ConflictError) as caught:
        await made(platform, itwin_id)
    assert code(caught) == "iTwinRepositoryExists"
    with pytest.raises(NotFoundError) as unknown:
        await made(platform, UNKNOWN)
    assert code(unknown) == "iTwinNotFound"
    path = f"/itwins/{itwin_id}/repositories"
    gis = "GeographicInformationSystem"
    for body, detail in (
        ({"class": gis, "uri": "x"}, "SubClass value is incorrect."),
        ({"class": gis, "subClass": "Performance", "uri": "x"}, "SubClass value is incorrect."),
        ({"class": "Storage", "uri": "x"}, "Class value is incorrect."),
    ):
        refused = await call("POST", path, json=body)
        assert refused.status == 422
        assert refused.json["error"] == {
            "code": "InvalidiTwinsRequest",
            "message": "Cannot add iTwin Repository.",
            "details": [{"code": "InvalidValue", "message": detail}],
        }
    body = {"class": gis, "subClass": "ArcGIS", "uri": ""}
    (detail,) = error_of(await call("POST", path, json=body))["details"]
    assert (detail["code"], detail["target"]) == ("MissingRequiredProperty", "uri")


async def test_unknown_itwins_are_told_as_the_platform_does(
    platform: Session, itwin_id: str
) -> None:
    there = await made(platform, itwin_id)
    for call_, expected in (
        (itwins.get_repository(platform, UNKNOWN, there.id), "iTwinRepositoryNotFound"),
        (itwins.update_repository(platform, UNKNOWN, there.id, uri="x"), "iTwinRepositoryNotFound"),
        (itwins.delete_repository(platform, UNKNOWN, there.id), "iTwinNotFound"),
        (itwins.create_resource(platform, UNKNOWN, there.id, "a", "A"), "iTwinRepositoryNotFound"),
        (itwins.get_resource(platform, UNKNOWN, there.id, "a"), "iTwinNotFound"),
        (itwins.get_resource(platform, itwin_id, UNKNOWN, "a"), "iTwinRepositoryNotFound"),
        (itwins.get_resource(platform, itwin_id, there.id, "a"), "iTwinRepositoryResourceNotFound"),
        (
            itwins.delete_resource(platform, itwin_id, UNKNOWN, "a"),
            "iTwinRepositoryResourceNotFound",
        ),
    ):
        with pytest.raises(NotFoundError) as caught:
            await call_
        assert code(caught) == expected


async def test_life_of_a_resource(platform: Session, itwin_id: str) -> None:
    there = await made(platform, itwin_id)
    made_one = await itwins.create_resource(platform, itwin_id, there.id, "zone-é", "Flood zones")
    assert (made_one.id, made_one.class_) == ("zone-é", "GeographicInformationSystem")
    assert made_one.sub_class == "WebMapService"
    with pytest.raises(ConflictError) as caught:
        await itwins.create_resource(platform, itwin_id, there.id, "zone-é", "Again")
    assert code(caught) == "iTwinRepositoryResourceExists"
    whole = await itwins.get_resource(platform, itwin_id, there.id, "zone-é")
    assert (whole.display_name, whole.properties) == ("Flood zones", {})
    assert await itwins.list_graphics(platform, itwin_id, there.id, "zone-é").collect() == []
    await itwins.delete_resource(platform, itwin_id, there.id, "zone-é")
    assert await itwins.list_resources(platform, itwin_id, there.id).collect() == []
    performance = await made(platform, itwin_id, class_="Construction", sub_class="Performance")
    assert performance.capabilities is None
    for repository_id in (performance.id, "imodels"):
        with pytest.raises(InvalidRequestError):
            await itwins.create_resource(platform, itwin_id, repository_id, "a", "A")


async def test_resources_in_pages(platform: Session, emulator: Emulator, itwin_id: str) -> None:
    maps = emulator.add_repository(
        itwin_id, "GeographicInformationSystem", sub_class="ArcGIS", id="maps"
    )
    names = [f"Zone {number}" for number in range(7)]
    for name in names:
        emulator.add_resource(maps, name.lower(), name)
    pager = itwins.list_resources(platform, itwin_id, "maps", page_size=3)
    pages = [[one.display_name for one in page.items] async for page in pager.pages()]
    assert pages == [names[:3], names[3:6], names[6:]]
    searched = itwins.list_resources(platform, itwin_id, "maps", search="ZONE 4", page_size=1)
    assert [one.id async for one in searched] == ["zone 4"]
    assert ["$skip" in request.query for request in emulator.requests[:3]] == [False, True, True]


async def test_resources_of_imodels(platform: Session, emulator: Emulator, itwin_id: str) -> None:
    imodels = list(emulator.state.imodels_of(itwin_id))
    hidden, shown = imodels[0], imodels[1:]
    emulator.deny("demo", hidden.id)
    pager = itwins.list_resources(platform, itwin_id, "imodels", page_size=10)
    pages = [page.items async for page in pager.pages()]
    assert len(pages) == 3
    assert [one.id for page in pages for one in page] == [imodel.id for imodel in shown]
    with pytest.raises(NotFoundError):
        await itwins.get_resource(platform, itwin_id, "imodels", hidden.id)
    one = await itwins.get_resource(platform, itwin_id, "imodels", shown[2].id.upper())
    assert one.display_name == shown[2].name
    assert one.properties is not None
    assert one.properties["createdDateTime"] == shown[2].created


async def test_capabilities_lead_to_something(
    platform: Session, emulator: Emulator, call: Caller, itwin_id: str
) -> None:
    served = await itwins.list_repositories(platform, itwin_id).collect()
    served += await itwins.list_global_repositories(platform).collect()
    for repository in served:
        assert repository.capabilities is not None
        assert repository.capabilities.resources is not None
        uri = repository.capabilities.resources.uri
        assert uri is not None
        resources = await itwins.list_resources_at(platform, uri).full().collect()
        assert resources
        capabilities = resources[0].capabilities
        assert capabilities is not None
        assert capabilities.graphics is not None
        assert capabilities.graphics.uri is not None
        (drawn,) = await itwins.list_graphics_at(platform, capabilities.graphics.uri).collect()
        assert drawn.type == resources[0].type
        assert drawn.uri is not None
        if repository.class_ == "iModels":
            tiles = await call.as_user(None)("GET", drawn.uri)
            assert json.loads(tiles.text)["asset"] == {"version": "1.1"}
    emulator.assert_called("GET /itwins/repositories/{id}/resources/{id}/graphics", times=1)


async def test_global_ones(platform: Session, emulator: Emulator) -> None:
    (one,) = await itwins.list_global_repositories(platform, class_="Cesium").collect()
    assert await itwins.get_global_repository(platform, "cesium") == one
    everything = await itwins.list_global_resources(platform, "cesium").collect()
    pager = itwins.list_global_resources(platform, "cesium", page_size=1).full()
    assert [row.id async for row in pager] == [row.id for row in everything]
    # Another service pages these: what follows is told by a token alone.
    later = emulator.calls("GET /itwins/repositories/{id}/resources")[-1]
    assert "$continuationToken" in later.query
    resource = await itwins.get_global_resource(platform, "cesium", everything[1].id)
    (drawn,) = await itwins.list_global_graphics(platform, "cesium", resource.id).collect()
    assert drawn.provider is not None
    assert drawn.provider.name == "UrlTemplateImageryProvider"
    assert drawn.authentication is not None
    assert await itwins.list_global_graphics(platform, "cesium", "none").collect() == []
    for missing in (
        itwins.get_global_repository(platform, "none"),
        itwins.get_global_resource(platform, "cesium", "none"),
        itwins.list_global_resources(platform, "none").collect(),
    ):
        with pytest.raises(NotFoundError):
            await missing


async def test_set_up_by_a_test(platform: Session, emulator: Emulator, itwin_id: str) -> None:
    reality = emulator.add_repository(itwin_id, "RealityData", id="reality", uri="https://r.test/")
    graphics = [{"type": "GLTF", "uri": "https://r.test/a.glb?sig=x"}]
    emulator.add_resource(
        reality, "a", "Mesh", type="GLTF", properties={"size": 5}, graphics=graphics
    )
    one = await itwins.get_resource(platform, itwin_id, "reality", "a")
    assert (one.class_, one.type, one.properties) == ("RealityData", "GLTF", {"size": 5})
    (drawn,) = await itwins.list_graphics(platform, itwin_id, "reality", "a").collect()
    assert drawn.uri == "https://r.test/a.glb?sig=x"
    emulator.add_resource("cesium", "own", "Of my own")
    assert (await itwins.get_global_resource(platform, "cesium", "own")).display_name == "Of my own"
    emulator.add_repository(None, "Forms", id="forms")
    assert (await itwins.get_global_repository(platform, "forms")).capabilities is None
    for class_, changes in (
        ("Castles", {}),
        ("GeographicInformationSystem", {}),
        ("Forms", {"sub_class": "ArcGIS"}),
        ("Forms", {"id": "reality"}),
        ("Forms", {"id": "A b"}),
        ("Forms", {"authentication": {"type": "Basic"}}),
    ):
        with pytest.raises(ValueError, match=r"class_|sub_class|id|authentication"):
            emulator.add_repository(itwin_id, class_, **changes)
    with pytest.raises(ValueError, match="taken"):
        emulator.add_resource(reality, "a", "Again")
    with pytest.raises(ValueError, match="graphics"):
        emulator.add_resource(reality, "b", "B", graphics=[{"type": "GLTF"}])
    with pytest.raises(KeyError):
        emulator.add_resource("none", "b", "B")


async def test_kept_with_the_world(platform: Session, emulator: Emulator, itwin_id: str) -> None:
    one = await made(platform, itwin_id, display_name="Floods")
    await itwins.create_resource(platform, itwin_id, one.id, itwin_id, "Of an odd id")
    saved, before = emulator.export(), emulator.snapshot()
    await itwins.delete_repository(platform, itwin_id, one.id)
    emulator.restore(before)
    assert await itwins.get_repository(platform, itwin_id, one.id) == one
    async with Emulator(itwins=0) as other:
        other.load(saved)
        async with Session(other.token, base_url=other.base_url) as session:
            loaded = await itwins.get_repository(session, itwin_id, one.id)
            assert loaded.display_name == "Floods"
            (resource,) = await itwins.list_resources(session, itwin_id, one.id).collect()
            assert resource.id == itwin_id
            await itwins.delete_itwin(session, itwin_id)
        belongings: Any = other.export()["belongings"]
        assert not any(belongings.values())
    emulator.reset()
    with pytest.raises(NotFoundError):
        await itwins.get_repository(platform, itwin_id, one.id)


async def test_who_may_not_see_an_itwin_sees_no_repository(
    platform: Session, emulator: Emulator, itwin_id: str
) -> None:
    emulator.deny("demo", itwin_id)
    with pytest.raises(NotFoundError):
        await itwins.list_repositories(platform, itwin_id).collect()
    with pytest.raises(NotFoundError):
        await itwins.list_graphics(platform, itwin_id, "imodels", "a").collect()
