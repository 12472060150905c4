"""Several pages of a ``$skip`` list under way at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from doubles import CannedServer, Reply, Seen, refusal, until
from hypothesis import given, settings
from hypothesis import strategies as st
from lists import NO_RETRY, OpenDesk, SkipList, Thing, ids, pager_of, skip_listing, take

from itwin_async import ServerError, Session


def skips(server: CannedServer) -> list[int]:
    return [int(seen.query("$skip") or 0) for seen in server.seen]


async def test_pages_are_under_way_at_once(open_desk: OpenDesk) -> None:
    inner, gate, waiting = SkipList(20), asyncio.Event(), 0

    async def respond(seen: Seen) -> Reply:
        nonlocal waiting
        if seen.query("$skip"):
            waiting += 1
            await gate.wait()
        return inner(seen)

    desk = await open_desk(respond)
    walk = desk.things(skip_listing(), page_size=2, concurrency=4).pages()
    assert ids((await anext(walk)).items) == [0, 1]
    await until(lambda: waiting == 4)
    assert skips(desk.server) == [0, 2, 4, 6, 8]
    gate.set()
    assert [ids(page.items) async for page in walk] == [[n, n + 1] for n in range(2, 20, 2)]


async def test_slow_pages_keep_their_order(open_desk: OpenDesk) -> None:
    inner, done = SkipList(12), list[int]()
    events = {skip: asyncio.Event() for skip in range(0, 20, 2)}

    async def respond(seen: Seen) -> Reply:
        skip = int(seen.query("$skip") or 0)
        if skip in {2, 6}:  # each waits for the page behind it
            await events[skip + 2].wait()
        events[skip].set()
        done.append(skip)
        return inner(seen)

    desk = await open_desk(respond)
    found = await desk.things(skip_listing(), page_size=2, concurrency=4).collect()
    assert ids(found) == list(range(12))
    assert done.index(4) < done.index(2)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 25),
    size=st.integers(1, 6),
    cap=st.integers(1, 6),
    concurrency=st.integers(1, 6),
    extra=st.booleans(),
    stop=st.integers(0, 25),
)
def test_as_if_one_after_another(
    length: int,
    size: int,
    cap: int,
    concurrency: int,
    extra: bool,
    stop: int,
) -> None:
    async def main() -> None:
        rows = SkipList(length, cap=cap, extra_next=extra)
        async with (
            CannedServer(rows) as server,
            Session("secret", base_url=server.base_url, retry=NO_RETRY) as session,
        ):
            options: dict[str, Any] = {"page_size": size, "concurrency": concurrency}
            walk = aiter(pager_of(session, skip_listing(), **options))
            found = [thing async for _, thing in azip(range(stop), walk)]
            cursor = walk.cursor
            await walk.aclose()
            rest = await pager_of(session, skip_listing(), cursor=cursor, concurrency=3).collect()
            assert ids(found + rest) == list(range(length))

    asyncio.run(main())


async def azip(numbers: range, walk: Any) -> Any:
    for number in numbers:
        thing = await anext(walk, None)
        if thing is None:
            return
        yield number, thing


@pytest.mark.parametrize("cap", [1000, 3])
async def test_how_many_requests_it_takes(open_desk: OpenDesk, cap: int) -> None:
    desk = await open_desk(SkipList(30, cap=cap))
    found = await desk.things(skip_listing(), page_size=3, concurrency=4).collect()
    assert ids(found) == list(range(30))
    assert len(set(desk.server.targets)) == len(desk.server.targets)
    assert 10 <= len(desk.server.seen) <= 10 + 4


async def test_a_server_that_caps_the_pages_wastes_no_requests(open_desk: OpenDesk) -> None:
    desk = await open_desk(SkipList(40, cap=4))
    found = await desk.things(skip_listing(), page_size=10, concurrency=3).collect()
    assert ids(found) == list(range(40))
    assert len(desk.server.seen) <= 10 + 3


async def test_the_first_page_goes_alone_and_may_be_the_only_one(open_desk: OpenDesk) -> None:
    desk = await open_desk(SkipList(3))
    found = await desk.things(skip_listing(), page_size=3, concurrency=8).collect()
    assert ids(found) == [0, 1, 2]
    assert len(desk.server.seen) == 1


@pytest.mark.parametrize("change", ["shrinks", "grows"])
async def test_a_list_that_changes_ends_all_the_same(open_desk: OpenDesk, change: str) -> None:
    rows = SkipList(20)
    desk = await open_desk(rows)
    found: list[Thing] = []
    async for page in desk.things(skip_listing(), page_size=2, concurrency=3).pages():
        found.extend(page.items)
        if len(found) == 6:
            if change == "shrinks":
                del rows.rows[9:]
            else:
                rows.rows.extend(range(20, 31))
    assert ids(found) == sorted(set(ids(found)))
    if change == "grows":
        assert ids(found) == list(range(31))
    else:
        assert set(range(9)) <= set(ids(found)) <= set(range(20))


async def test_links_that_jump_are_followed_not_the_guess(open_desk: OpenDesk) -> None:
    follows = {0: 2, 2: 4, 4: 10, 10: 12, 12: 14}

    def respond(seen: Seen) -> Reply:
        skip = int(seen.query("$skip") or 0)
        following = follows.get(skip)
        link = f',"_links":{{"next":{{"href":"?$skip={following}"}}}}' if following else ""
        return Reply(f'{{"things":[{{"id":"{skip}"}}]{link}}}'.encode())

    desk = await open_desk(respond)
    found = await desk.things(skip_listing(), concurrency=3).collect()
    assert ids(found) == [0, 2, 4, 10, 12, 14]


async def test_a_failure_in_a_page_ahead_waits_for_its_turn(open_desk: OpenDesk) -> None:
    inner, broken = SkipList(12), True

    def respond(seen: Seen) -> Reply:
        return refusal(503) if seen.query("$skip") == "6" and broken else inner(seen)

    desk = await open_desk(respond)
    walk = aiter(desk.things(skip_listing(), page_size=2, concurrency=4))
    found: list[Thing] = []
    with pytest.raises(ServerError) as caught:
        await take(walk, found)
    assert ids(found) == [0, 1, 2, 3, 4, 5]
    broken = False
    again = desk.things(skip_listing(), cursor=caught.value.cursor, concurrency=2)
    assert ids(await again.collect()) == [6, 7, 8, 9, 10, 11]
    assert ids([thing async for thing in walk]) == [6, 7, 8, 9, 10, 11]


async def test_a_failure_behind_the_end_does_not_matter(open_desk: OpenDesk) -> None:
    inner = SkipList(6)

    def respond(seen: Seen) -> Reply:
        return refusal(422) if int(seen.query("$skip") or 0) >= 6 else inner(seen)

    desk = await open_desk(respond)
    found = await desk.things(skip_listing(), page_size=2, concurrency=5).collect()
    assert ids(found) == list(range(6))


async def test_links_without_skip_are_walked_one_by_one(open_desk: OpenDesk) -> None:
    def respond(seen: Seen) -> Reply:
        page = int(seen.query("p") or 0)
        link = f',"_links":{{"next":{{"href":"?p={page + 1}"}}}}' if page < 4 else ""
        return Reply(f'{{"things":[{{"id":"{page}"}}]{link}}}'.encode())

    desk = await open_desk(respond)
    assert ids(await desk.things(skip_listing(), concurrency=3).collect()) == [0, 1, 2, 3, 4]
    assert len(desk.server.seen) == 5


async def test_a_limit_needs_no_guesses(open_desk: OpenDesk) -> None:
    desk = await open_desk(SkipList(40))
    pager = desk.things(skip_listing(), page_size=2, concurrency=4)
    assert len(await pager.collect(3)) == 3
    assert len(desk.server.seen) == 2


@pytest.mark.parametrize("name", ["$skip", "%24skip", "$SKIP"])
async def test_skip_is_recognized_however_it_is_written(open_desk: OpenDesk, name: str) -> None:
    def respond(seen: Seen) -> Reply:
        skip = int(seen.query(name) or 0)
        link = f'{{"href":"?a%2Bb=+&{name}={skip + 1}&z=$skip=7"}}' if skip < 5 else "null"
        return Reply(f'{{"things":[{{"id":"{skip}"}}],"_links":{{"next":{link}}}}}'.encode())

    desk = await open_desk(respond)
    walk = desk.things(skip_listing(), concurrency=3).pages()
    await anext(walk)
    await until(lambda: len(desk.server.seen) == 4)
    assert desk.server.targets[1:] == [f"/things?a%2Bb=+&{name}={n}&z=$skip=7" for n in (1, 2, 3)]
    assert [ids(page.items) async for page in walk] == [[1], [2], [3], [4], [5]]
    assert len(desk.server.targets) == len(set(desk.server.targets))
