"""Pages that are on their way while the caller works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from doubles import CannedServer, Reply, Seen, refusal, settle, until
from lists import (
    NO_RETRY,
    OpenDesk,
    Thing,
    book,
    ids,
    next_link,
    pager_of,
    take,
    thing_page,
    token_list,
    token_listing,
)

from itwin_async import Converter, ITwinError, PaginationError, ServerError, Session

LONG = token_listing(query=(), mode="top")


@contextmanager
def server_in_thread(respond: Callable[[Seen], Reply]) -> Iterator[CannedServer]:
    ready, server = threading.Event(), CannedServer(respond)
    ended: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        end = asyncio.Event()
        async with server:
            ended.append((asyncio.get_running_loop(), end))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait(60)
    try:
        yield server
    finally:
        loop, end = ended[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(60)


async def test_the_next_request_leaves_before_the_items_are_decoded() -> None:
    arrived = {number: threading.Event() for number in (1, 2, 3)}

    def respond(seen: Seen) -> Reply:
        page = int(seen.query("p") or 0)
        if page in arrived:
            arrived[page].set()
        return thing_page([page], links=next_link(f"?p={page + 1}" if page < 3 else None))

    converter, early = Converter(), list[bool]()

    def decode(value: Any, _: object) -> Thing:
        following = arrived.get(int(value["id"]) + 1)
        early.append(following is None or following.wait(60))
        return Thing(value["id"])

    converter.register_structure_hook(Thing, decode)
    with server_in_thread(respond) as server:
        async with Session("secret", base_url=server.base_url, converter=converter) as session:
            assert ids(await pager_of(session, LONG).collect()) == [0, 1, 2, 3]
    assert early == [True] * 4


@pytest.mark.parametrize("prefetch", [1, 2, 5])
async def test_never_more_ahead_than_allowed(open_desk: OpenDesk, prefetch: int) -> None:
    desk = await open_desk(token_list(40))
    walk = desk.things(page_size=2, prefetch=prefetch).pages()
    for page in range(6):
        await anext(walk)
        await until(lambda page=page: len(desk.server.seen) == page + 1 + prefetch)
        await settle(50)
        assert len(desk.server.seen) == page + 1 + prefetch
    await walk.aclose()


async def test_items_are_walked_with_prefetch_too(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(6))
    walk = aiter(desk.things(page_size=2))
    await anext(walk)
    await until(lambda: len(desk.server.seen) == 2)
    assert ids([thing async for thing in walk]) == [1, 2, 3, 4, 5]
    assert len(desk.server.seen) == 3


async def test_zero_turns_it_off(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(8))
    walk = desk.things(page_size=2, prefetch=0).pages()
    for page in range(4):
        await anext(walk)
        await settle(50)
        await asyncio.sleep(0.005)
        assert len(desk.server.seen) == page + 1


async def test_links_before_the_items_are_prefetched_once_known(open_desk: OpenDesk) -> None:
    def respond(seen: Seen) -> Reply:
        if seen.query("p"):
            return Reply(b'{"_links":{},"things":[{"id":"2","_links":{}}]}')
        return Reply(
            b'{"_links":{"next":{"href":"?p=1"}},"things":[{"id":"1","_links":{"next":null}}]}'
        )

    desk = await open_desk(respond)
    walk = desk.things(LONG).pages()
    assert ids((await anext(walk)).items) == [1]
    await until(lambda: len(desk.server.seen) == 2)
    assert [ids(page.items) async for page in walk] == [[2]]
    assert len(desk.server.seen) == 2


async def test_members_that_look_like_links_mislead_nobody(open_desk: OpenDesk) -> None:
    bodies = [
        b'{"things":[{"id":"1","_links":{"next":{"href":"?p=7"}}}]}',
        b'{"things":[{"id":"1"}],"other":{"_links":{"next":{"href":"?p=7"}}}}',
        b'{"things":[{"id":"1"}],"note":"\\"_links\\":{\\"next\\":{\\"href\\":\\"?p=7\\"}}"}',
        b'{"things":[{"id":"1"}],"_links":{"next":{"href":"?p=7"}},"_links":{}}',
        b'{"_links":{},"things":[{"id":"1"}],"z":"_links"}',
    ]
    for body in bodies:
        desk = await open_desk(lambda _, body=body: Reply(body))
        assert ids(await desk.things(LONG).collect()) == [1]
        assert len(desk.server.seen) == 1


@pytest.mark.parametrize("prefetch", [0, 1, 3])
async def test_a_failure_ahead_shows_at_its_turn(open_desk: OpenDesk, prefetch: int) -> None:
    whole = token_list(8)

    def respond(seen: Seen) -> Reply:
        if seen.query("$continuationToken") == "at4" and broken:
            return refusal(500)
        return whole(seen)  # type: ignore[return-value]

    broken = True
    desk = await open_desk(respond)
    walk = aiter(desk.things(page_size=2, prefetch=prefetch))
    found: list[Thing] = []
    with pytest.raises(ServerError) as caught:
        await take(walk, found)
    assert ids(found) == [0, 1, 2, 3]
    assert caught.value.cursor == walk.cursor
    broken = False
    rest = await desk.things(cursor=caught.value.cursor).collect()
    assert ids(rest) == [4, 5, 6, 7]
    assert ids([thing async for thing in walk]) == [4, 5, 6, 7]  # so can the same walk


async def test_a_bad_link_ahead_shows_after_its_page_is_refused(open_desk: OpenDesk) -> None:
    desk = await open_desk(book(([1], next_link("?p=1")), ([2], next_link("http://evil.example/"))))
    walk = aiter(desk.things(LONG, prefetch=3))
    assert (await anext(walk)).id == "1"
    for _ in range(2):
        with pytest.raises(PaginationError) as caught:
            await anext(walk)
        assert caught.value.cursor == walk.cursor


async def test_an_async_token_is_asked_for_every_page() -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return f"secret{asked}"

    async with (
        CannedServer(token_list(6)) as server,
        Session(token, base_url=server.base_url, retry=NO_RETRY) as session,
    ):
        found = await pager_of(session, token_listing(), page_size=2).collect()
    assert ids(found) == [0, 1, 2, 3, 4, 5]
    sent = {seen.headers["authorization"] for seen in server.seen}
    assert sent == {"Bearer secret1", "Bearer secret2", "Bearer secret3"}


async def test_two_consumers_of_one_walk_are_refused(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(6))
    walk = aiter(desk.things(page_size=2))
    results = await asyncio.gather(anext(walk), anext(walk), return_exceptions=True)
    things = [result for result in results if isinstance(result, Thing)]
    errors = [result for result in results if isinstance(result, ITwinError)]
    assert ids(things) == [0]
    assert len(errors) == 1
    assert "another task" in str(errors[0])
    assert ids([thing async for thing in walk]) == [1, 2, 3, 4, 5]
