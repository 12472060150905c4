from __future__ import annotations

import contextlib

import pytest

from itwin_async import ApiError, Session, imodels, itwins
from itwin_async.emulator import Emulator
from itwin_async.testing import assert_called, assert_calls


@pytest.fixture
async def calls() -> Emulator:
    """An emulator that was called: two lists, one favorite and one tag."""
    async with (
        Emulator(itwins=2, imodels=2) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        itwin_id = next(iter(emulator.state.itwins))
        imodel_id = next(iter(emulator.state.imodels))
        await itwins.list_favorites(session, page_size=10)
        await imodels.list_favorites(session, itwin_id, page_size=10)
        await imodels.add_favorite(session.with_token(emulator.token_for("ana")), imodel_id)
        await session.request("POST", "/savedviews/tags", json={"displayName": "A"})
    return emulator


async def test_called(calls: Emulator) -> None:
    found = assert_called(calls, "GET /itwins/favorites", times=1, query={"$top": "10"})
    assert [request.status for request in found] == [200]
    assert_called(calls, "PUT /imodels/favorites/{id}", user="ana", status=204)
    assert_called(calls, "* /savedviews/tags", json={"displayName": "A"}, status=201)
    assert_called(calls, "GET /**", times=2)
    assert_called(calls, "GET /**", times=0, user="ana")
    assert_called(calls, "GET /**", times=2, headers={"prefer": "return=minimal"}, query={})


async def test_the_message_shows_the_difference(calls: Emulator) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_called(calls, "GET /itwins/favorites", query={"$top": "20"}, user="demo", status=200)
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert 'query $top: expected "20", but it is "10"' in lines
    assert not [line for line in lines if line.startswith("user")]
    assert "Bearer " not in str(caught.value)

    for wanted, line in (
        ({"headers": {"X-Nothing": "1"}}, 'header X-Nothing: expected "1", but it is missing'),
        ({"user": "ana"}, "user: expected ana, but it is demo"),
        ({"status": 404}, "status: expected 404, but it is 200"),
        ({"times": 2, "user": "demo"}, "> GET /itwins/favorites?$top=10 -> 200"),
    ):
        with pytest.raises(AssertionError) as caught:
            assert_called(calls, "GET /itwins/favorites", **wanted)  # type: ignore[arg-type]
        assert line in [shown.strip() for shown in str(caught.value).splitlines()]


async def test_json_differs_by_member() -> None:
    sent = {"displayName": "A", "deep": {"list": [1, 2], "same": 5}}
    async with (
        Emulator(itwins=0) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        with contextlib.suppress(ApiError):
            await session.request("POST", "/savedviews/tags", json=sent)
    [found] = assert_called(emulator, "POST /savedviews/tags", json={"deep": {"same": 5}})
    assert found.content() == sent
    wanted = {"displayName": "B", "deep": {"list": [1, 3, 4], "same": 5}, "more": None}
    with pytest.raises(AssertionError) as caught:
        assert_called(emulator, "POST /savedviews/tags", json=wanted)
    shown = [line.strip() for line in str(caught.value).splitlines()]
    assert [line for line in shown if line.startswith("body")] == [
        'body displayName: expected "B", but it is "A"',
        "body deep.list[1]: expected 3, but it is 2",
        "body deep.list[2]: expected 4, but it is missing",
        "body more: expected null, but it is missing",
    ]


async def test_requests_print_one_a_line(calls: Emulator) -> None:
    token = "x" * 500
    async with calls, Session(calls.token, base_url=calls.base_url) as session:
        with contextlib.suppress(ApiError):
            await session.request("GET", f"/imodels/favorites?$continuationToken={token}")
        with contextlib.suppress(ApiError):
            await session.request("POST", "/savedviews/tags", json={"displayName": "A\n" * 500})
    lines = str(calls.requests).splitlines()
    assert len(lines) == len(calls.requests) == 6
    assert max(map(len, lines)) < 200
    assert lines[0] == "<GET /itwins/favorites?$top=10 -> 200, by demo>"
    assert str(calls.calls("GET /itwins/favorites")) == lines[0]


async def test_calls_in_order(calls: Emulator) -> None:
    made = [
        "GET /itwins/favorites -> 200",
        "GET /imodels/favorites",
        "PUT /imodels/favorites/{id} -> 204",
        "POST /savedviews/tags",
    ]
    assert_calls(calls, made)
    assert_calls(calls, made[1:3], match="* /imodels/**")
    assert_calls(calls, [], match="DELETE /**")


@pytest.mark.parametrize(
    ("expected", "minus", "plus"),
    [
        (["GET /itwins/favorites -> 404"], "GET /itwins/favorites -> 404", "GET /itwins/favorites"),
        (["GET /itwins/recents"], "GET /itwins/recents", "GET /itwins/favorites"),
        ([], None, "GET /itwins/favorites"),
        (["GET /itwins/favorites"] * 2, "GET /itwins/favorites", None),
    ],
)
async def test_calls_that_differ_are_shown_as_a_diff(
    calls: Emulator, expected: list[str], minus: str | None, plus: str | None
) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_calls(calls, expected, match="GET /itwins/**")
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert minus is None or f"- {minus}" in lines
    assert plus is None or any(line.startswith(f"+ {plus}") for line in lines)
