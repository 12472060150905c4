from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import pytest
from doubles import Exchange, Handler, RawServer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from yarl import URL

from itwin_async import ArgumentError, PaginationError, Session, imodels
from itwin_async._http.urls import base_url, is_loopback, is_target, resolve, segment, target
from itwin_async._paging.links import follow

Start = Callable[[Handler], Awaitable[RawServer]]

BASE = base_url("https://api.bentley.com")
HERE = "/imodels/favorites?$top=2"

GOOD = {
    "https://api.bentley.com/imodels?$skip=2": "/imodels?$skip=2",
    "https://api.bentley.com:443/imodels?$skip=2": "/imodels?$skip=2",
    "HTTPS://API.Bentley.COM/iModels/A": "/iModels/A",
    "https://api.bentley.com./x": "/x",
    "https://api.bentley.com": "/",
    "https://api.bentley.com?x=1": "/?x=1",
    "https://api.bentley.com#/x": "/",
    "https://api.bentley.com/x#frag?ment": "/x",
    "https://api.bentley.com/x?next=https://evil.example/": "/x?next=https://evil.example/",
    "https://api.bentley.com/x?$continuationToken=a%2Fb+c%2B==&%24top=é": (
        "/x?$continuationToken=a%2Fb+c%2B==&%24top=é"
    ),
    "/itwins?$skip=4": "/itwins?$skip=4",
    "?$skip=4": "/imodels/favorites?$skip=4",
    "recents?$top=1": "/imodels/recents?$top=1",
    "//api.bentley.com/x": "/x",
}

FOREIGN = [
    "https://evil.example/x",
    "https://api.bentley.com.evil.example/x",
    "https://evil-api.bentley.com/x",
    "https://api.bentley.com:8443/x",
    "http://api.bentley.com/x",
    "http://api.bentley.com:443/x",
    "//evil.example/x",
    "ftp://api.bentley.com/x",
    "https://evil.example#@api.bentley.com/x",
    "https://evil.example?@api.bentley.com/x",
    "https://user@api.bentley.com/x",
    "https://user:pw@api.bentley.com/x",
    "https://api.bentley.com@evil.example/x",
    "https://api.bentley.com:443@evil.example/x",
    "javascript:alert(1)",
    "mailto:a@b.example",
    "file:///etc/passwd",
]

MALFORMED = [
    "https://api.bentley.com/a b",
    "https://api.bentley.com/a\r\nX: y",
    "https://api.bentley.com\\@evil.example/x",
    "https:\\\\evil.example/x",
    "\thttps://api.bentley.com/x",
    "https://api.bentley.com/\x00",
    "https://api.bentley.com:99999/x",
    "https://api.bentley.com:x/x",
    "https://[::1/x",
    "https://api.bentley.com//evil.example/x",
    "https://api.bentley.com/\ud800",
]


@pytest.mark.parametrize("href", GOOD)
@pytest.mark.parametrize("rewrite", [False, True])
def test_links_of_the_platform(href: str, rewrite: bool) -> None:
    assert follow(BASE, HERE, href, rewrite=rewrite) == GOOD[href]


@pytest.mark.parametrize("href", [*FOREIGN, *MALFORMED])
def test_links_elsewhere_are_refused(href: str) -> None:
    with pytest.raises(PaginationError) as caught:
        follow(BASE, HERE, href)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("href", [*FOREIGN, *MALFORMED])
def test_rewriting_never_leaves_the_base(href: str) -> None:
    try:
        found = follow(BASE, HERE, href, rewrite=True)
    except PaginationError:
        return
    assert resolve(BASE, found).origin() == URL("https://api.bentley.com")


def test_links_with_user_information_or_bad_signs_are_refused_when_rewriting() -> None:
    others = (
        "https://u:p@api.bentley.com/x",
        "mailto:a",
        "javascript:alert(1)",
        "://?",
        "ftp://h/",
    )
    for href in (*others, *MALFORMED):
        with pytest.raises(PaginationError):
            follow(BASE, HERE, href, rewrite=True)
    assert follow(BASE, HERE, "http://inner:8080/x?y=%2F", rewrite=True) == "/x?y=%2F"


BASES = ["https://api.bentley.com", "http://localhost:8080", "http://[::1]:9", "https://b:8443"]


@given(
    base=st.sampled_from(BASES),
    href=st.one_of(
        st.text(max_size=40),
        st.builds(
            "".join,
            st.lists(
                st.sampled_from(
                    ["https:", "http:", "//", "/", "\\", "@", ":", "#", "?", "api.bentley.com", "a",
                     "localhost", ":8080", "443", "[::1]", "evil.example", "%2F", "..", "é", "&",
                     "$skip=1", "=", "\n", " "]
                ),
                max_size=10,
            ),
        ),
    ),
    rewrite=st.booleans(),
)  # fmt: skip
@example(base=BASES[0], href="mailto:a", rewrite=True)
@example(base=BASES[0], href="https://[::1]@", rewrite=False)
@settings(max_examples=400)
def test_no_link_leads_away(base: str, href: str, rewrite: bool) -> None:
    home = base_url(base)
    try:
        found = follow(home, HERE, href, rewrite=rewrite)
    except PaginationError:
        return
    assert is_target(found)
    url = resolve(home, found)
    assert (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
    assert url.user is None
    if found.count("?") == 1:
        found = found.removesuffix("?")  # yarl leaves out a query without a sign
    assert str(url).endswith(found)


@given(st.text(max_size=300))
@example("..")
@example("a\u200bb")
@example("\ud800")
def test_an_id_stays_one_segment(value: str) -> None:
    try:
        quoted = segment("id", value)
    except ArgumentError:
        return
    assert unquote(quoted) == value
    assert is_target(f"/a/{quoted}/b")
    assert resolve(BASE, f"/a/{quoted}/b").raw_path == f"/a/{quoted}/b"
    assert quoted.isascii()
    assert quoted not in {"", ".", ".."}
    assert not set("/?#") & set(quoted)


@pytest.mark.parametrize(
    "value", ["", " ", "..", ".", "a/b", "a?b", "a#b", "a%2Fb", "a\\b", "a b", "a\n", "x" * 10_000,
              None, 5, b"a", "\ud800"],
)  # fmt: skip
def test_things_that_are_no_ids(value: str) -> None:
    with pytest.raises(ArgumentError, match="imodel_id") as caught:
        segment("imodel_id", value)
    assert len(str(caught.value)) < 250


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4))
def test_queries_can_be_read_back(pairs: list[tuple[str, str]]) -> None:
    try:
        written = target("/x", pairs)
    except UnicodeEncodeError:
        return
    assert is_target(written)
    assert [tuple(pair) for pair in URL(written, encoded=True).query.items()] == pairs


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("a.localhost", True), ("127.0.0.1", True), ("127.9.9.9", True),
        ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("api.bentley.com", False),
        ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("", False),
        ("10.0.0.1", False), ("evil-localhost", False),
    ],
)  # fmt: skip
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


LINK_SIGNS = st.one_of(
    st.sampled_from(
        ["%2B", "%2b", "+", "=", "%3D", "$", "%24", "%27", "'", "%25", "%2F", "/", "~", "%7E", ",",
         "%zz", "%", "é", "%C3%A9", "&a=", ";", ":", "@", "!", "*", "(", ")", "?", "|", '"', "<"]
    ),
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"],
                  exclude_characters="\\#"),
)  # fmt: skip


@given(st.lists(LINK_SIGNS, max_size=15).map("".join))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_links_go_out_byte_for_byte(raw_server: Start, token: str) -> None:
    import json

    async def answer(exchange: Exchange) -> None:
        body: dict[str, object] = {"iModels": []}
        if exchange.number == 1:
            body["_links"] = {"next": {"href": f"{server.base_url}/x?$continuationToken={token}"}}
        await exchange.reply(json.dumps(body).encode())

    server = await raw_server(answer)
    async with Session("t", base_url=server.base_url) as session:
        pager = imodels.list_favorites(session, "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11")
        await pager.collect()
    _, second = server.requests
    assert second.target == f"/x?$continuationToken={token}"
