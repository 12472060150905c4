"""Saved views: what is listed, sent, escaped, and refused before any request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from doubles import CannedServer
from sent import GUID, query_of, session_of

from itwin_async import ArgumentError, Session, from_dict, saved_views, to_dict
from itwin_async.saved_views import Extension, SavedViewData

CLOSED = Session("secret")
VIEW = "APQ2-Qw9T0e1nS8rVbYxLpZdNv7DGPQORQpkxmyDyE1ERZS7bsqUkWEmr9ZGmC5T_2"
PLAIN = {"url": "https://a.b/?x=1&y='<\">'", "n": 1.5, "deep": [{"s.t": "."}, None, True, [["&"]]]}
ESCAPED = {
    "url": "https://a++dot++b/?x=1++and++y=++sqt++++lst++++dqt++++gtr++++sqt++",
    "n": 1.5,
    "deep": [{"s.t": "++dot++"}, None, True, [["++and++"]]],
}
KINDS = {
    "itwin3d_view": "itwin3dView",
    "itwin_sheet_view": "itwinSheetView",
    "itwin_drawing_view": "itwinDrawingView",
}


async def test_what_is_listed(canned: CannedServer) -> None:
    canned.script({"savedViews": []})
    async with session_of(canned) as session:
        await saved_views.list_saved_views(session, itwin_id=GUID, imodel_id=GUID, page_size=5)
        await saved_views.list_saved_views(session, group_id="a+b&c").full()
    assert [query_of(seen) for seen in canned.seen] == [
        {"iTwinId": GUID, "iModelId": GUID, "$top": "5"},
        {"groupId": "a+b&c"},
    ]
    wanted = [seen.headers["Prefer"] for seen in canned.seen]
    assert wanted == ["return=minimal", "return=representation"]


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({}, "itwin_id"),
        ({"imodel_id": GUID}, "imodel_id"),
        ({"imodel_id": GUID, "group_id": "g"}, "imodel_id"),
        ({"itwin_id": "x"}, "itwin_id"),
        ({"itwin_id": GUID, "imodel_id": "x"}, "imodel_id"),
        ({"group_id": ""}, "group_id"),
    ],
)
def test_lists_that_cannot_be(options: dict[str, Any], argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        saved_views.list_saved_views(CLOSED, **options)
    assert caught.value.argument == argument


async def test_pages_at_once(canned: CannedServer) -> None:
    async def respond(seen: Any) -> Any:
        skip = int(query_of(seen).get("$skip", 0))
        href = f"{canned.base_url}/savedviews?groupId=g&$top=1&$skip={skip + 1}"
        links = {"next": {"href": href}} if skip < 5 else {}
        return {"savedViews": [{"id": str(skip)}] if skip < 5 else [], "_links": links}

    canned.respond = respond
    async with session_of(canned) as session:
        listed = saved_views.list_saved_views(session, group_id="g", page_size=1, concurrency=3)
        assert [view.id for view in await listed.collect()] == list("01234")


@pytest.mark.parametrize("kind", KINDS)
async def test_views_of_every_kind_are_escaped_and_read_back(
    canned: CannedServer, kind: str
) -> None:
    answer = {"id": VIEW, "savedViewData": {KINDS[kind]: ESCAPED}}
    canned.script({"savedView": answer})
    data = SavedViewData(**{kind: PLAIN})  # type: ignore[arg-type]
    async with session_of(canned) as session:
        made = await saved_views.create_saved_view(session, GUID, "Pier", data)
        await saved_views.update_saved_view(session, VIEW, saved_view_data=made.saved_view_data)
        got = [
            await saved_views.get_saved_view(session, VIEW),
            await saved_views.get_saved_view(session, VIEW, full=False),
        ]
    assert made.saved_view_data == data
    assert got == [made, made]
    assert json.loads(canned.seen[0].body) == {
        "iTwinId": GUID,
        "displayName": "Pier",
        "savedViewData": {KINDS[kind]: ESCAPED},
    }
    assert json.loads(canned.seen[1].body) == {"savedViewData": {KINDS[kind]: ESCAPED}}
    wanted = [seen.headers.get("Prefer") for seen in canned.seen]
    assert wanted == [None, None, "return=representation", None]
    assert from_dict(saved_views.SavedView, to_dict(made)) == made


async def test_all_members_of_a_new_view(canned: CannedServer) -> None:
    canned.script({"savedView": {"id": VIEW}})
    extensions = [
        Extension("EmphasizeElements", {"a": ["é.", None]}),
        Extension("B", '{"as": "it is"}', markdown_url="m", schema_url="s"),
    ]
    async with session_of(canned) as session:
        await saved_views.create_saved_view(
            session,
            GUID,
            "Pier",
            SavedViewData(itwin3d_view={}),
            imodel_id=GUID,
            group_id="g",
            shared=False,
            tag_ids=("t",),
            extensions=iter(extensions),
        )
    sent = json.loads(canned.seen[0].body)
    found = sent.pop("extensions")
    assert sent == {
        "iTwinId": GUID,
        "iModelId": GUID,
        "displayName": "Pier",
        "savedViewData": {"itwin3dView": {}},
        "groupId": "g",
        "shared": False,
        "tagIds": ["t"],
    }
    assert [json.loads(one["data"]) for one in found] == [{"a": ["é.", None]}, {"as": "it is"}]
    assert found[1].keys() == {"extensionName", "data", "markdownUrl", "schemaUrl"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"display_name": "a.b"}, "display_name"),
    ({"display_name": ""}, "display_name"),
    ({"saved_view_data": SavedViewData()}, "saved_view_data"),
    ({"saved_view_data": SavedViewData({}, {})}, "saved_view_data"),
    ({"saved_view_data": SavedViewData({}, legacy_view={})}, "saved_view_data"),
    ({"saved_view_data": SavedViewData(legacy_view={})}, "saved_view_data"),
    ({"saved_view_data": {"itwin3dView": {}}}, "saved_view_data"),
    ({"group_id": ""}, "group_id"),
    ({"shared": 1}, "shared"),
    ({"tag_ids": "tag"}, "tag_ids"),
    ({"tag_ids": [5]}, "tag_ids"),
]


@pytest.mark.parametrize(("members", "argument"), REFUSED)
async def test_members_that_cannot_be(members: dict[str, Any], argument: str) -> None:
    given = {"display_name": "n", "saved_view_data": SavedViewData({}), **members}
    with pytest.raises(ArgumentError) as caught:
        await saved_views.create_saved_view(CLOSED, GUID, **given)
    assert caught.value.argument == argument
    with pytest.raises(ArgumentError) as caught:
        await saved_views.update_saved_view(CLOSED, VIEW, **members)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    "extension",
    ["EmphasizeElements", Extension("", {}), Extension("E"), Extension("E", {"a": float("nan")})],
)
async def test_extensions_that_cannot_be(extension: Any) -> None:
    with pytest.raises(ArgumentError):
        await saved_views.create_saved_view(
            CLOSED, GUID, "n", SavedViewData({}), extensions=[extension]
        )


async def test_what_is_changed_and_what_is_left(canned: CannedServer) -> None:
    canned.script({"savedView": {"id": VIEW}})
    async with session_of(canned) as session:
        await saved_views.update_saved_view(session, VIEW, group_id=None, tag_ids=[])
        with pytest.raises(ArgumentError):
            await saved_views.update_saved_view(session, VIEW)
    assert json.loads(canned.seen[0].body) == {"groupId": None, "tagIds": []}
    assert len(canned.seen) == 1


async def test_members_that_are_null_absent_or_unknown(canned: CannedServer) -> None:
    names = ["displayName", "shared", "creationTime", "lastModified", "tags", "extensions"]
    nulls = dict.fromkeys([*names, "_links", "savedViewData"])
    odd = {"savedViewData": {"itwin5dView": {}, "itwin3dView": None}, "new": [1]}
    canned.script({"savedViews": [{"id": "1", **nulls}, {"id": "2"}, {"id": "3", **odd}]})
    async with session_of(canned) as session:
        listed = saved_views.list_saved_views(session, itwin_id=GUID)
        assert await listed.collect() == [saved_views.SavedViewSummary(name) for name in "123"]
        one, two, three = await listed.full().collect()
    assert (one, two) == (saved_views.SavedView("1"), saved_views.SavedView("2"))
    assert three.saved_view_data == SavedViewData()
