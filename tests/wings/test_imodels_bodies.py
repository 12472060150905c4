"""Answers of the iModels API as the platform gave or documents them, through the functions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from doubles import CannedServer
from faithful import faithful

from itwin_async import ApiError, Session, imodels, to_dict

BODIES = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in (Path(__file__).parent / "bodies" / "imodels").glob("*.json")
}
ID = "9c1f1a5e-9a55-4d38-8d6e-3f4a0f9b1c22"

LISTS: dict[str, Callable[[Session], Any]] = {
    "im-list-full": lambda s: imodels.list_imodels(s, ID).full(),
    "briefcases-summaries": lambda s: imodels.list_briefcases(s, ID),
    "briefcases-full": lambda s: imodels.list_briefcases(s, ID).full(),
    "changesets-summaries": lambda s: imodels.list_changesets(s, ID),
    "changesets-full": lambda s: imodels.list_changesets(s, ID).full(),
    "extended-data": lambda s: imodels.list_extended_data(s, ID),
    "changeset-groups": lambda s: imodels.list_changeset_groups(s, ID),
    "named-versions-summaries": lambda s: imodels.list_named_versions(s, ID),
    "named-versions-full": lambda s: imodels.list_named_versions(s, ID).full(),
    "users-summaries": lambda s: imodels.list_users(s, ID),
    "users-full": lambda s: imodels.list_users(s, ID).full(),
    "locks": lambda s: imodels.list_locks(s, ID),
    "released-locks": lambda s: imodels.list_released_locks(s, ID, 1),
}
ENTITIES: dict[str, Callable[[Session], Awaitable[Any]]] = {
    "im-create-upload-null": lambda s: imodels.create_imodel(s, ID, "123"),
    "im-get-no-fraction-date": lambda s: imodels.get_imodel(s, ID),
}
ERRORS = {
    "im-422-itwinid": 422,
    "im-422-create-three-details": 422,
    "any-401-unwrapped": 401,
    "any-error-unknown-member": 446,
}


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


@pytest.mark.parametrize("name", ENTITIES)
async def test_entities(canned: CannedServer, name: str) -> None:
    (body,) = BODIES[name].values()
    canned.script(BODIES[name])
    async with Session("t", base_url=canned.base_url) as session:
        found = await ENTITIES[name](session)
    assert list(faithful(body, to_dict(found))) == []


@pytest.mark.parametrize("name", ERRORS)
async def test_errors(canned: CannedServer, name: str) -> None:
    body = json.dumps(BODIES[name]).encode()
    canned.script(web.Response(status=ERRORS[name], body=body, content_type="application/json"))
    async with Session("t", base_url=canned.base_url) as session:
        with pytest.raises(ApiError) as caught:
            await imodels.get_imodel(session, ID)
    assert caught.value.status == ERRORS[name]
    details = BODIES[name].get("error", {}).get("details", [])
    assert [(one.code, one.target) for one in caught.value.details] == [
        (one["code"], one.get("target")) for one in details
    ]
