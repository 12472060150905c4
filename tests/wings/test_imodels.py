"""iModels: what is sent, what is refused, and how new ones come to be."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from doubles import CannedServer, FakeClock, refused

from itwin_async import (
    Content,
    DecodeError,
    OperationFailedError,
    RetryPolicy,
    Session,
    imodels,
)

ID = "9c1f1a5e-9a55-4d38-8d6e-3f4a0f9b1c22"
ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
LAST = "3b9f6f0f0d1c4c2f8e7a6b5c4d3e2f1a0b9c8d7e"
MADE = {"iModel": {"id": ID, "state": "notInitialized"}}
EXTENT = imodels.Extent(imodels.Point(46.1, 7.6), imodels.Point(46.3, 7.8))
CLOSED = Session("secret")  # whatever would send a request fails otherwise


async def test_every_filter(canned: CannedServer) -> None:
    canned.script({"iModels": []})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.list_imodels(
            session,
            ITWIN,
            search="A+B & C#1 100% d'Or",
            name="x=y?",
            state="initialized",
            order_by=["name desc", "createdDateTime"],
            page_size=5,
        )
        assert canned.seen[-1].parameters == {
            "iTwinId": ITWIN,
            "$search": "A+B & C#1 100% d'Or",
            "name": "x=y?",
            "state": "initialized",
            "$orderBy": "name desc,createdDateTime",
            "$top": "5",
            "$continuationToken": "",
        }
        await imodels.list_imodels(session, ITWIN, order_by="name")
        assert canned.seen[-1].parameters["$orderBy"] == "name"
    assert all(seen.headers["Prefer"] == "return=minimal" for seen in canned.seen)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("search", ""),
        ("search", 5),
        ("name", "x" * 256),
        ("state", "started"),
        ("order_by", "size"),
        ("order_by", "name down"),
        ("order_by", []),
        ("order_by", ["name", "size"]),
        ("order_by", 5),
    ],
)
def test_filters_that_are_none(argument: str, value: Any) -> None:
    with refused(argument):
        imodels.list_imodels(CLOSED, ITWIN, **{argument: value})


async def test_an_update_sends_what_changes(canned: CannedServer) -> None:
    canned.script(MADE)
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.update_imodel(session, ID, description=None)
        assert canned.seen[-1].json == {"description": None}
        await imodels.update_imodel(session, ID, name="N", description="", extent=EXTENT)
        assert canned.seen[-1].json == {
            "name": "N",
            "description": "",
            "extent": {
                "southWest": {"latitude": 46.1, "longitude": 7.6},
                "northEast": {"latitude": 46.3, "longitude": 7.8},
            },
        }
        await imodels.update_imodel(session, ID, extent=None)
        assert canned.seen[-1].json == {"extent": None}


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", None),
        ("name", " "),
        ("name", "x" * 256),
        ("description", "x" * 256),
        ("description", "\ud800"),
        ("extent", {"southWest": {}}),
        ("extent", imodels.Extent(imodels.Point(-90.1, 0), imodels.Point(0, 0))),
        ("extent", imodels.Extent(imodels.Point(0, 0), imodels.Point(0, 180.5))),
        ("extent", imodels.Extent(imodels.Point(float("nan"), 0), imodels.Point(0, 0))),
    ],
)
async def test_updates_that_are_none(argument: str, value: Any) -> None:
    with refused(argument):
        await imodels.update_imodel(CLOSED, ID, **{argument: value})


async def test_an_update_changes_something() -> None:
    with refused("name"):
        await imodels.update_imodel(CLOSED, ID)


async def test_an_empty_imodel(canned: CannedServer) -> None:
    canned.script(MADE)
    async with Session("t", base_url=canned.base_url) as session:
        made = await imodels.create_imodel(session, ITWIN, "N")
        assert (made.id, made.state) == (ID, "notInitialized")
        assert canned.seen[-1].json == {"iTwinId": ITWIN, "name": "N", "creationMode": "empty"}
        await imodels.create_imodel(
            session,
            ITWIN,
            "N",
            description="d",
            extent=EXTENT,
            containers_enabled=3,
            horizontal_crs_id="EPSG:25832",
        )
    body = canned.seen[-1].json
    assert body["geographicCoordinateSystem"] == {"horizontalCRSId": "EPSG:25832"}
    assert (body["containersEnabled"], body["description"]) == (3, "d")
    assert body["extent"]["northEast"] == {"latitude": 46.3, "longitude": 7.8}


async def test_an_imodel_from_another(canned: CannedServer) -> None:
    canned.script(MADE)
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.create_imodel(session, ITWIN, "N", template_imodel_id=ID)
        assert canned.seen[-1].json["creationMode"] == "fromiModelVersion"
        assert canned.seen[-1].json["template"] == {"iModelId": ID}
        await imodels.create_imodel(
            session, ITWIN, "N", template_imodel_id=ID, template_changeset_id=LAST
        )
        assert canned.seen[-1].json["template"] == {"iModelId": ID, "changesetId": LAST}


async def test_an_imodel_from_a_file(canned: CannedServer) -> None:
    links = {
        "upload": {"href": "https://store.example.net/b?sig=hidden", "storageType": "azure"},
        "complete": {"href": f"https://api.bentley.com/imodels/{ID}/baselinefile"},
    }
    canned.script({"iModel": {**MADE["iModel"], "_links": links}})
    async with Session("t", base_url=canned.base_url) as session:
        made = await imodels.create_imodel(session, ITWIN, "N", baseline_file_size=4096)
        assert canned.seen[-1].json["creationMode"] == "fromBaseline"
        assert canned.seen[-1].json["baselineFile"] == {"size": 4096}
        assert made.links is not None
        assert made.links.upload is not None
        assert made.links.upload.href == "https://store.example.net/b?sig=hidden"
        assert "hidden" not in repr(made)
        canned.script({"baselineFile": {"id": "1", "state": "initializationScheduled"}})
        file = await imodels.complete_baseline_file(session, ID)
        assert (canned.seen[-1].body, file.state) == (b"{}", "initializationScheduled")


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"template_imodel_id": ID, "baseline_file_size": 5}, "baseline_file_size"),
        ({"template_changeset_id": LAST}, "template_changeset_id"),
        ({"template_imodel_id": ID, "template_changeset_id": "5"}, "template_changeset_id"),
        ({"template_imodel_id": "mine"}, "template_imodel_id"),
        ({"baseline_file_size": 0}, "baseline_file_size"),
        ({"containers_enabled": -1}, "containers_enabled"),
        ({"horizontal_crs_id": ""}, "horizontal_crs_id"),
    ],
)
async def test_creations_that_cannot_be(options: dict[str, Any], argument: str) -> None:
    with refused(argument):
        await imodels.create_imodel(CLOSED, ITWIN, "N", **options)


@pytest.mark.parametrize("copy", [imodels.clone, imodels.fork])
async def test_a_copy(canned: CannedServer, clock: FakeClock, copy: Any) -> None:
    place = web.Response(status=202, headers={"Location": f"{canned.base_url}/imodels/{ID}"})
    states = [
        {"createOperation": {"state": state, "clonedFrom": {"iModelId": "1", "changesetId": ""}}}
        for state in ("scheduled", "waitingForFile", "successful")
    ]
    canned.script(place, *states)
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    async with Session("t", base_url=canned.base_url, retry=policy) as session:
        operation = await copy(session, ITWIN, ITWIN, name="N", changeset_index=0)
        assert canned.seen[-1].json == {"iTwinId": ITWIN, "name": "N", "changesetIndex": 0}
        assert await operation.wait(poll=3) == ID
        status = await operation.status()
    assert clock.sleeps == [3, 3]
    assert status.cloned_from == imodels.CopyOrigin("1", "")
    assert canned.seen[-1].target == f"/imodels/{ID}/operations/create"


async def test_what_a_copy_takes(canned: CannedServer) -> None:
    canned.script(web.Response(status=202, headers={"Location": f"/imodels/{ID}"}))
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.clone(session, ID, ITWIN, changeset_id="", containers_enabled=0)
        assert canned.seen[-1].json == {"iTwinId": ITWIN, "changesetId": "", "containersEnabled": 0}
        await imodels.fork(session, ID, ITWIN, changeset_id=LAST, preserve_history=False)
        assert canned.seen[-1].json == {
            "iTwinId": ITWIN,
            "changesetId": LAST,
            "preserveHistory": False,
        }
    with refused("changeset_index"):
        await imodels.clone(CLOSED, ID, ITWIN, changeset_id="", changeset_index=0)
    with refused("changeset_id"):
        await imodels.fork(CLOSED, ID, ITWIN, changeset_id="7")


@pytest.mark.parametrize("state", ["failed", "mainIModelIsMissingFederationGuids"])
async def test_a_creation_is_taken_up_and_fails(canned: CannedServer, state: str) -> None:
    canned.script({"createOperation": {"state": state}})
    async with Session("t", base_url=canned.base_url) as session:
        creation = imodels.creation(session, ID)
        assert canned.seen == []
        with pytest.raises(OperationFailedError) as caught:
            await creation.wait()
    assert (caught.value.id, caught.value.state) == (ID, state)


@pytest.mark.parametrize("size", ["small", "large"])
async def test_a_thumbnail(canned: CannedServer, size: Any) -> None:
    canned.script(web.Response(body=b"\x89PNG", headers={"Content-Type": "Image/PNG"}))
    async with Session("t", base_url=canned.base_url) as session:
        found = await imodels.get_thumbnail(session, ID, size=size)
    assert (found.body, canned.seen[-1].parameters) == (b"\x89PNG", {"size": size})
    with refused("size"):
        await imodels.get_thumbnail(CLOSED, ID, size="huge")  # type: ignore[arg-type]


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/json"])
async def test_a_thumbnail_is_a_picture(canned: CannedServer, content_type: str) -> None:
    canned.script(web.Response(body=b"{}", headers={"Content-Type": content_type}))
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(DecodeError) as caught:
            await imodels.get_thumbnail(session, ID)
    assert caught.value.path == f"/imodels/{ID}/thumbnail"


PNG, JPEG = b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff\xd8\xff\xe0"


@pytest.mark.parametrize(
    ("image", "content_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (Content(PNG), "image/png"),
        (Content(JPEG, "image/jpeg"), "image/jpeg"),
    ],
)
async def test_a_picture_is_sent(canned: CannedServer, image: Any, content_type: str) -> None:
    canned.script(201)
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.upload_thumbnail(session, ID, image)
    (seen,) = canned.seen
    body = image if isinstance(image, bytes) else image.body
    assert (seen.body, seen.headers["Content-Type"]) == (body, content_type)


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"GIF89a",
        Content(PNG, "image/jpeg"),
        Content(PNG, "image/webp"),
        Content(b"<svg/>", "image/png"),
        PNG + b"\0" * 5 * 1024 * 1024,
        "picture.png",
        None,
    ],
    ids=lambda image: repr(image)[:30],
)
async def test_pictures_that_are_none(image: Any) -> None:
    with refused("image"):
        await imodels.upload_thumbnail(CLOSED, ID, image)
