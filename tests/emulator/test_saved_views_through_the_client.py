"""Saved views, groups, extensions and pictures, as users of the client meet them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from caller import Caller

from itwin_async import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    Session,
    saved_views,
)
from itwin_async.emulator import Emulator
from itwin_async.saved_views import Extension, SavedViewData

PNG = b"\x89PNG\r\n\x1a\n\x00\xff."
VIEW_3D = {
    "origin": [1.5, 0, -3],
    "extents": [10, 10, 10],
    "angles": {"yaw": None, "pitch": 12.5},
    "camera": {"lens": 90, "focusDist": 1, "eye": [0, 0, 0]},
    "categories": {"enabled": ["0x1"], "disabled": None},
    "displayStyle": {"mapImagery": {"url": "https://a.b/?x=1&y='<\">'"}, "dotted.key": 1},
}
VIEW_2D = {"baseModelId": "0x1", "origin": [0, 0], "delta": [1, 1], "angle": 0, "scale": 2.5}
KINDS = {
    "3d": SavedViewData(itwin3d_view=VIEW_3D),
    "sheet": SavedViewData(itwin_sheet_view=VIEW_2D),
    "drawing": SavedViewData(itwin_drawing_view=VIEW_2D),
}
DATA = KINDS["sheet"]


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[Session]:
    async with Session(emulator.token, base_url=emulator.base_url) as client:
        yield client


@pytest.fixture
async def ana(emulator: Emulator) -> AsyncIterator[Session]:
    async with Session(emulator.token_for("ana"), base_url=emulator.base_url) as client:
        yield client


@pytest.fixture
def imodel_id(emulator: Emulator, itwin_id: str) -> str:
    return emulator.state.imodels_of(itwin_id)[0].id


@pytest.mark.parametrize("kind", KINDS)
async def test_life_of_a_view(
    client: Session, emulator: Emulator, itwin_id: str, imodel_id: str, kind: str
) -> None:
    emulator.clock.freeze()
    tag = await saved_views.create_tag(client, "Night", itwin_id=itwin_id)
    group = await saved_views.create_group(client, itwin_id, "Reviews", imodel_id=imodel_id)
    made = await saved_views.create_saved_view(
        client,
        itwin_id.upper(),
        "Pier",
        KINDS[kind],
        imodel_id=imodel_id,
        group_id=group.id,
        tag_ids=[tag.id, tag.id],
        extensions=[Extension("EmphasizeElements", {"a": ["x.y"]}, markdown_url="https://m.m")],
    )
    assert made.saved_view_data == KINDS[kind]
    assert [(one.id, one.display_name) for one in made.tags or ()] == [(tag.id, "Night")]
    assert made.extensions is not None
    assert made.extensions[0].data == {"a": ["x.y"]}
    assert made.extensions[0].markdown_url == "https://m.m"
    assert (made.shared, made.creation_time) == (False, made.last_modified)
    assert await saved_views.get_saved_view(client, made.id) == made
    minimal = await saved_views.get_saved_view(client, made.id, full=False)
    assert minimal.saved_view_data == KINDS[kind]
    assert minimal.extensions is not None
    assert minimal.extensions[0].data is None
    assert minimal.extensions[0].href == f"{_here(emulator, made)}/extensions/EmphasizeElements"

    emulator.clock.advance(60)
    changed = await saved_views.update_saved_view(
        client, made.id, display_name="Quay", group_id=None, tag_ids=[], shared=True
    )
    assert (changed.display_name, changed.shared, changed.tags) == ("Quay", True, [])
    assert changed.links is not None
    assert changed.links.group is None
    assert changed.last_modified is not None
    assert made.creation_time is not None
    assert (changed.last_modified - made.creation_time).total_seconds() == 60
    assert changed.saved_view_data == made.saved_view_data
    other = await saved_views.update_saved_view(client, made.id, saved_view_data=DATA)
    assert other.saved_view_data == DATA
    await saved_views.delete_saved_view(client, made.id)
    with pytest.raises(NotFoundError) as caught:
        await saved_views.get_saved_view(client, made.id)
    assert caught.value.code == "SavedViewNotFound"


def _here(emulator: Emulator, view: saved_views.SavedViewSummary) -> str:
    return f"{emulator.base_url}/savedviews/{view.id}"


async def test_ids_name_the_resource_the_itwin_and_the_imodel(
    emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    lengths = {None: 44, imodel_id: 66}
    for imodel, length in lengths.items():
        view = emulator.add_saved_view(itwin_id, "a", imodel=imodel)
        raw = base64.urlsafe_b64decode(view.id + "=" * (-len(view.id) % 4))
        assert (len(view.id), raw[0]) == (length, 0)
        # As the platform writes them: the first three groups with their bytes in reverse.
        digits = bytes.fromhex(itwin_id.replace("-", ""))
        assert raw[17:33] == digits[3::-1] + digits[5:3:-1] + digits[7:5:-1] + digits[8:]


async def test_links_lead_to_what_they_name(
    client: Session, call: Caller, emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    group = emulator.add_saved_view_group(itwin_id, "Reviews", imodel=imodel_id)
    emulator.add_saved_view(
        itwin_id, "a", imodel=imodel_id, group=group, image=PNG, extensions={"B/C d": {}}
    )
    view = (await saved_views.list_saved_views(client, itwin_id=itwin_id).full().collect())[0]
    shown = await saved_views.get_group(client, group.id)
    assert view.links is not None
    assert shown.links is not None
    assert view.extensions is not None
    assert view.extensions[0].links is not None
    minimal = await saved_views.list_extensions(client, view.id).collect()
    own = [view.links.itwin, view.links.imodel, view.links.group, view.links.image]
    links = [
        *own,
        view.links.thumbnail,
        shown.links.saved_views,
        view.extensions[0].links.saved_view,
    ]
    for link in links:
        assert link is not None
        assert (await call("GET", link.href)).status == 200
    assert minimal[0].href is not None
    found = await call("GET", minimal[0].href)
    assert found.json["extension"]["extensionName"] == "B/C d"


async def test_lists(client: Session, emulator: Emulator, itwin_id: str, imodel_id: str) -> None:
    other = list(emulator.state.itwins)[1]
    group = emulator.add_saved_view_group(itwin_id, "Reviews")
    for number in range(7):
        name = f"view {6 - number}"
        emulator.add_saved_view(
            itwin_id,
            name,
            imodel=imodel_id if number % 2 else None,
            group=group if number < 3 else None,
        )
    emulator.add_saved_view(other, "elsewhere")

    async def names(**options: Any) -> list[str | None]:
        listed = saved_views.list_saved_views(client, **options)
        return [view.display_name for view in await listed.collect()]

    everything = [f"view {number}" for number in range(7)]
    assert await names(itwin_id=itwin_id) == everything
    assert await names(itwin_id=itwin_id, page_size=2) == everything
    assert await names(itwin_id=itwin_id, page_size=2, concurrency=3) == everything
    assert await names(itwin_id=itwin_id, imodel_id=imodel_id) == ["view 1", "view 3", "view 5"]
    assert await names(group_id=group.id) == ["view 4", "view 5", "view 6"]
    assert await names(itwin_id=itwin_id, imodel_id=imodel_id, group_id=group.id) == ["view 5"]
    assert await names(itwin_id=other, group_id=group.id) == []
    with pytest.raises(NotFoundError) as caught:
        await names(group_id="unknown")
    assert caught.value.code == "GroupNotFound"
    with pytest.raises(PermissionDeniedError):
        await names(itwin_id="00000000-0000-4000-8000-000000000000")
    full = (
        await saved_views.list_saved_views(client, itwin_id=itwin_id, page_size=3).full().collect()
    )
    assert [view.display_name for view in full] == everything
    assert all(view.saved_view_data for view in full)


async def test_links_of_pages_are_as_the_platform_writes_them(call: Caller, itwin_id: str) -> None:
    for number in range(3):
        body = {"iTwinId": itwin_id, "displayName": f"v{number}"}
        body["savedViewData"] = {"itwinSheetView": VIEW_2D}
        await call("POST", "/savedviews/", json=body)
    page = await call("GET", f"/savedviews/?$skip=1&$top=1&iTwinId={itwin_id}")
    start = f"{call.base_url}/savedviews?iTwinId={itwin_id}&$top=1"
    assert {name: link["href"] for name, link in page.json["_links"].items()} == {
        "self": start,
        "prev": f"{start}&$skip=0",
        "next": f"{start}&$skip=2",
    }
    assert "savedViewData" not in page.json["savedViews"][0]


@pytest.mark.parametrize("query", ["", "?iModelId=x", "?groupId=g&iModelId=x", "?iTwinId="])
async def test_a_list_needs_an_itwin_or_a_group(call: Caller, query: str) -> None:
    assert (await call("GET", f"/savedviews{query}")).status == 422


Refused = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "target"),
    [
        (lambda body: body.pop("savedViewData"), "savedViewData"),
        (lambda body: body.pop("displayName"), "displayName"),
        (lambda body: body.update(savedViewData={}), "savedViewData"),
        (lambda body: body["savedViewData"].update(itwinDrawingView=VIEW_2D), "savedViewData"),
        (lambda body: body["savedViewData"].update(legacyView={}), "savedViewData"),
        (lambda body: body["savedViewData"]["itwinSheetView"].pop("delta"), "savedViewData"),
        (lambda body: body["savedViewData"]["itwinSheetView"].update(origin=[1]), "savedViewData"),
        (
            lambda body: body["savedViewData"]["itwinSheetView"].update(new=[{"a": "."}]),
            "savedViewData",
        ),
        (lambda body: body.update(displayName="a&b"), "displayName"),
        (lambda body: body.update(tagIds=["a.b"]), "tagIds"),
        (lambda body: body.update(extensions=[{"extensionName": "a"}]), "extensions"),
        (lambda body: body.update(shared="yes"), "shared"),
    ],
)
async def test_bodies_that_the_platform_refuses(
    call: Caller, emulator: Emulator, itwin_id: str, change: Refused, target: str
) -> None:
    body: dict[str, Any] = {"iTwinId": itwin_id, "displayName": "a", "savedViewData": {}}
    body["savedViewData"] = {"itwinSheetView": dict(VIEW_2D)}
    change(body)
    reply = await call("POST", "/savedviews", json=body)
    error = reply.json["error"]
    assert (reply.status, error["message"]) == (422, "Cannot create savedview.")
    assert [detail["target"] for detail in error["details"]] == [target]
    listed = await call("GET", f"/savedviews?iTwinId={itwin_id}")
    assert listed.json["savedViews"] == []


async def test_a_body_that_is_nested_too_deep(call: Caller, itwin_id: str) -> None:
    for depth in (300, 3000, 100_000):
        view = json.dumps(VIEW_2D)[:-1] + ', "new": ' + "[" * depth + "]" * depth + "}"
        start = f'{{"iTwinId": "{itwin_id}", "displayName": "a", "savedViewData": '
        body = f'{start}{{"itwinSheetView": {view}}}}}'
        headers = {"Content-Type": "application/json"}
        reply = await call("POST", "/savedviews", data=body, headers=headers)
        assert reply.status in ({201, 422} if depth == 300 else {422})


async def test_groups(client: Session, ana: Session, emulator: Emulator, itwin_id: str) -> None:
    group = await saved_views.create_group(client, itwin_id, "Mine", read_only=True)
    assert (group.shared, group.read_only) == (False, True)
    assert await saved_views.list_groups(client, itwin_id=itwin_id).collect() == [group]
    assert await saved_views.list_groups(ana, itwin_id=itwin_id).collect() == []
    with pytest.raises(NotFoundError):
        await saved_views.get_group(ana, group.id)
    shared = await saved_views.update_group(client, group.id, shared=True, display_name="Ours")
    assert shared == await saved_views.get_group(ana, group.id)
    with pytest.raises(PermissionDeniedError):
        await saved_views.update_group(ana, group.id, display_name="Hers")
    with pytest.raises(PermissionDeniedError):
        await saved_views.delete_group(ana, group.id)
    view = await saved_views.create_saved_view(client, itwin_id, "a", DATA, group_id=group.id)
    await saved_views.delete_group(client, group.id)
    kept = await saved_views.get_saved_view(client, view.id)
    assert kept.links is not None
    assert kept.links.group is None
    with pytest.raises(NotFoundError) as caught:
        await saved_views.get_group(client, group.id)
    assert caught.value.code == "GroupNotFound"


async def test_a_tag_in_use_cannot_be_deleted(client: Session, ana: Session, itwin_id: str) -> None:
    tag = await saved_views.create_tag(client, "Night", itwin_id=itwin_id)
    view = await saved_views.create_saved_view(ana, itwin_id, "hers alone", DATA, tag_ids=[tag.id])
    with pytest.raises(InvalidRequestError):
        await saved_views.delete_tag(client, tag.id)
    await saved_views.update_tag(client, tag.id, display_name="Day")
    renamed = await saved_views.get_saved_view(ana, view.id)
    assert [one.display_name for one in renamed.tags or ()] == ["Day"]
    await saved_views.update_saved_view(ana, view.id, tag_ids=[])
    await saved_views.delete_tag(client, tag.id)


async def test_a_patch_changes_no_id(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    tag = emulator.add_tag(itwin_id, "Night")
    view = emulator.add_saved_view(itwin_id, "a")
    for path, own in ((f"tags/{tag.id}", "tag"), (view.id, "savedView")):
        body = {"displayName": "b", "id": "other", "creatorId": "x", "iTwinId": "y"}
        reply = await call("PATCH", f"/savedviews/{path}", json=body)
        assert (reply.json[own]["id"], reply.json[own]["displayName"]) == (path.split("/")[-1], "b")
        again = await call("GET", f"/savedviews/{path}")
        assert again.status == 200


async def test_groups_and_tags_of_another_itwin(
    client: Session, emulator: Emulator, itwin_id: str
) -> None:
    other = list(emulator.state.itwins)[1]
    group, tag = emulator.add_saved_view_group(other, "g"), emulator.add_tag(other, "t")
    for options in (
        {"group_id": group.id},
        {"group_id": "unknown"},
        {"tag_ids": [tag.id]},
        {"tag_ids": ["unknown"]},
    ):
        with pytest.raises(NotFoundError):
            await saved_views.create_saved_view(client, itwin_id, "a", DATA, **options)  # type: ignore[arg-type]
    assert await saved_views.list_saved_views(client, itwin_id=itwin_id).collect() == []


async def test_what_others_see_and_change(
    client: Session, ana: Session, emulator: Emulator, itwin_id: str
) -> None:
    view = await saved_views.create_saved_view(client, itwin_id, "a", DATA)
    with pytest.raises(NotFoundError):
        await saved_views.get_saved_view(ana, view.id)
    assert await saved_views.list_saved_views(ana, itwin_id=itwin_id).collect() == []
    await saved_views.update_saved_view(client, view.id, shared=True)
    assert (await saved_views.get_saved_view(ana, view.id)).display_name == "a"
    changes = [
        lambda: saved_views.update_saved_view(ana, view.id, display_name="b"),
        lambda: saved_views.update_image(ana, view.id, PNG),
        lambda: saved_views.create_extension(ana, view.id, "E", {}),
        lambda: saved_views.delete_extension(ana, view.id, "E"),
        lambda: saved_views.delete_saved_view(ana, view.id),
    ]
    await saved_views.create_extension(client, view.id, "E", {})
    for change in changes:
        with pytest.raises(PermissionDeniedError):
            await change()
    emulator.manage_saved_views("ana", itwin_id)
    for change in changes:
        await change()
    emulator.deny("ana", itwin_id)
    with pytest.raises(PermissionDeniedError):
        await saved_views.create_saved_view(ana, itwin_id, "c", DATA)


async def test_legacy_views_cannot_be_changed(
    client: Session, emulator: Emulator, itwin_id: str
) -> None:
    view = emulator.add_saved_view(itwin_id, "old", legacy=True, extensions={"E": {"a": 1}})
    shown = await saved_views.get_saved_view(client, view.id)
    assert shown.saved_view_data is not None
    assert shown.saved_view_data.legacy_view == {}
    for change in (
        saved_views.update_saved_view(client, view.id, display_name="b"),
        saved_views.update_image(client, view.id, PNG),
        saved_views.create_extension(client, view.id, "E", {}),
        saved_views.delete_extension(client, view.id, "E"),
        saved_views.delete_saved_view(client, view.id),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            await change
        assert [detail.code for detail in caught.value.details] == ["InvalidChange"]
    assert await saved_views.get_saved_view(client, view.id) == shown


async def test_extensions(client: Session, emulator: Emulator, itwin_id: str) -> None:
    view = emulator.add_saved_view(itwin_id, "a")
    assert await saved_views.list_extensions(client, view.id).collect() == []
    made = await saved_views.create_extension(client, view.id, "EmphasizeÜ", {"rgb": ["<.>", 1]})
    assert made.data == {"rgb": ["<.>", 1]}
    assert await saved_views.get_extension(client, view.id, "EmphasizeÜ") == made
    await saved_views.create_extension(client, view.id, "EmphasizeÜ", "no JSON")
    listed = await saved_views.list_extensions(client, view.id).collect()
    assert [one.extension_name for one in listed] == ["EmphasizeÜ"]
    whole = await saved_views.get_saved_view(client, view.id)
    assert [one.data for one in whole.extensions or ()] == ["no JSON"]
    await saved_views.delete_extension(client, view.id, "EmphasizeÜ")
    for gone in ("EmphasizeÜ", "emphasizeü"):
        with pytest.raises(NotFoundError) as caught:
            await saved_views.get_extension(client, view.id, gone)
        assert caught.value.code == "ExtensionNotFound"


async def test_data_of_extensions_is_text_alone_and_json_in_a_view(
    call: Caller, emulator: Emulator, itwin_id: str
) -> None:
    view = emulator.add_saved_view(itwin_id, "a", extensions={"E": {"a": 1}})
    alone = await call("GET", f"/savedviews/{view.id}/extensions/E")
    assert alone.json["extension"]["data"] == '{"a":1}'
    inside = await call("GET", f"/savedviews/{view.id}", full=True)
    assert inside.json["savedView"]["extensions"][0]["data"] == {"a": 1}
    listed = await call("GET", f"/savedviews/{view.id}/extensions")
    assert set(listed.json) == {"extensions"}


async def test_pictures(client: Session, emulator: Emulator, itwin_id: str) -> None:
    view = emulator.add_saved_view(itwin_id, "a")
    with pytest.raises(NotFoundError) as caught:
        await saved_views.get_image(client, view.id)
    assert caught.value.code == "ImageNotFound"
    await saved_views.update_image(client, view.id, PNG)
    large = b"\xff\xd8\xff" + bytes(5 * 1024 * 1024 - 3)
    for picture, kind in ((PNG, "image/png"), (large, "image/jpeg")):
        await saved_views.update_image(client, view.id, picture)
        for size in ("thumbnail", "full"):
            href = await saved_views.get_image(client, view.id, size=size)  # type: ignore[arg-type]
            async with aiohttp.ClientSession() as plain, plain.get(href) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert await answer.read() == picture
    await saved_views.delete_saved_view(client, view.id)
    async with aiohttp.ClientSession() as plain, plain.get(href) as answer:
        assert answer.status == 404


async def test_pictures_as_data_urls(itwin_id: str) -> None:
    async with (
        Emulator(data_url_images=True) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as client,
    ):
        view = emulator.add_saved_view(itwin_id, "a", image=PNG)
        found = saved_views.image_bytes(await saved_views.get_image(client, view.id, size="full"))
        assert (found.body, found.content_type) == (PNG, "image/png")


@pytest.mark.parametrize(
    "image", ["", "AAAA", "data:image/png;base64,A", "data:text/html;base64,AAAA", 5]
)
async def test_pictures_that_are_none(
    call: Caller, emulator: Emulator, itwin_id: str, image: object
) -> None:
    view = emulator.add_saved_view(itwin_id, "a")
    reply = await call("PUT", f"/savedviews/{view.id}/image", json={"image": image})
    if isinstance(image, str):
        detail = {"code": "InvalidRequestBody", "message": "image must be a base64Image."}
        assert reply.json["error"] == {
            "code": "InvalidSavedviewsRequest",
            "message": "Cannot update savedview.",
            "details": [{**detail, "target": "image"}],
        }
    assert reply.status == 422


async def test_worlds_keep_views_and_their_parts(
    client: Session, emulator: Emulator, itwin_id: str, imodel_id: str
) -> None:
    group, tag = emulator.add_saved_view_group(itwin_id, "g"), emulator.add_tag(itwin_id, "t")
    view = emulator.add_saved_view(
        itwin_id,
        "a",
        imodel=imodel_id,
        group=group,
        tags=[tag],
        extensions={"E": {"a": 1}},
        image=PNG,
    )
    kept, saved = emulator.snapshot(), emulator.export()
    before = await saved_views.get_saved_view(client, view.id)

    async def is_as_before() -> None:
        assert await saved_views.get_saved_view(client, view.id) == before
        href = await saved_views.get_image(client, view.id)
        async with aiohttp.ClientSession() as plain, plain.get(href) as answer:
            assert await answer.read() == PNG

    await saved_views.update_image(client, view.id, PNG + b"other")
    await saved_views.delete_extension(client, view.id, "E")
    emulator.restore(kept)
    await is_as_before()
    emulator.reset()
    with pytest.raises(NotFoundError):
        await saved_views.get_saved_view(client, view.id)
    async with (
        Emulator(itwins=0) as other,
        Session(other.token, base_url=other.base_url) as stranger,
    ):
        other.load(saved)
        assert (await saved_views.get_saved_view(stranger, view.id)).tags == before.tags
        assert json.loads(json.dumps(other.export()))["belongings"] == saved["belongings"]
    emulator.restore(kept)
    emulator.remove_imodel(imodel_id)
    with pytest.raises(NotFoundError):
        await saved_views.get_saved_view(client, view.id)
    emulator.restore(kept)
    emulator.remove_itwin(itwin_id)
    assert (
        "SavedView" not in emulator.export()["belongings"]
        or not emulator.export()["belongings"]["SavedView"]
    )  # type: ignore[index, operator, call-overload]


def test_equal_seeds_give_equal_ids() -> None:
    ids = []
    for _ in range(2):
        emulator = Emulator(seed=5)
        itwin_id = next(iter(emulator.state.itwins))
        ids.append(emulator.add_saved_view(itwin_id, "a").id)
    assert ids[0] == ids[1]


def test_controls_refuse_what_cannot_be(itwin_id: str) -> None:
    emulator = Emulator()
    for options in ({"imodel": itwin_id}, {"group": "g"}, {"tags": ["t"]}):
        with pytest.raises(KeyError):
            emulator.add_saved_view(itwin_id, "a", **options)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        emulator.add_saved_view("unknown", "a")
    for name, options in (("a.b", {}), ("a", {"data": {}}), ("a", {"image": b"GIF89a"})):
        with pytest.raises(ValueError, match=r"\w"):
            emulator.add_saved_view(itwin_id, name, **options)  # type: ignore[arg-type]
    assert emulator.export().get("belongings") == {}
