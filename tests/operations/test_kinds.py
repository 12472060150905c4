"""The kinds of answer that an operation may have, declared on an API of the tests' own."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from aiohttp import web
from doubles import CannedServer, FakeClock, refused

from itwin_async import (
    UNSET,
    Content,
    DecodeError,
    LongRunning,
    OperationFailedError,
    RetryPolicy,
    Session,
    TransportError,
)
from itwin_async.operations import Api

ACCEPT = "application/vnd.tests.v1+json"
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"

api = Api("things", "/things", ACCEPT)


@attrs.frozen
class Progress:
    state: str | None = None


THUMBNAIL = api.content("get_thumbnail", "GET /{thing_id}/thumbnail", "Get Thumbnail")
PERMISSIONS = api.entity(
    "get_permissions",
    "GET /{thing_id}/permissions",
    "Get Permissions",
    list[str],
    key="permissions",
)
IS_LAST = api.entity("release_chunk", "POST /{thing_id}/chunk", "Release", bool, key="isLastChunk")
UPDATE = api.nothing("update", "PATCH /{thing_id}", "Update Thing")
STATUS = api.entity(
    "get_status", "GET /{thing_id}/operations/create", "Get Status", Progress, key="createOperation"
)
CLONE = api.start(
    "clone",
    "POST /{thing_id}/clone",
    "Clone Thing",
    status=STATUS,
    succeeded={"successful"},
    failed={"failed"},
)


async def test_words_of_later_operations_are_no_ids_either(canned: CannedServer) -> None:
    own = Api("own", "/own", ACCEPT)
    get = own.entity("get", "GET /{own_id}", "Get", str, key="name")
    own.nothing("clear", "DELETE /{other_id}/parts/all", "Clear")
    own.nothing("archive", "POST /Archive", "Archive")
    async with session_of(canned) as session:
        for word in ("Archive", "archive"):
            with refused("own_id"):
                await get(session, own_id=word)
        canned.script({"name": "a"})
        assert await get(session, own_id="parts") == "a"


def session_of(canned: CannedServer, clock: FakeClock | None = None) -> Session:
    clock = clock or FakeClock()
    policy = RetryPolicy(clock=clock, sleep=clock.sleep)
    return Session("t", base_url=canned.base_url, retry=policy)


def location(href: str) -> web.Response:
    return web.Response(status=202, headers={"Location": href})


def state(name: str | None) -> dict[str, Any]:
    return {"createOperation": {"state": name}}


async def test_bytes(canned: CannedServer) -> None:
    canned.script(web.Response(body=PNG, content_type="image/png"))
    async with session_of(canned) as session:
        found = await THUMBNAIL(session, query={"size": "small"}, thing_id="1")
    assert found == Content(PNG, "image/png")
    assert "PNG" not in repr(found)
    assert canned.seen[0].target == "/things/1/thumbnail?size=small"


async def test_a_plain_list(canned: CannedServer) -> None:
    canned.script({"permissions": ["read", "write"]})
    async with session_of(canned) as session:
        assert await PERMISSIONS(session, thing_id="1") == ["read", "write"]


@pytest.mark.parametrize("value", [True, False])
async def test_a_plain_value(canned: CannedServer, *, value: bool) -> None:
    canned.script({"isLastChunk": value})
    async with session_of(canned) as session:
        assert await IS_LAST(session, thing_id="1") is value


@pytest.mark.parametrize("body", [{}, {"isLastChunk": "true"}, {"isLastChunk": None}])
async def test_a_plain_value_of_another_type(canned: CannedServer, body: dict[str, Any]) -> None:
    canned.script(body)
    async with session_of(canned) as session:
        with pytest.raises(DecodeError):
            await IS_LAST(session, thing_id="1")


async def test_writes_tell_leaving_alone_from_null(canned: CannedServer) -> None:
    async with session_of(canned) as session:
        await UPDATE(session, thing_id="1", json={"name": "x", "size": UNSET, "description": None})
    assert json.loads(canned.seen[0].body) == {"name": "x", "description": None}
    assert repr(UNSET) == "UNSET"
    assert not UNSET


@pytest.mark.parametrize(
    "href",
    [
        "https://api.bentley.com/things/new-id",
        "/things/new-id",
        "/things/new-id/",
        "https://api.bentley.com/things/new-id?x=1",
    ],
)
async def test_the_id_of_what_is_made(canned: CannedServer, href: str) -> None:
    canned.script(location(href))
    async with session_of(canned) as session:
        operation = await CLONE(session, json={"name": "x"}, thing_id="1")
    assert isinstance(operation, LongRunning)
    assert operation.id == "new-id"


async def test_waiting_for_the_end(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(location("/things/2"), state("scheduled"), state("waiting"), state("successful"))
    async with session_of(canned, clock) as session:
        operation = await CLONE(session, thing_id="1")
        assert await operation.wait(poll=10) == "2"
        assert (await operation.status()).state == "successful"
    assert clock.sleeps == [10, 10]
    assert {seen.target for seen in canned.seen[1:]} == {"/things/2/operations/create"}


async def test_an_end_that_is_no_success(canned: CannedServer) -> None:
    canned.script(location("/things/2"), state("failed"))
    async with session_of(canned) as session:
        operation = await CLONE(session, thing_id="1")
        with pytest.raises(OperationFailedError) as caught:
            await operation.wait()
    assert (caught.value.id, caught.value.state) == ("2", "failed")


async def test_no_end_in_time(canned: CannedServer, clock: FakeClock) -> None:
    canned.script(location("/things/2"), state("scheduled"))
    async with session_of(canned, clock) as session:
        operation = await CLONE(session, thing_id="1")
        with pytest.raises(TransportError) as caught:
            await operation.wait(timeout=60, poll=7)
    assert caught.value.timeout
    assert sum(clock.sleeps) <= 60


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"poll": 0}, {"poll": float("nan")}])
async def test_limits_that_are_none(canned: CannedServer, limits: dict[str, float]) -> None:
    canned.script(location("/things/2"))
    async with session_of(canned) as session:
        operation = await CLONE(session, thing_id="1")
        with pytest.raises(ValueError, match=next(iter(limits))):
            await operation.wait(**limits)


@pytest.mark.parametrize("href", ["", "/", "https://api.bentley.com/"])
async def test_no_id_in_location(canned: CannedServer, href: str) -> None:
    canned.script(location(href))
    async with session_of(canned) as session:
        with pytest.raises(DecodeError):
            await CLONE(session, thing_id="1")
