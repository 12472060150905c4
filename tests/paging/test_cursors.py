"""Going on from where a walk stood: exactly the rest, in any process, at any host."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from typing import Any

import pytest
from doubles import CannedServer, Reply, Respond, Seen, refusal, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from lists import (
    NO_RETRY,
    OpenDesk,
    SkipList,
    Thing,
    ids,
    pager_of,
    skip_listing,
    take,
    token_list,
    token_listing,
)

from itwin_async import ArgumentError, ITwinError, Pager, Session, imodels, itwins, saved_views
from itwin_async._paging.cursor import CursorCodec

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"


class Flaky:
    """A list whose n-th request fails."""

    def __init__(self, inner: Respond, fails: int | None = None) -> None:
        self.inner, self.fails, self.count = inner, fails, 0

    def __call__(self, seen: Seen) -> Any:
        self.count += 1
        return refusal(500) if self.count == self.fails else self.inner(seen)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 12),
    size=st.integers(1, 5),
    later_size=st.integers(1, 5) | st.none(),
    by_skip=st.booleans(),
    extra=st.booleans(),
    prefetch=st.integers(0, 3),
    data=st.data(),
)
def test_resuming_gives_exactly_the_rest(
    length: int,
    size: int,
    later_size: int | None,
    by_skip: bool,
    extra: bool,
    prefetch: int,
    data: st.DataObject,
) -> None:
    stop = data.draw(st.integers(0, length))
    listing = skip_listing() if by_skip else token_listing()
    respond = SkipList(length, extra_next=extra) if by_skip else token_list(length)

    async def main() -> None:
        async with CannedServer(respond) as server, open_session(server) as session:
            walk = aiter(pager_of(session, listing, page_size=size, prefetch=prefetch))
            found = [await anext(walk) for _ in range(stop)]
            cursor = walk.cursor
            await walk.aclose()
            assert walk.cursor == cursor
        async with CannedServer(respond) as other, open_session(other) as session:
            rest = pager_of(session, listing, page_size=later_size, cursor=cursor)
            assert ids(found + await rest.collect()) == list(range(length))
            assert ids([thing async for thing in rest]) == list(range(stop, length))

    asyncio.run(main())


@settings(max_examples=50, deadline=None)
@given(
    length=st.integers(1, 12),
    size=st.integers(1, 4),
    by_skip=st.booleans(),
    prefetch=st.integers(0, 3),
    in_pages=st.booleans(),
    data=st.data(),
)
def test_a_failure_on_any_page_loses_and_repeats_nothing(
    length: int,
    size: int,
    by_skip: bool,
    prefetch: int,
    in_pages: bool,
    data: st.DataObject,
) -> None:
    fails = data.draw(st.integers(1, -(-length // size)))
    listing = skip_listing() if by_skip else token_listing()
    inner = SkipList(length) if by_skip else token_list(length)

    async def main() -> None:
        found: list[Thing] = []
        async with CannedServer(Flaky(inner, fails)) as server, open_session(server) as session:
            pager = pager_of(session, listing, page_size=size, prefetch=prefetch)
            with pytest.raises(ITwinError) as caught:
                await take(flat(pager) if in_pages else pager, found)
            cursor = caught.value.cursor
            assert len(found) == (fails - 1) * size
        async with CannedServer(inner) as server, open_session(server) as session:
            found += await pager_of(session, listing, cursor=cursor).collect()
        assert ids(found) == list(range(length))

    asyncio.run(main())


async def flat(pager: Pager[Thing]) -> AsyncIterator[Thing]:
    async for page in pager.pages():
        for thing in page.items:
            yield thing


@pytest.mark.parametrize("begin", [0, 3])
async def test_an_error_of_collect_leads_back_to_where_it_began(
    open_desk: OpenDesk, begin: int
) -> None:
    """Nothing of what was fetched before is handed out."""
    rows = Flaky(token_list(10))
    desk = await open_desk(rows)
    cursor = None
    if begin:
        walk = aiter(desk.things(page_size=2))
        for _ in range(begin):
            await anext(walk)
        cursor = walk.cursor
        await walk.aclose()
    rows.count, rows.fails = 0, 3
    with pytest.raises(ITwinError) as caught:
        await pager_of(desk.session, token_listing(), page_size=2, cursor=cursor).collect()
    assert caught.value.cursor
    rest = await pager_of(desk.session, token_listing(), cursor=caught.value.cursor).collect()
    assert ids(rest) == list(range(begin, 10))


def test_dots_in_a_token_are_no_way_out() -> None:
    target = "/things/a..b/..c?$continuationToken=/../x%2f.."
    cursor = forge(1, "tests.things", SCOPE, target, 0)
    pager_of(Session("secret"), token_listing(), cursor=cursor)


def open_session(server: CannedServer) -> Session:
    return Session("secret", base_url=server.base_url, retry=NO_RETRY)


@pytest.mark.parametrize("listing", [token_listing(), skip_listing()])
async def test_pages_resume_inside_a_page(open_desk: OpenDesk, listing: Any) -> None:
    desk = await open_desk(SkipList(7) if listing.mode == "skip" else token_list(7))
    walk = aiter(desk.things(listing, page_size=3))
    for _ in range(4):
        await anext(walk)
    pages = [page async for page in desk.things(listing, cursor=walk.cursor).pages()]
    assert [ids(page.items) for page in pages] == [[4, 5], [6]]
    assert [len(page.raw_items()) for page in pages] == [2, 1]
    for number, page in enumerate(pages, 1):
        rest = await desk.things(listing, cursor=page.cursor).collect()
        assert ids(rest) == [[6], []][number - 1]


async def test_closing_in_mid_page_keeps_the_cursor(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(5))
    walk = aiter(desk.things(page_size=3))
    assert (await anext(walk)).id == "0"
    await walk.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(walk)
    assert ids(await desk.things(cursor=walk.cursor).collect()) == [1, 2, 3, 4]


async def test_a_cursor_behind_the_end_yields_only_what_is_new(open_desk: OpenDesk) -> None:
    rows = SkipList(4)
    desk = await open_desk(rows)
    walk = aiter(desk.things(skip_listing(), page_size=3))
    assert len([thing async for thing in walk]) == 4
    again = desk.things(skip_listing(), cursor=walk.cursor)
    assert await again.collect() == []
    assert await again.first() is None
    rows.rows.append(4)
    assert ids(await again.collect()) == [4]
    del rows.rows[1:]
    assert await again.collect() == []


async def test_the_level_of_detail_may_change(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(4))
    walk = aiter(desk.things(page_size=2))
    await anext(walk)
    full = token_listing(headers={"Prefer": "return=representation"})
    assert ids(await desk.things(full, cursor=walk.cursor).collect()) == [1, 2, 3]


async def test_a_cursor_is_plain_text_without_host_or_token(open_desk: OpenDesk) -> None:
    desk = await open_desk(token_list(4))
    page = await desk.things(page_size=2)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", page.cursor)
    inside = base64.urlsafe_b64decode(page.cursor + "=" * (-len(page.cursor) % 4))
    for secret in (b"secret", b"127.0.0.1", f"{desk.server.port}".encode(), b"http"):
        assert secret not in inside


async def test_another_process_goes_on(open_desk: OpenDesk) -> None:
    rows = SkipList(7)
    rows.path = "/iTwins/favorites"
    program = """
        import asyncio, sys
        from itwin_async import Session, itwins
        async def main():
            async with Session("secret", base_url=sys.argv[1]) as session:
                cursor = sys.argv[2] or None
                classes = {"Project", "Asset", "Program", "Portfolio", "WorkPackage"}
                walk = aiter(itwins.list_favorites(
                    session, sub_class=classes, page_size=3, cursor=cursor
                ))
                for _ in range(int(sys.argv[3])):
                    print((await anext(walk)).id)
                print(walk.cursor)
                await walk.aclose()
        asyncio.run(main())
    """

    desk = await open_desk(lambda seen: Reply(rows(seen).body.replace(b'"things"', b'"iTwins"')))

    async def run(cursor: str, count: int) -> list[str]:
        command = [sys.executable, "-c", textwrap.dedent(program), desk.server.base_url, cursor]
        process = await asyncio.create_subprocess_exec(
            *command, str(count), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        assert err.decode() == ""
        return out.decode().split()

    *first, cursor = await run("", 4)
    *rest, _ = await run(cursor, 3)
    assert [*first, *rest] == ["0", "1", "2", "3", "4", "5", "6"]


def forge(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


SCOPE = CursorCodec("tests.things", token_listing().path, token_listing().query).scope


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        " ",
        "garbage",
        "é",
        "a" * 10_000,
        "!!!!",
        forge(1, "tests.things", SCOPE, "/things?p=1", 0)[:-3],
        forge(1, "tests.things", SCOPE, "/things?p=1", -1),
        forge(1, "tests.things", SCOPE, "/things?p=1", "0"),
        forge(1, "tests.things", SCOPE, "/things?p=1"),
        forge(1, "tests.things", SCOPE, "http://evil.example/things", 0),
        forge(1, "tests.things", SCOPE, "//evil.example/things", 0),
        forge(1, "tests.things", SCOPE, "things", 0),
        forge(1, "tests.things", SCOPE, "", 0),
        forge(1, "tests.things", SCOPE, "/other?p=1", 0),
        forge(1, "tests.things", SCOPE, "/things?p=1\r\nX-Evil: 1", 0),
        forge(1, "tests.things", SCOPE, "/things?p=1 HTTP/1.1", 0),
        forge(1, "tests.things", SCOPE, "/things\\..", 0),
        forge(1, "tests.things", SCOPE, "/things/../users/me", 0),
        forge(1, "tests.things", SCOPE, "/things/..?p=1", 0),
        forge(1, "tests.things", SCOPE, "/things/%2E%2e/users/me", 0),
        forge(1, "tests.things", SCOPE, "/things/.%2e%2Fusers/me", 0),
        forge(1, "tests.things", SCOPE, "/things/./me", 0),
        forge(1, "tests.others", SCOPE, "/things?p=1", 0),
        forge(1, "tests.things", "other", "/things?p=1", 0),
        forge(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
        5,
        b"bytes",
        ["list"],
    ],
)
def test_other_texts_are_refused(cursor: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        pager_of(Session("secret"), token_listing(), cursor=cursor)
    assert caught.value.argument == "cursor"


@pytest.mark.parametrize(
    "cursor",
    [
        forge(2, "tests.things", SCOPE, "/things?p=1", 0),
        forge(2, "tests.things", SCOPE, "/things?p=1", 0, "more"),
        forge(2, {"all": "new"}),
    ],
)
def test_a_later_version_is_named(cursor: str) -> None:
    with refused("cursor"):
        pager_of(Session("secret"), token_listing(), cursor=cursor)


async def test_a_cursor_of_another_list_is_refused(open_desk: OpenDesk) -> None:
    desk = await open_desk(lambda _: Reply(b'{"iTwins":[{"id":"1"}],"iModels":[],"tags":[]}'))
    session = desk.session
    cursor = (await itwins.list_favorites(session, sub_class="Asset")).cursor
    itwins.list_favorites(session, sub_class=["Asset"], page_size=7).full()
    itwins.list_favorites(session, sub_class=["Asset"], page_size=7, cursor=cursor)
    with refused("cursor"):
        itwins.list_recents(session, sub_class="Asset", cursor=cursor)
    with refused("cursor"):
        itwins.list_favorites(session, sub_class="Project", cursor=cursor)
    with refused("cursor"):
        itwins.list_favorites(session, cursor=cursor)
    with refused("cursor"):
        imodels.list_favorites(session, GUID, cursor=cursor)
    with refused("cursor"):
        saved_views.list_tags(session, cursor=cursor)
