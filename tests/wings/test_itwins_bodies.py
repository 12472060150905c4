"""Answers of the iTwins and Saved Views APIs, as the platform gave them, through the functions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from doubles import CannedServer
from faithful import faithful
from sent import GUID

from itwin_async import ApiError, Session, itwins, saved_views, to_dict

BODIES = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for wing in ("itwins", "saved_views")
    for file in (Path(__file__).parent / "bodies" / wing).glob("*.json")
}

LISTS: dict[str, Callable[[Session], Any]] = {
    "it-recents-full": lambda s: itwins.list_recents(s).full(),
    "sv-groups": lambda s: saved_views.list_groups(s, itwin_id=GUID),
    "sv-groups-no-links-placeholder": lambda s: saved_views.list_groups(s, itwin_id=GUID),
    "sv-list-empty-no-links": lambda s: saved_views.list_saved_views(s, itwin_id=GUID),
    "sv-list-full-self-only": lambda s: saved_views.list_saved_views(s, itwin_id=GUID).full(),
}
ENTITIES: dict[str, Callable[[Session], Awaitable[Any]]] = {
    "it-repository-create-no-name": lambda s: itwins.create_repository(
        s, GUID, class_="GeographicInformationSystem", uri="https://example.com/gis-repo"
    ),
    "sv-get-full": lambda s: saved_views.get_saved_view(s, GUID),
    "sv-get-escaped-url": lambda s: saved_views.get_saved_view(s, GUID, full=False),
}
ERRORS: dict[str, tuple[int, Callable[[Session], Awaitable[Any]]]] = {
    "it-404": (404, lambda s: itwins.get_itwin(s, GUID)),
    "it-422-repository-subclass": (
        422,
        lambda s: itwins.create_repository(s, GUID, class_="Subsurface", uri="u"),
    ),
    "sv-422-image": (
        422,
        lambda s: saved_views.update_image(s, GUID, b"\x89PNG\r\n\x1a\n"),
    ),
    "sv-422-legacy": (422, lambda s: saved_views.delete_saved_view(s, GUID)),
}


def unescaped(body: object) -> Any:
    text = json.dumps(body)
    for escape, character in {"++dot++": ".", "++and++": "&"}.items():
        text = text.replace(escape, character)
    return json.loads(text)


def test_no_body_is_left_out() -> None:
    assert BODIES.keys() == LISTS.keys() | ENTITIES.keys() | ERRORS.keys()


@pytest.mark.parametrize("name", LISTS)
async def test_lists(canned: CannedServer, name: str) -> None:
    body = BODIES[name]
    canned.script(body)
    async with Session("t", base_url=canned.base_url, rewrite_links=True) as session:
        page = await LISTS[name](session)
    (key,) = body.keys() - {"_links"}
    assert list(faithful(body[key], [to_dict(item) for item in page.items])) == []
    assert json.loads(page.raw) == body
    assert page.links.next is None


@pytest.mark.parametrize("name", ENTITIES)
async def test_entities(canned: CannedServer, name: str) -> None:
    (body,) = BODIES[name].values()
    canned.script(BODIES[name])
    async with Session("t", base_url=canned.base_url) as session:
        found = await ENTITIES[name](session)
    assert list(faithful(unescaped(body), to_dict(found))) == []


@pytest.mark.parametrize("name", ERRORS)
async def test_errors(canned: CannedServer, name: str) -> None:
    status, act = ERRORS[name]
    body = json.dumps(BODIES[name]).encode()
    canned.script(web.Response(status=status, body=body, content_type="application/json"))
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ApiError) as caught:
            await act(session)
    error = BODIES[name]["error"]
    assert (caught.value.status, caught.value.code) == (status, error["code"])
    assert [(one.code, one.target) for one in caught.value.details] == [
        (one["code"], one.get("target")) for one in error.get("details", [])
    ]


async def test_an_empty_answer_to_a_deletion(canned: CannedServer) -> None:
    canned.script(web.Response(status=200))
    async with Session("t", base_url=canned.base_url) as session:
        await saved_views.delete_saved_view(session, GUID)
