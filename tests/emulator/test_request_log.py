from __future__ import annotations

import asyncio
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime

import aiohttp
import pytest
from caller import Caller

from itwin_async.emulator import Emulator, EmulatorClock, EmulatorThread
from itwin_async.emulator.differences import differences


async def test_what_was_asked(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    await call(
        "GET",
        f"/imodels/favorites?iTwinId={itwin_id}&$continuationToken=",
        headers={"X-Correlation-Id": "one", "Cookie": "a=b"},
    )
    await call.as_user(None)("PUT", "/imodels/favorites/%41b")
    first, second = emulator.requests
    assert (first.method, first.path, first.status, first.user) == (
        "GET",
        "/imodels/favorites",
        200,
        "demo",
    )
    assert first.query == f"iTwinId={itwin_id}&$continuationToken="
    assert first.headers["x-correlation-id"] == "one"
    assert abs(first.time - emulator.clock.now()) < 60
    assert (second.path, second.status, second.user) == ("/imodels/favorites/%41b", 401, None)
    assert emulator.token not in repr(emulator.requests)
    assert first.headers["Authorization"] == "Bearer"
    assert first.headers["Cookie"] == "***"


async def test_assertions(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    with pytest.raises(AssertionError, match="Nothing was called at all"):
        emulator.assert_called("GET /itwins/favorites")
    emulator.assert_not_called("GET /itwins/**")
    await call("GET", "/itwins/favorites?$top=3")
    await call("POST", f"/itwins/favorites/{itwin_id}")
    assert emulator.assert_called("get /iTwins/favorites/", times=1)[0].query == "$top=3"
    assert len(emulator.assert_called("* /itwins/**", times=2)) == 2
    with pytest.raises(AssertionError) as caught:
        emulator.assert_called("PUT /imodels/favorites/{id}", times=1)
    lines = str(caught.value).splitlines()
    assert lines == [
        "expected PUT /imodels/favorites/{id} once, but it was called never.",
        "What was called (2 in all):",
        "    GET /itwins/favorites?$top=3 -> 200",
        f"    POST /itwins/favorites/{itwin_id} -> 204",
    ]
    with pytest.raises(AssertionError) as caught:
        emulator.assert_not_called("POST /itwins/favorites/{id}")
    assert f"  > POST /itwins/favorites/{itwin_id} -> 204" in str(caught.value)
    assert emulator.counts == {"GET /itwins/favorites": 1, "POST /itwins/favorites/{id}": 1}
    emulator.clear_requests()
    assert (emulator.requests, emulator.counts) == ([], {})


async def test_many_requests_are_forgotten(session: aiohttp.ClientSession) -> None:
    async with Emulator(keep_requests=3) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        for number in range(8):
            await call("GET", f"/itwins/favorites?$skip={number}")
        assert [row.query for row in emulator.requests] == [f"$skip={n}" for n in range(3, 8)]
        assert emulator.request_count == 8


async def test_strict(session: object, itwin_id: str) -> None:
    async with Emulator(strict=True) as emulator:
        call = Caller(session, emulator.base_url, emulator.token)  # type: ignore[arg-type]
        await call("GET", f"/imodels/favorites?iTwinId={itwin_id}")
        await call("PUT", f"/imodels/favorites/{itwin_id}")
        emulator.expire(emulator.token_for("old"))
        await call.as_user(emulator.token_for("old"))("GET", "/itwins/favorites")
        emulator.fail("*", status=422)
        await call("GET", "/itwins/favorites")
        assert emulator.violations == []
        await call("GET", "/itwins/favorites?$top=0&status=odd")
        await call("GET", "/itwins/favourites/x")
        await call("GET", "/itwins/favorites", headers={"Accept": "text/html"})
        await call.as_user(None)("GET", "/itwins/favorites")
        await call("POST", "/savedviews/tags", json={"displayName": "a.b"})
        assert emulator.violations == [
            (
                "GET /itwins/favorites?$top=0&status=odd: 422 InvalidiTwinsRequest: The $top query "
                "option must be a positive integer that does not exceed 1000.; Status value is "
                "incorrect. Valid values are Active, Inactive and Trial."
            ),
            (
                "GET /itwins/favourites/x: 404 ResourceNotFound: The requested resource was not "
                "found. Verify the API URL and the Accept header."
            ),
            (
                "GET /itwins/favorites: 404 ResourceNotFound: The requested resource was not "
                "found. Verify the API URL and the Accept header."
            ),
            (
                "GET /itwins/favorites: 401 HeaderNotFound: Header Authorization was not found in "
                "the request. Access denied."
            ),
            (
                "POST /savedviews/tags: 422 InvalidSavedviewsRequest: displayName must not contain "
                "any of the characters < > & \" ' ."
            ),
        ]


def test_clock() -> None:
    clock = EmulatorClock(1000, frozen=True)
    assert (clock.now(), clock.now()) == (1000, 1000)
    assert clock.advance(2.5) == 1002.5
    assert clock.set(datetime(2026, 5, 4, 8, 0, 0, 457_123, tzinfo=UTC)) == 1777881600.457123
    assert clock.stamp() == "2026-05-04T08:00:00.4571230Z"
    assert clock.stamp(3) == "2026-05-04T08:00:00.457Z"
    running = EmulatorClock()
    before = running.now()
    running.advance(100)
    assert running.now() - before >= 100
    running.freeze()
    assert running.now() == running.now()


def ask(url: str, token: str) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_thread_serves_tests_without_a_loop() -> None:
    before = set(threading.enumerate())  # another test's emulator may serve for the whole session
    with EmulatorThread(imodels=3) as emulator:
        url = f"{emulator.base_url}/itwins/favorites"
        assert ask(url, emulator.token) == 200
        emulator.fail("GET /itwins/favorites", status=503)
        assert [ask(url, emulator.token) for _ in range(2)] == [503, 200]
        emulator.assert_called("GET /itwins/favorites", times=3)
        with pytest.raises(RuntimeError, match="already running"):
            emulator.start()
    with pytest.raises(RuntimeError):
        _ = emulator.base_url
    emulator.stop()
    assert set(threading.enumerate()) <= before
    with emulator:
        assert ask(f"{emulator.base_url}/itwins/favorites", emulator.token) == 200


def test_thread_hands_a_failure_to_start_on() -> None:
    with EmulatorThread() as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            EmulatorThread(port=port).start()


def test_changes_from_many_threads_while_it_serves() -> None:
    with EmulatorThread(itwins=2, imodels=2) as emulator:
        itwin_id = next(iter(emulator.state.itwins))
        url = f"{emulator.base_url}/imodels/favorites?iTwinId={itwin_id}&$top=1000"
        wrong: list[int] = []

        def change() -> None:
            for _ in range(40):
                emulator.favorite("demo", emulator.add_imodel(itwin_id))
                status = ask(url, emulator.token)
                if status != 200:
                    wrong.append(status)

        threads = [threading.Thread(target=change) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(emulator.state.favorites["demo"].imodels) == 164
        assert emulator.request_count == 160


async def test_two_at_once_in_one_loop(session: object) -> None:
    async with Emulator() as first, Emulator() as second:
        assert first.base_url != second.base_url
        calls = [
            Caller(session, one.base_url, one.token)("GET", "/itwins/favorites")  # type: ignore[arg-type]
            for one in (first, second)
        ]
        assert [reply.status for reply in await asyncio.gather(*calls)] == [200, 200]
        assert (first.request_count, second.request_count) == (1, 1)


async def test_assertions_on_parameters_and_users(call: Caller, emulator: Emulator) -> None:
    await call("GET", "/itwins/favorites?$top=3&subClass=Asset")
    await call.as_user(emulator.token_for("ana"))("GET", "/itwins/favorites?$top=5")
    match = "GET /itwins/favorites"
    assert len(emulator.assert_called(match, query={"$top": "3"}, times=1)) == 1
    assert emulator.assert_called(match, user="ana")[0].query == "$top=5"
    with pytest.raises(AssertionError) as caught:
        emulator.assert_called(match, query={"$top": "5"}, user="demo", times=1)
    assert str(caught.value).splitlines()[0] == (
        "expected GET /itwins/favorites with $top=5 by demo once, but it was called never."
    )


async def test_running_twice(emulator: Emulator) -> None:
    with pytest.raises(RuntimeError, match="already running"):
        await emulator.__aenter__()


async def test_a_failure_shows_the_members_that_differ(call: Caller, emulator: Emulator) -> None:
    await call(
        "POST", "/savedviews/tags", json={"displayName": "Day", "more": {"a": [1, 2], "b": 1}}
    )
    wanted = {"displayName": "Night", "more": {"a": [1, 3]}, "iTwinId": "x"}
    with pytest.raises(AssertionError) as caught:
        emulator.assert_called("POST /savedviews/tags", json=wanted)
    assert [line.strip() for line in str(caught.value).splitlines()[-3:]] == [
        'body displayName: expected "Night", but it is "Day"',
        "body more.a[1]: expected 3, but it is 2",
        'body iTwinId: expected "x", but it is missing',
    ]
    emulator.assert_called("POST /savedviews/tags", json={"more": {"a": [1, 2]}}, times=1)
    with pytest.raises(AssertionError) as caught:
        emulator.assert_called(
            "POST /savedviews/tags", query={"a": "b"}, headers={"Prefer": "x"}, user="ana"
        )
    assert [line.strip() for line in str(caught.value).splitlines()[-3:]] == [
        'query a: expected "b", but it is missing',
        'header Prefer: expected "x", but it is missing',
        "user: expected ana, but it is demo",
    ]


def test_differences() -> None:
    def of(wanted: object, found: object) -> list[str]:
        return list(differences(wanted, found))

    assert of({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}) == []
    assert of({"a": 1}, {"a": 1, "b": 2}) == ["b: not expected, but it is 2"]
    assert of([1, 2], [1]) == ["[1]: expected 2, but it is missing"]
    assert of([1], [True]) == ["[0]: expected 1, but it is true"]
    assert of({"a": {"b": 1}}, {"a": "x"}) == ['a: expected {"b":1}, but it is "x"']
    assert len(of("", "x" * 9999)[0]) < 300


async def test_requests_print_well(call: Caller, emulator: Emulator) -> None:
    emulator.fail("POST /savedviews/tags", status=503)
    await call("POST", "/savedviews/tags?a=1", json={"displayName": "x"})
    await call.as_user(None)("GET", "/itwins/favorites")
    assert repr(emulator.requests) == (
        "[<POST /savedviews/tags?a=1 -> 503, by demo, fault: POST /savedviews/tags status=503, "
        'body: {"displayName": "x"}>, <GET /itwins/favorites -> 401>]'
    )
