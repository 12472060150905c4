"""Texts arrive as they were typed; pages by token or by number; redirects get no token."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web
from doubles import CannedServer, Reply, Seen, refused

from itwin_async import ApiError, Session, catalog, imodels, itwins
from itwin_async.catalog import Entry
from itwin_async.operations import ListOperation

ID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
TYPED = [
    "a+b & c#d % e' f",
    "100%",
    "%26",
    "+",
    "#1",
    "O'Hara & Söhne",
    "x=y;z?/\\",
    "\N{BRIDGE AT NIGHT}",
]
TEXTS = {
    "search": "$search",
    "name": "name",
    "display_name": "displayName",
    "number": "number",
    "type": "type",
    "filter": "$filter",
    "order_by": "$orderby",
    "owner_id": "ownerId",
    "class_": "class",
    "group_id": "groupId",
}
BOTH = ["briefcases", "changesets", "imodels", "locks", "named_versions", "users"]


def _entries() -> list[tuple[Entry, str]]:
    return [
        (entry, parameter.name)
        for entry in catalog.operations()
        if isinstance(entry.operation, ListOperation)
        for parameter in entry.parameters
        if parameter.name in TEXTS and str in (*_members(parameter.hint), parameter.hint)
    ]


def _members(hint: Any) -> tuple[object, ...]:
    return getattr(hint, "__args__", ())


@pytest.mark.parametrize(
    ("entry", "name"), _entries(), ids=lambda value: getattr(value, "usage", value)
)
async def test_texts_arrive_as_they_were_typed(
    canned: CannedServer, entry: Entry, name: str
) -> None:
    operation = entry.operation
    assert isinstance(operation, ListOperation)

    def respond(seen: Seen) -> Reply | dict[str, Any]:
        # The second page is what the platform makes of the first: its link has the text too.
        following = {"href": f"{canned.base_url}{seen.target}&page=2"}
        more = None if "page=2" in seen.target else following
        return {operation.key: [], "_links": {"next": more}}

    canned.respond = respond
    needed = {p.name: ID for p in entry.parameters if p.required}
    async with Session("t", base_url=canned.base_url) as session:
        for text in TYPED:
            canned.seen.clear()
            pager: Any = entry.function(session, **needed, **{name: text})
            await pager.collect()
            assert len(canned.seen) == 2
            for seen in canned.seen:
                pairs = dict(parse_qsl(urlsplit(seen.target).query, keep_blank_values=True))
                assert pairs[TEXTS[name]] == text
                assert "#" not in seen.target


@pytest.mark.parametrize("name", BOTH)
async def test_pages_by_token_or_several_by_number(canned: CannedServer, name: str) -> None:
    function = getattr(imodels, f"list_{name}")
    (entry,) = [entry for entry in catalog.operations() if entry.function is function]
    key = entry.operation.key  # type: ignore[attr-defined]

    def respond(seen: Seen) -> dict[str, Any]:
        by_token = "$continuationToken" in seen.parameters
        option = "$continuationToken" if by_token else "$skip"
        start = int(seen.parameters.get(option) or 0)
        rows = [{"id": f"{number}", "briefcaseId": number} for number in range(start, start + 2)]
        href = f"{canned.base_url}{seen.target.partition('?')[0]}?$top=2&{option}={start + 2}"
        return {key: rows, "_links": {"next": {"href": href} if start < 18 else None}}

    canned.respond = respond
    async with Session("t", base_url=canned.base_url) as session:
        one = await function(session, ID, page_size=2).collect()
        assert all("$continuationToken" in seen.parameters for seen in canned.seen)
        assert canned.most_active <= 2
        canned.seen.clear()
        several = await function(session, ID, page_size=2, concurrency=4).collect()
        assert not any("$continuationToken" in seen.parameters for seen in canned.seen)
        assert {seen.parameters.get("$skip") for seen in canned.seen} >= {"2", "8", "18"}
        assert one == several
        assert len(one) == 20
        page = await function(session, ID, page_size=2)
        canned.seen.clear()
        rest = function(session, ID, page_size=2, cursor=page.cursor, concurrency=4)
        assert [*page.items, *await rest.collect()] == one
        with refused("concurrency"):
            imodels.list_favorites(session, ID, concurrency=2)  # type: ignore[call-arg]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_gets_no_token(canned: CannedServer, status: int) -> None:
    async with CannedServer() as elsewhere:
        location = f"{elsewhere.base_url}/files/x?sig=SECRET"
        canned.script(web.Response(status=status, headers={"Location": location}))
        async with Session("a-token", base_url=canned.base_url) as session:
            calls: list[Any] = [
                itwins.get_resource(session, ID, "r", "s"),
                itwins.list_graphics(session, ID, "r", "s").collect(),
                itwins.list_global_resources(session, "r").collect(),
                session.request("GET", "/anything"),
            ]
            for call in calls:
                with pytest.raises(ApiError) as caught:
                    await call
                assert caught.value.status == status
                assert f"{elsewhere.port}/files/x" in str(caught.value)
                assert "SECRET" not in repr(caught.value) + str(caught.value)
        assert len(canned.seen) == len(calls)
        assert not elsewhere.seen
