"""Briefcases, changesets and what hangs on them: what is sent, read and refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from doubles import CannedServer, refused

from itwin_async import DecodeError, NotFoundError, Session, imodels

ID = "9c1f1a5e-9a55-4d38-8d6e-3f4a0f9b1c22"
FIRST = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
LAST = "3b9f6f0f0d1c4c2f8e7a6b5c4d3e2f1a0b9c8d7e"
CLOSED = Session("secret")  # whatever would send a request fails otherwise
CHANGESET = {"changeset": {"id": LAST, "index": 2}}


async def test_briefcases(canned: CannedServer) -> None:
    canned.script({"briefcases": []})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.list_briefcases(
            session, ID, owner_id="me", order_by="acquiredDateTime desc", page_size=3
        ).full()
        assert canned.seen[-1].parameters == {
            "ownerId": "me",
            "$orderBy": "acquiredDateTime desc",
            "$top": "3",
            "$continuationToken": "",
        }
        assert canned.seen[-1].headers["Prefer"] == "return=representation"
        canned.script({"briefcase": {"id": "2", "briefcaseId": 2}})
        await imodels.acquire_briefcase(session, ID)
        assert canned.seen[-1].body == b""
        found = await imodels.acquire_briefcase(session, ID, device_name="WS-17")
        assert canned.seen[-1].json == {"deviceName": "WS-17"}
        for number in (found.briefcase_id, found.id):
            assert number is not None
            await imodels.get_briefcase(session, ID, number)
            assert canned.seen[-1].target == f"/imodels/{ID}/briefcases/2"
    with refused("owner_id"):
        imodels.list_briefcases(CLOSED, ID, owner_id="")
    with refused("briefcase_id"):
        await imodels.release_briefcase(CLOSED, ID, -1)
    with refused("device_name"):
        await imodels.acquire_briefcase(CLOSED, ID, device_name=" ")


async def test_a_range_of_changesets(canned: CannedServer) -> None:
    canned.script({"changesets": []})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.list_changesets(
            session, ID, after_index=0, last_index=7, order_by="index desc"
        )
    (seen,) = canned.seen
    assert seen.parameters == {
        "afterIndex": "0",
        "lastIndex": "7",
        "$orderBy": "index desc",
        "$continuationToken": "",
    }
    for name in ("after_index", "last_index"):
        for value in (-1, "5", True, 1.0):
            with refused(name):
                imodels.list_changesets(CLOSED, ID, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("changeset", "segment"), [(2, "2"), ("2", "2"), (LAST, LAST), (0, "0")])
async def test_changesets_go_by_id_and_by_index(
    canned: CannedServer, changeset: str | int, segment: str
) -> None:
    canned.script(CHANGESET, {"checkpoint": {"state": "successful"}}, {"extendedData": {}})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.get_changeset(session, ID, changeset)
        await imodels.get_changeset_checkpoint(session, ID, changeset)
        await imodels.get_extended_data(session, ID, changeset)
    changesets = f"/imodels/{ID}/changesets/{segment}"
    assert [seen.target for seen in canned.seen] == [
        changesets,
        f"{changesets}/checkpoint",
        f"{changesets}/extendeddata",
    ]
    for bad in (-1, True, 1.5, None, [], "a/b"):
        with refused("changeset"):
            await imodels.get_changeset(CLOSED, ID, bad)  # type: ignore[arg-type]


async def test_a_changeset_is_pushed(canned: CannedServer) -> None:
    upload = {"href": "https://store.example.net/c?sig=hidden", "storageType": "azure"}
    canned.script({"changeset": {"id": LAST, "_links": {"upload": upload, "download": None}}})
    async with Session("t", base_url=canned.base_url) as session:
        made = await imodels.create_changeset(session, ID, LAST, briefcase_id=2, file_size=9)
        assert canned.seen[-1].json == {"id": LAST, "briefcaseId": 2, "fileSize": 9}
        assert made.links is not None
        assert made.links.upload == imodels.StorageLink(upload["href"], "azure")
        assert "hidden" not in repr(made)
        run = imodels.SynchronizationInfo("task", ["a.dgn"])
        await imodels.create_changeset(
            session,
            ID,
            LAST,
            briefcase_id=2,
            file_size=9,
            parent_id=FIRST,
            description="d",
            containing_changes=imodels.ContainingChanges.SPATIAL_DATA | 2,
            synchronization_info=run,
            group_id="g",
        )
        assert canned.seen[-1].json == {
            "id": LAST,
            "briefcaseId": 2,
            "fileSize": 9,
            "parentId": FIRST,
            "description": "d",
            "containingChanges": 6,
            "synchronizationInfo": {"taskId": "task", "changedFiles": ["a.dgn"]},
            "groupId": "g",
        }
        await imodels.complete_changeset(session, ID, LAST, briefcase_id=2)
    assert canned.seen[-1].json == {"state": "fileUploaded", "briefcaseId": 2}
    assert canned.seen[-1].method == "PATCH"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("changeset_id", "5"),
        ("changeset_id", LAST + "0"),
        ("changeset_id", None),
        ("briefcase_id", 0),
        ("briefcase_id", "2"),
        ("file_size", 0),
        ("file_size", 1.0),
        ("parent_id", "5"),
        ("description", "x" * 256),
        ("containing_changes", 1 | 4),
        ("containing_changes", 64 | 32),
        ("containing_changes", -1),
        ("synchronization_info", {"taskId": "1"}),
        ("synchronization_info.task_id", imodels.SynchronizationInfo()),
        ("synchronization_info.changed_files", imodels.SynchronizationInfo("1", [])),
        ("synchronization_info.changed_files", imodels.SynchronizationInfo("1", [""])),
        ("group_id", ""),
    ],
)
async def test_changesets_that_cannot_be(argument: str, value: Any) -> None:
    options = {"changeset_id": LAST, "briefcase_id": 2, "file_size": 9}
    with refused(argument):
        await imodels.create_changeset(CLOSED, ID, **{**options, argument.partition(".")[0]: value})


@pytest.mark.parametrize("bits", [0, 1, 64, 65, 62, 128])
async def test_kinds_of_changes(canned: CannedServer, bits: int) -> None:
    canned.script(CHANGESET)
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.create_changeset(
            session, ID, LAST, briefcase_id=2, file_size=9, containing_changes=bits
        )
    assert canned.seen[-1].json["containingChanges"] == bits


async def test_checkpoints_keep_their_keys(canned: CannedServer) -> None:
    access = {
        "baseUrl": "https://store.example.net",
        "storage": "container",
        "baseDirectory": "abc",
        "storageType": "azure",
        "azure": {"sasToken": "sig=hidden"},
        "google": {"authorization": "Bearer hidden"},
    }
    download = {"href": "https://store.example.net/x?sig=hidden", "storageType": "azure"}
    canned.script(
        {
            "checkpoint": {
                "changesetId": LAST,
                "changesetIndex": 2,
                "size": 7,
                "state": "successful",
                "dbName": "db",
                "directoryAccessInfo": access,
                "containerAccessInfo": {"anything": 1},
                "_links": {"download": download},
            }
        }
    )
    async with Session("t", base_url=canned.base_url) as session:
        found = await imodels.get_latest_checkpoint(session, ID)
        assert canned.seen[-1].target == f"/imodels/{ID}/briefcases/checkpoint"
        assert await imodels.update_named_version_checkpoint(session, ID, "v") == found
        assert (canned.seen[-1].method, canned.seen[-1].body) == ("PUT", b"")
    directory = found.directory_access_info
    assert directory is not None
    assert directory.azure == imodels.AzureAccess("sig=hidden")
    assert directory.google == imodels.GoogleAccess("Bearer hidden")
    assert found.links is not None
    assert found.links.download == imodels.StorageLink(download["href"], "azure")
    assert "hidden" not in repr(found)


async def test_extended_data_there_and_back(canned: CannedServer) -> None:
    data = {"source": "tést", "numbers": [1, None]}
    text = base64.b64encode(json.dumps(data).encode()).decode()
    canned.script({"extendedData": {"changesetIndex": 2, "data": text}})
    async with Session("t", base_url=canned.base_url) as session:
        made = await imodels.create_extended_data(session, ID, 2, data)
    assert json.loads(base64.b64decode(canned.seen[-1].json["data"])) == data
    assert made.decoded() == data
    assert imodels.ChangesetExtendedData().decoded() is None


@pytest.mark.parametrize("text", ["%", "abc", "Z", base64.b64encode(b"{").decode(), "é"])
def test_extended_data_of_others(text: str) -> None:
    with pytest.raises(DecodeError):
        imodels.ChangesetExtendedData(data=text).decoded()


@pytest.mark.parametrize(
    "data", [None, "text", [1], {"x": object()}, {"x": float("nan")}, {"x": "y" * 153_600}]
)
async def test_extended_data_that_cannot_be(data: Any) -> None:
    with refused("data"):
        await imodels.create_extended_data(CLOSED, ID, 2, data)


async def test_changeset_groups(canned: CannedServer) -> None:
    canned.script({"changesetGroup": {"id": "g", "state": "inProgress"}})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.create_changeset_group(session, ID, "nightly")
        assert canned.seen[-1].json == {"description": "nightly"}
        await imodels.close_changeset_group(session, ID, "g")
        assert canned.seen[-1].json == {"state": "completed"}
    with refused("description"):
        await imodels.create_changeset_group(CLOSED, ID, "")


async def test_named_versions(canned: CannedServer) -> None:
    canned.script({"namedVersions": []})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.list_named_versions(
            session,
            ID,
            search="50% & more #1 + a'b",
            name="v 1",
            state="hidden",
            order_by=("changesetIndex desc", "createdDateTime"),
        )
        assert canned.seen[-1].parameters == {
            "$search": "50% & more #1 + a'b",
            "name": "v 1",
            "state": "hidden",
            "$orderBy": "changesetIndex desc,createdDateTime",
            "$continuationToken": "",
        }
        canned.script({"namedVersion": {"id": "v"}})
        await imodels.create_named_version(session, ID, "N", description="", changeset_id=LAST)
        assert canned.seen[-1].json == {"name": "N", "description": "", "changesetId": LAST}
        await imodels.create_named_version(session, ID, "N")
        assert canned.seen[-1].json == {"name": "N"}
        await imodels.update_named_version(session, ID, "v", state="hidden", description=None)
        assert canned.seen[-1].json == {"state": "hidden", "description": None}
    with refused("name"):
        await imodels.update_named_version(CLOSED, ID, "v")
    with refused("state"):
        await imodels.update_named_version(CLOSED, ID, "v", state=None)  # type: ignore[arg-type]
    with refused("changeset_id"):
        await imodels.create_named_version(CLOSED, ID, "N", changeset_id="")
    for argument in ("state", "order_by", "search"):
        with refused(argument):
            imodels.list_named_versions(CLOSED, ID, **{argument: ""})  # type: ignore[arg-type]


async def test_users_and_permissions(canned: CannedServer) -> None:
    canned.script({"users": []})
    async with Session("t", base_url=canned.base_url) as session:
        await imodels.list_users(session, ID, order_by=["surname", "givenName desc"])
        assert canned.seen[-1].parameters["$orderBy"] == "surname,givenName desc"
        canned.script({"permissions": ["imodels_webview", "of_the_future"]})
        assert await imodels.get_permissions(session, ID) == ["imodels_webview", "of_the_future"]
        canned.script({"permissions": []})
        assert await imodels.get_permissions(session, ID) == []
        canned.script(404)
        with pytest.raises(NotFoundError):
            await imodels.get_user(session, ID, "u")
    with refused("order_by"):
        imodels.list_users(CLOSED, ID, order_by="email")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make", [imodels.list_extended_data, imodels.list_changeset_groups, imodels.list_users]
)
async def test_tokens_are_asked_for_only_where_they_are_sure(
    canned: CannedServer, make: Any
) -> None:
    key = {"list_extended_data": "extendedData", "list_changeset_groups": "changesetGroups"}
    canned.script({key.get(make.__name__, "users"): []})
    async with Session("t", base_url=canned.base_url) as session:
        await make(session, ID)
    assert ("$continuationToken" in canned.seen[-1].parameters) == (make is imodels.list_users)
