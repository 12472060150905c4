"""Which links are followed, and that not a byte of them changes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from doubles import CannedServer, Reply, Seen, refusal
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lists import (
    NO_RETRY,
    OpenDesk,
    Thing,
    ids,
    next_link,
    pager_of,
    take,
    thing_page,
    token_listing,
)
from yarl import URL

from itwin_async import Page, PaginationError, Session
from itwin_async._paging.links import follow

LONG = token_listing(query=(), mode="top")


def two_pages(href: Any) -> Any:
    def respond(seen: Seen) -> Reply:
        if seen.target == "/things":
            text = href(seen) if callable(href) else href
            return thing_page([1], links=next_link(text))
        return thing_page([2])

    return respond


@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("https://evil.example/things?p=1", "another origin"),
        ("http://evil.example/things?p=1", "another origin"),
        ("//evil.example/things?p=1", "another origin"),
        ("http://127.0.0.1:1/things?p=1", "another origin"),
        ("http://127.0.0.1/things?p=1", "another origin"),
        (lambda seen: f"https://{seen.headers['host']}/things?p=1", "another origin"),
        (lambda seen: f"http://{seen.headers['host']}.evil.example/things", "another origin|malf"),
        (lambda seen: f"http://user@{seen.headers['host']}/things?p=1", "user information"),
        (lambda seen: f"http://u:p@{seen.headers['host']}/things?p=1", "user information"),
        (lambda seen: f"http://{seen.headers['host']}@evil.example/x", "user information"),
        ("javascript:alert(1)", "another origin|malformed"),
        ("mailto:somebody", "another origin|malformed"),
        ("file:///etc/passwd", "another origin|malformed"),
        ("http:///things?p=1", "another origin|malformed"),
        ("http://[::1/things", "malformed"),
        ("http://127.0.0.1:port/things", "malformed"),
        ("http://127.0.0.1:99999/things", "malformed"),
        ("\\\\evil.example\\things", "malformed"),
        ("/\\evil.example/things", "malformed"),
        ("/things?p=1\r\nX-Evil: 1", "malformed"),
        ("/things?p=1\n", "malformed"),
        ("/things?p=\t", "malformed"),
        ("/things?p=a b", "malformed"),
        ("/things?p=\x00", "malformed"),
        ("/things?p=\x7f", "malformed"),
        (lambda seen: f"http://{seen.headers['host']}//things?p=1", "malformed"),
    ],
)
async def test_links_that_are_refused(
    open_desk: OpenDesk, href: Any, words: str, prefetch: int
) -> None:
    desk = await open_desk(two_pages(href))
    found: list[Page[Thing]] = []
    with pytest.raises(PaginationError, match=words) as caught:
        await take(desk.things(LONG, prefetch=prefetch).pages(), found)
    assert desk.server.targets == ["/things"]
    assert found == []
    assert caught.value.path == "/things"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("href", [5, True, ["/things?p=1"], {"a": 1}])
async def test_an_address_that_is_no_text(open_desk: OpenDesk, href: Any) -> None:
    desk = await open_desk(two_pages(href))
    with pytest.raises(PaginationError):
        await desk.things(LONG).collect()


@pytest.mark.parametrize(
    ("href", "target"),
    [
        ("/things?p=1", "/things?p=1"),
        ("?p=1", "/things?p=1"),
        ("more?p=1", "/more?p=1"),
        ("./more?p=1", "/more?p=1"),
        (lambda seen: f"//{seen.headers['host']}/things?p=1", "/things?p=1"),
        (lambda seen: f"http://{seen.headers['host']}/things?p=1#top", "/things?p=1"),
        (lambda seen: f"HTTP://{seen.headers['host']}/things?p=1", "/things?p=1"),
        (lambda seen: f"http://{seen.headers['host']}?p=1", "/?p=1"),
        ("/things?at=http://elsewhere/x", "/things?at=http://elsewhere/x"),
        ("?at=http://elsewhere/x", "/things?at=http://elsewhere/x"),
    ],
)
async def test_links_that_are_followed(open_desk: OpenDesk, href: Any, target: str) -> None:
    desk = await open_desk(two_pages(href))
    assert ids(await desk.things(LONG).collect()) == [1, 2]
    assert desk.server.targets == ["/things", target]


def test_a_default_port_may_be_written_out() -> None:
    base = URL("https://api.bentley.com/")
    for host in ("api.bentley.com:443", "API.Bentley.Com", "api.bentley.com."):
        assert follow(base, "/things", f"https://{host}/things?$skip=2") == "/things?$skip=2"
    for host in ("api.bentley.com:80", "api.bentley.com:8443", "qa-api.bentley.com"):
        with pytest.raises(PaginationError):
            follow(base, "/things", f"https://{host}/things?$skip=2")
    with pytest.raises(PaginationError):
        follow(base, "/things", "http://api.bentley.com/things?$skip=2")


@pytest.mark.parametrize(
    ("href", "target"),
    [
        ("https://api.bentley.com/things?p=%2B", "/things?p=%2B"),
        ("https://api.bentley.com:8443/things?p=1", "/things?p=1"),
        ("//api.bentley.com/things?p=1", "/things?p=1"),
    ],
)
async def test_foreign_links_may_be_rewritten(open_desk: OpenDesk, href: str, target: str) -> None:
    desk = await open_desk(two_pages(href), rewrite_links=True)
    assert ids(await desk.things(LONG).collect()) == [1, 2]
    assert desk.server.targets == ["/things", target]


@pytest.mark.parametrize(
    "href",
    [
        "https://user@api.bentley.com/things",
        "mailto:x",
        "javascript:alert(1)",
        "https:things",
        "https://api.bentley.com//evil/x",
        "data:,x",
    ],
)
async def test_rewriting_does_not_accept_everything(open_desk: OpenDesk, href: str) -> None:
    desk = await open_desk(two_pages(href), rewrite_links=True)
    with pytest.raises(PaginationError):
        await desk.things(LONG).collect()
    assert desk.server.targets == ["/things"]


TOKENS = st.lists(
    st.one_of(
        st.sampled_from(["%2B", "%2b", "+", "=", "==", "%24", "$", "%2F", "/", "%27", "'", "%25"]),
        st.sampled_from(["%20", "?", "&", ";", ",", "%", "%zz", "é", "漢", "%C3%A9", "%00", '"']),
        st.characters(
            exclude_characters="#\\ \x7f",
            min_codepoint=0x21,
            max_codepoint=0xFFFF,
            exclude_categories=("Cs",),
        ),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(tokens=st.lists(TOKENS, min_size=1, max_size=3), absolute=st.booleans())
@example(tokens=["%2B+%24$=%2F/%27'"], absolute=True)
@example(tokens=["é漢%C3%A9"], absolute=False)
def test_every_byte_of_a_link_arrives(tokens: list[str], absolute: bool) -> None:
    wanted = ["/things", *(f"/things?n={n}&t={token}" for n, token in enumerate(tokens))]

    def respond(seen: Seen) -> Reply:
        if seen.target not in wanted:
            return refusal(404)
        place = wanted.index(seen.target)
        if place == len(tokens):
            return thing_page([place])
        href = (server.base_url if absolute else "") + wanted[place + 1]
        body = {"things": [{"id": f"{place}"}], "_links": next_link(href)}
        return Reply(json.dumps(body, ensure_ascii=place % 2 == 0).encode())

    server = CannedServer(respond)

    async def main() -> None:
        async with (
            server,
            Session("secret", base_url=server.base_url, retry=NO_RETRY) as session,
        ):
            await pager_of(session, LONG).collect()
            assert server.targets == wanted
            first = await pager_of(session, LONG)
            assert ids(await pager_of(session, LONG, cursor=first.cursor).collect()) == [
                *range(1, len(wanted))
            ]

    asyncio.run(main())
