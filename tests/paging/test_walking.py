"""What a walk asks for, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest
from doubles import Reply, refused
from lists import (
    OpenDesk,
    SkipList,
    Thing,
    book,
    ids,
    next_link,
    pager_of,
    skip_listing,
    take,
    thing_page,
    token_list,
    token_listing,
)

from itwin_async import DecodeError, PaginationError, Session

LONG = token_listing(query=(), mode="top")


async def test_token_mode_starts_with_an_empty_token(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(5))
    assert ids(await desk.things(page_size=2).collect()) == [0, 1, 2, 3, 4]
    assert desk.server.targets == [
        "/things?kind=odd&$top=2&$continuationToken=",
        "/things?kind=odd&$top=2&$continuationToken=at2",
        "/things?kind=odd&$top=2&$continuationToken=at4",
    ]


async def test_headers_go_with_every_page(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(6))
    await desk.things(page_size=2).collect()
    assert len(desk.server.seen) == 3
    for seen in desk.server.seen:
        assert seen.headers["prefer"] == "return=minimal"
        assert seen.headers["accept"] == "application/vnd.tests.v1+json"
        assert seen.headers["authorization"] == "Bearer secret"
    correlation = {seen.headers["x-correlation-id"] for seen in desk.server.seen}
    assert len(correlation) == 3


async def test_without_prefer_none_is_sent(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(1))
    await desk.things(token_listing(headers={}))
    assert "prefer" not in desk.server.seen[0].headers


async def test_skip_mode_follows_the_links_as_they_are(open_desk: OpenDesk) -> None:
    desk = await open_desk(SkipList(5))
    assert ids(await desk.things(skip_listing(), page_size=2).collect()) == [0, 1, 2, 3, 4]
    assert desk.server.targets == [
        "/things?$top=2",
        "/Things?$skip=2&$top=2",
        "/Things?$skip=4&$top=2",
    ]


async def test_next_on_the_last_page_costs_one_request_more(open_desk: OpenDesk) -> None:
    desk = await open_desk(SkipList(4, extra_next=True))
    assert ids(await desk.things(skip_listing(), page_size=2).collect()) == [0, 1, 2, 3]
    assert len(desk.server.seen) == 3


@pytest.mark.parametrize(
    "links",
    [
        None,
        {},
        {"next": None},
        {"self": {"href": "/things"}, "prev": {"href": "/things"}},
        {"self": 5, "prev": "nothing"},
    ],
)
async def test_every_form_of_no_next_link_ends_the_list(open_desk: OpenDesk, links: object) -> None:
    desk = await open_desk(book(([1, 2], links)))
    assert ids(await desk.things(LONG).collect()) == [1, 2]
    assert len(desk.server.seen) == 1


@pytest.mark.parametrize(
    "links",
    [
        [],
        "nothing",
        5,
        False,
        {"next": {}},
        {"next": {"href": None}},
        {"next": {"href": ""}},
        {"next": {"href": 5}},
        {"next": []},
        {"next": "/things"},
        {"next": False},
    ],
)
@pytest.mark.parametrize("prefetch", [0, 1])
async def test_what_is_no_link_does_not_end_the_list(
    open_desk: OpenDesk, links: object, prefetch: int
) -> None:
    desk = await open_desk(book(([0, 1], links)))
    with pytest.raises(PaginationError):
        await desk.things(LONG, prefetch=prefetch).collect()


async def test_null_links_end_the_list(open_desk: OpenDesk) -> None:
    desk = await open_desk(lambda _: Reply(b'{"things":[{"id":"1"}],"_links":null}'))
    assert ids(await desk.things(LONG).collect()) == [1]


async def test_an_empty_page_with_a_next_link_goes_on(open_desk: OpenDesk) -> None:
    pages = [([1], next_link("?p=1")), ([], next_link("?p=2")), ([], next_link("?p=3")), ([2], {})]
    desk = await open_desk(book(*pages))
    assert ids([thing async for thing in desk.things(LONG)]) == [1, 2]
    assert [len(page.items) async for page in desk.things(LONG).pages()] == [1, 0, 0, 1]
    assert len(desk.server.seen) == 8


async def test_first_skips_empty_pages_and_asks_for_no_more(open_desk: OpenDesk) -> None:
    pages = [([], next_link("?p=1")), ([7, 8], next_link("?p=2")), ([9], {})]
    desk = await open_desk(book(*pages))
    assert await desk.things(LONG).first() == Thing("7")
    assert len(desk.server.seen) == 2


async def test_first_of_an_empty_list_is_none(open_desk: OpenDesk) -> None:
    desk = await open_desk(book(([], {})))
    assert await desk.things(LONG).first() is None


@pytest.mark.parametrize(
    ("limit", "requests"), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2), (6, 3), (7, 3), (None, 3)]
)
async def test_collect_asks_for_no_more_than_it_needs(
    open_desk: OpenDesk, limit: int | None, requests: int
) -> None:
    desk = await open_desk(token_list(6))
    found = await desk.things(page_size=2).collect(limit)
    assert ids(found) == list(range(6))[:limit]
    assert len(desk.server.seen) == requests


@pytest.mark.parametrize("limit", [-1, True, 1.0, "3"])
async def test_collect_refuses_other_limits(open_desk: OpenDesk, limit: Any) -> None:
    desk = await open_desk(token_list(6))
    with refused("limit"):
        await desk.things().collect(limit)
    assert desk.server.seen == []


async def test_awaiting_fetches_the_first_page_only(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(6))
    page = await desk.things(page_size=2)
    assert ids(page.items) == [0, 1]
    assert page.next is not None
    assert page.next.endswith("=at2")
    assert page.prev is None
    assert page.self is None
    assert len(desk.server.seen) == 1


async def test_nothing_is_requested_before_it_is_used(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(6))
    pager = desk.things()
    aiter(pager)
    pager.pages()
    assert "tests.things" in repr(pager)
    assert desk.server.seen == []


async def test_each_iteration_starts_anew(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(5))
    pager = desk.things(page_size=2)
    for _ in range(3):
        assert ids([thing async for thing in pager]) == [0, 1, 2, 3, 4]
    first, second = aiter(pager), aiter(pager)
    assert (await anext(first)).id == (await anext(second)).id == "0"
    assert (await anext(first)).id == "1"


async def test_an_ended_walk_stays_ended(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(2))
    items, pages = aiter(desk.things()), desk.things().pages()
    assert len([item async for item in items]) == 2
    assert len([page async for page in pages]) == 1
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(items)
        with pytest.raises(StopAsyncIteration):
            await anext(pages)
    assert len(desk.server.seen) == 2


@pytest.mark.parametrize("prefetch", [0, 1, 3])
@pytest.mark.parametrize(
    ("route", "visited"),
    [
        ({"": "?p=1", "1": "?p=1"}, 2),
        ({"": "?p=1", "1": "?p=2", "2": "?p=1"}, 3),
        ({"": "?p=1", "1": "?p=2", "2": "?p=3", "3": "?p=2"}, 4),
        ({"": ""}, 1),
        ({"": "/things"}, 1),
        ({"": "?p=1", "1": "/things"}, 2),
    ],
)
async def test_a_loop_is_an_error(
    open_desk: OpenDesk, prefetch: int, route: dict[str, str], visited: int
) -> None:
    def respond(seen: Any) -> Reply:
        page = seen.query("p") or ""
        return thing_page([int(page or 0)], links=next_link(route[page] or seen.target))

    desk = await open_desk(respond)
    pager = desk.things(LONG, prefetch=prefetch)
    found: list[Thing] = []
    with pytest.raises(PaginationError, match="visited before") as caught:
        await take(pager, found)
    assert len(found) == visited - 1
    assert caught.value.cursor is not None
    assert caught.value.method == "GET"
    assert caught.value.request_id
    assert len(desk.server.seen) <= visited + prefetch


async def test_a_page_knows_its_own_json(open_desk: OpenDesk) -> None:
    text = b'{"things":[{"id":"1","new":{"a" : 1}}, {"id":"2"}],"total":2}'
    desk = await open_desk(lambda _: Reply(text))
    page = await desk.things(LONG)
    assert page.raw == text
    assert page.raw_items() == [b'{"id":"1","new":{"a" : 1}}', b'{"id":"2"}']
    assert text.decode() not in repr(page)


@pytest.mark.parametrize("size", [0, -1, 1001, True, "10", 1.0])
async def test_page_sizes_out_of_range(size: Any) -> None:
    with refused("page_size"):
        pager_of(Session("x"), token_listing(), page_size=size)


@pytest.mark.parametrize("size", [1, 1000])
async def test_page_sizes_at_the_edge(open_desk: OpenDesk, size: int) -> None:
    desk = await open_desk(token_list(2))
    assert len(await desk.things(page_size=size).collect()) == 2
    assert desk.server.seen[0].query("$top") == str(size)


@pytest.mark.parametrize(
    "options", [{"prefetch": -1}, {"prefetch": True}, {"concurrency": 0}, {"concurrency": "2"}]
)
async def test_other_options_out_of_range(options: dict[str, Any]) -> None:
    with refused(next(iter(options))):
        pager_of(Session("x"), skip_listing(), **options)


async def test_token_lists_are_walked_one_after_another() -> None:
    with refused("concurrency"):
        pager_of(Session("x"), token_listing(), concurrency=2)


async def test_the_address_that_a_page_gives_itself_counts_as_visited(open_desk: OpenDesk) -> None:
    def respond(seen: Any) -> Reply:
        page = int(seen.query("p") or 0)
        stem = f"http://{seen.headers['host']}/things?p="
        links = {"self": {"href": f"{stem}{page}"}, "next": {"href": f"{stem}{1 - page}"}}
        return thing_page([page], links=links)

    desk = await open_desk(respond)
    found: list[Thing] = []
    with pytest.raises(PaginationError, match="visited before"):
        await take(desk.things(LONG, prefetch=0), found)
    assert ids(found) == [0]
    assert desk.server.targets == ["/things", "/things?p=1"]


async def test_a_self_link_that_never_changes_is_no_loop(open_desk: OpenDesk) -> None:
    def respond(seen: Any) -> Reply:
        page = int(seen.query("p") or 0)
        following = {"href": f"?p={page + 1}"} if page < 3 else None
        return thing_page([page], links={"self": {"href": "/things"}, "next": following})

    desk = await open_desk(respond)
    assert ids(await desk.things(LONG).collect()) == [0, 1, 2, 3]


@pytest.mark.parametrize("prefetch", [0, 1, 3])
async def test_a_page_that_cannot_be_read(open_desk: OpenDesk, prefetch: int) -> None:
    whole, broken = token_list(6), True

    def respond(seen: Any) -> Any:
        if broken and seen.query("$continuationToken") == "at2":
            return thing_page([2], links=next_link("?p=9"), things=[{"id": "2"}, {"id": 3}])
        return whole(seen)

    desk = await open_desk(respond)
    walk = aiter(desk.things(page_size=2, prefetch=prefetch))
    found: list[Thing] = []
    with pytest.raises(DecodeError) as caught:
        await take(walk, found)
    error = caught.value
    assert ids(found) == [0, 1]
    assert error.json_path == "$.things[1].id"
    assert (error.status, error.method, error.path) == (200, "GET", "/things")
    assert error.request_id == desk.server.seen[1].headers["x-correlation-id"]
    assert error.cursor == walk.cursor
    broken = False
    assert ids([thing async for thing in walk]) == [2, 3, 4, 5]
    assert ids(await desk.things(cursor=error.cursor).collect()) == [2, 3, 4, 5]
