from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from caller import Caller, error_of

from itwin_async.emulator import (
    Answer,
    Emulator,
    EmulatorThread,
    Fault,
    FaultError,
    RecordedRequest,
)

LIST = "/itwins/favorites"


async def statuses(call: Caller, count: int, target: str = LIST) -> list[int]:
    return [(await call("GET", target)).status for _ in range(count)]


async def test_fail_so_many_times(call: Caller, emulator: Emulator) -> None:
    entry = emulator.fail("GET /itwins/favorites", status=429, retry_after=2, times=3)
    first = await call("GET", LIST)
    assert (first.status, first.headers["retry-after"]) == (429, "2")
    assert error_of(first)["code"] == "TooManyRequests"
    assert await statuses(call, 3) == [429, 429, 200]
    assert (entry.applied, entry.matched, entry.done) == (3, 4, True)


async def test_script(call: Caller, emulator: Emulator) -> None:
    emulator.fail("GET /itwins/favorites", status=503)
    emulator.fail("GET /itwins/**", status=429, times=2)
    emulator.fail("*", status=404, after=4)
    assert await statuses(call, 7) == [503, 429, 429, 200, 404, 200, 200]


async def test_bursts(call: Caller, emulator: Emulator) -> None:
    emulator.fault(Fault(status=500, times=None, after=1, every=4, burst=2))
    assert await statuses(call, 10) == [200, 500, 500, 200, 200, 500, 500, 200, 200, 500]
    emulator.clear_faults()
    assert await statuses(call, 2) == [200, 200]


async def test_probability_from_a_seed(call: Caller, emulator: Emulator) -> None:
    runs = []
    for _ in range(2):
        emulator.clear_faults()
        emulator.fault(Fault(status=500, times=None, probability=0.5, seed=3))
        runs.append(await statuses(call, 30))
    assert runs[0] == runs[1]
    assert 5 < runs[0].count(500) < 25


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ("GET /imodels/favorites", True),
        ("get /iModels/Favorites/", True),
        ("* /imodels/*", True),
        ("GET /imodels/**", True),
        ("GET /**", True),
        ("*", True),
        ("POST /imodels", False),
        ("PUT /imodels/favorites/{id}", False),
        ("GET /imodels", False),
        ("GET /itwins/**", False),
    ],
)
async def test_matches(
    call: Caller, emulator: Emulator, itwin_id: str, match: str, hit: bool
) -> None:
    emulator.fail(match, status=418)
    got = await statuses(call, 1, f"/imodels/favorites?iTwinId={itwin_id}")
    assert got == [418 if hit else 200]


async def test_ids_in_matches(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    emulator.fail("POST /itwins/favorites/{id}", status=503)
    assert (await call("POST", f"/itwins/favorites/{itwin_id}")).status == 503
    assert (await call("POST", f"/itwins/favorites/{itwin_id}")).status == 204


async def test_equal_seeds_are_independent_in_one_plan(call: Caller, emulator: Emulator) -> None:
    runs = []
    for _ in range(2):
        emulator.clear_faults()
        for status in (500, 503):
            emulator.fault(Fault(status=status, times=None, probability=0.4))
        runs.append(await statuses(call, 40))
    assert runs[0] == runs[1]
    assert {200, 500, 503} == set(runs[0])


async def test_only_one_user(call: Caller, emulator: Emulator) -> None:
    emulator.fault(Fault(status=500, user="ana", times=None))
    assert await statuses(call, 1) == [200]
    assert await statuses(call.as_user(emulator.token_for("ana")), 1) == [500]


async def test_answers_by_hand(call: Caller, emulator: Emulator) -> None:
    emulator.fail(
        "GET /itwins/favorites",
        status=401,
        body={"code": "Unauthorized", "message": "no"},
        headers={"X-Odd": "1"},
    )
    reply = await call("GET", LIST)
    assert reply.json == {"code": "Unauthorized", "message": "no"}
    assert reply.headers["X-Odd"] == "1"
    emulator.fault(Fault(status=502, body="<h1>Bad</h1>", content_type="text/html"))
    reply = await call("GET", LIST)
    assert (reply.text, reply.headers["Content-Type"]) == ("<h1>Bad</h1>", "text/html")
    emulator.fault(Fault(body=b'{"iTwins": null}', headers={"Content-Encoding": "gzip"}))
    with pytest.raises(aiohttp.ClientError):
        await call("GET", LIST)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("path", ["/imodels/recents", LIST, "/savedviews/tags"])
async def test_every_status_has_the_envelope(
    call: Caller, emulator: Emulator, status: int, path: str
) -> None:
    emulator.fail("*", status=status)
    reply = await call("GET", path)
    assert reply.status == status
    assert error_of(reply)["code"]


@pytest.mark.parametrize("drop", ["before", "middle", "after"])
async def test_drops(call: Caller, emulator: Emulator, itwin_id: str, drop: Any) -> None:
    ana = call.as_user(emulator.token_for("ana"))
    emulator.fault(Fault(match="POST /itwins/favorites/{id}", drop=drop, times=None))
    emulator.fault(Fault(match=f"GET {LIST}", drop=drop, times=2))
    with pytest.raises(aiohttp.ClientError):
        await call("GET", LIST)
    assert len(emulator.calls(f"GET {LIST}")) == (1 if drop == "middle" else 2)
    if drop != "middle":
        with pytest.raises(aiohttp.ClientError):
            await ana("POST", f"/itwins/favorites/{itwin_id}")
        worked = itwin_id in emulator.state.favorites["ana"].itwins
        assert worked is (drop == "after")
        assert emulator.requests[-1].status is None
    emulator.clear_faults()
    assert await statuses(call, 1) == [200]


async def test_spoilt_bodies(call: Caller, emulator: Emulator) -> None:
    whole = (await call("GET", LIST)).text.encode()
    emulator.fault(Fault(truncate=10))
    emulator.fault(Fault(truncate=0.5))
    emulator.fault(Fault(malformed=True))
    for expected in (whole[:10], whole[: len(whole) // 2], whole[:-1] + b",]"):
        async with call.session.get(
            call.base_url + LIST, headers={"Authorization": f"Bearer {call.token}"}
        ) as response:
            assert await response.read() == expected


async def test_trickle(call: Caller, emulator: Emulator) -> None:
    whole = await call("GET", "/itwins/favorites?$top=1")
    size = len(whole.text) // 8
    emulator.fault(Fault(trickle=size, tick=0.005))
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert (await call("GET", "/itwins/favorites?$top=1")).json == whole.json
    assert loop.time() - start > 0.04


async def test_latency_between_bounds(call: Caller, emulator: Emulator) -> None:
    emulator.fault(Fault(latency=(0.02, 0.03)))
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert (await call("GET", LIST)).status == 200
    assert loop.time() - start >= 0.02


@pytest.mark.parametrize("start", ["$skip=0", "$continuationToken="])
async def test_spoilt_links(call: Caller, emulator: Emulator, itwin_id: str, start: str) -> None:
    target = f"/imodels/favorites?iTwinId={itwin_id}&$top=10&{start}"

    async def following(kind: Any) -> str | None:
        emulator.fault(Fault(next=kind))
        links = (await call("GET", target)).json["_links"]
        return links["next"]["href"] if "next" in links else None

    normal = (await call("GET", target)).json["_links"]["next"]["href"]
    foreign = await following("foreign")
    assert foreign is not None
    assert foreign == normal.replace(call.base_url, "https://elsewhere.example")
    assert await following("duplicate") == call.base_url + target
    assert await following("missing") is None
    emulator.fault(Fault(next="loop", after=1))
    second = (await call("GET", normal)).json
    loop = (await call("GET", normal)).json["_links"]["next"]["href"]
    first = (await call("GET", loop)).json["iModels"]
    assert first == (await call("GET", target)).json["iModels"]
    assert second["iModels"] != first


async def test_expired_continuation(call: Caller, emulator: Emulator, itwin_id: str) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", expire_continuation=True, after=1))
    target = f"/imodels/favorites?iTwinId={itwin_id}&$top=10&$continuationToken="
    link = (await call("GET", target)).json["_links"]["next"]["href"]
    refused = await call("GET", link)
    assert refused.status == 422
    assert error_of(refused)["details"][0]["target"] == "$continuationToken"
    assert (await call("GET", link)).status == 200


async def listed_ids(call: Caller, target: str, key: str) -> list[str]:
    return [row["id"] for page in await call.all_pages(target, key) for row in page]


@pytest.mark.parametrize("start", ["$skip=0", "$continuationToken="])
@pytest.mark.parametrize("kind", ["add", "remove"])
async def test_churn_of_imodels(
    call: Caller, emulator: Emulator, itwin_id: str, start: str, kind: Any
) -> None:
    before = [record.id for record in emulator.state.imodels_of(itwin_id)]
    emulator.fault(Fault(match="GET /imodels/favorites", churn=kind))
    target = f"/imodels/favorites?iTwinId={itwin_id}&$top=10&{start}"
    ids = await listed_ids(call, target, "iModels")
    if start == "$continuationToken=":
        assert ids == before
    elif kind == "add":
        assert ids == before[:10] + before[9:]
    else:
        assert ids == before[:10] + before[11:]


async def test_churn_of_itwins_and_by_hand(call: Caller, emulator: Emulator) -> None:
    before = await listed_ids(call, LIST, "iTwins")
    emulator.fault(Fault(match=f"GET {LIST}", churn="add"))
    assert await listed_ids(call, f"{LIST}?$top=4", "iTwins") == before[:4] + before[3:]
    before = await listed_ids(call, LIST, "iTwins")
    emulator.fault(Fault(match=f"GET {LIST}", churn="remove"))
    assert await listed_ids(call, f"{LIST}?$top=4", "iTwins") == before[:4] + before[5:]
    before = await listed_ids(call, LIST, "iTwins")
    emulator.fault(Fault(churn=lambda: emulator.unfavorite("demo", before[5])))
    ids = await listed_ids(call, f"{LIST}?$top=4", "iTwins")
    assert ids == before[:5] + before[6:]


@pytest.mark.parametrize(
    "wrong",
    [
        {"match": "favorites"},
        {"match": "FETCH /x"},
        {"drop": "never"},
        {"next": "odd"},
        {"churn": "shuffle"},
        {"probability": 2},
        {"match": "GET /itwins/favorites?x=1"},
        {"match": "GET **"},
        {"match": "GET /**/favorites"},
        {"times": 0},
        {"after": -1},
        {"every": 0},
        {"every": 3, "burst": 0},
        {"status": 99},
        {"status": 100},
        {"status": 600},
        {"trickle": -5},
        {"truncate": -1},
        {"headers": {"a": "x\r\nb: 5"}},
        {"latency": (2, 1)},
        {"latency": float("nan")},
        {"latency": -1},
        {"latency": (0, float("inf"))},
        {"trickle": 1, "tick": float("nan")},
    ],
)
def test_faults_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(FaultError):
        Fault(**wrong)


@pytest.mark.parametrize("latency", [float("nan"), float("inf"), -0.1])
def test_a_latency_that_no_clock_can_wait_for(latency: float) -> None:
    with pytest.raises(FaultError, match="latency"):
        Emulator(latency=latency)


def test_nulls_of_a_fault_say_nothing() -> None:
    fault = Fault.from_json({"match": "*", "status": None, "latency": None, "times": None})
    assert fault == Fault(match="*", times=None)


async def test_nothing_is_left_in_the_log(
    call: Caller, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    for drop in ("before", "middle", "after"):
        emulator.clear_faults()
        emulator.fault(Fault(drop=drop, times=2))  # type: ignore[arg-type]
        with pytest.raises(aiohttp.ClientError):
            await call("GET", LIST)
    await asyncio.sleep(0.01)
    assert caplog.records == []


async def test_a_client_that_goes_away_leaves_nothing_in_the_log(
    call: Caller, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault(Fault(latency=0.03))
    emulator.fault(Fault(trickle=10, tick=0.01))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await call("GET", LIST, timeout=aiohttp.ClientTimeout(total=0.02))
    await asyncio.sleep(0.1)
    assert caplog.records == []
    assert await statuses(call, 1) == [200]


async def test_one_itwins_list_fails_and_the_others_do_not(
    call: Caller, emulator: Emulator
) -> None:
    first, second = list(emulator.state.itwins)[:2]
    emulator.fail("GET /imodels/favorites", status=503, query={"itwinid": first}, times=None)
    got = [await statuses(call, 1, f"/imodels/favorites?iTwinId={one}") for one in (first, second)]
    assert got == [[503], [200]]


async def test_conditions_on_headers_and_bodies(call: Caller, emulator: Emulator) -> None:
    emulator.fail("GET /itwins/favorites", status=503, request_headers={"prefer": "return=minimal"})
    emulator.fail("POST /savedviews/tags", status=500, request_json={"displayName": "Bad"})
    assert await statuses(call, 1) == [200]
    minimal = {"Prefer": "return=minimal"}
    assert (await call("GET", LIST, headers=minimal)).status == 503
    for name, status in (("Good", 201), ("Bad", 500), ("Bad", 201)):
        body = {"displayName": name, "more": [1]}
        assert (await call("POST", "/savedviews/tags", json=body)).status == status
    assert (await call("POST", "/savedviews/tags", data=b"Bad")).status == 415


async def test_a_function_answers(call: Caller, emulator: Emulator) -> None:
    seen: list[RecordedRequest] = []

    def answer(request: RecordedRequest) -> Answer | None:
        seen.append(request)
        if len(seen) == 1:
            return Answer(body={"iTwins": []}, headers={"X-Odd": "1"})
        return Answer(status=418, body="<p>") if len(seen) == 2 else None

    emulator.fault(Fault(match=f"GET {LIST}", answer=answer, times=3))
    replies = [await call("GET", LIST) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 418, 200, 200]
    assert (replies[0].json, replies[0].headers["X-Odd"]) == ({"iTwins": []}, "1")
    assert (replies[1].text, replies[1].headers["Content-Type"]) == ("<p>", "text/plain")
    assert replies[2].json == replies[3].json
    assert [request.user for request in seen] == ["demo"] * 3


async def test_a_fixed_answer(call: Caller, emulator: Emulator) -> None:
    emulator.fail(f"GET {LIST}", status=200, body={"iTwins": [], "_links": {}})
    assert (await call("GET", LIST)).json == {"iTwins": [], "_links": {}}
    with pytest.raises(FaultError):
        Fault(match="GET /users/me", status=200)
    emulator.fail("GET /users/me", status=200, body={"user": {}}, unserved=True)
    assert (await call("GET", "/users/me")).json == {"user": {}}


async def test_a_fault_while_a_block_runs(call: Caller, emulator: Emulator) -> None:
    with emulator.fail(f"GET {LIST}", status=503, times=None) as entry:
        assert await statuses(call, 2) == [503, 503]
    assert await statuses(call, 1) == [200]
    assert (entry.applied, emulator.faults) == (2, [])
    entry.remove()
    kept = emulator.fail("*", status=500)
    with pytest.raises(KeyError), emulator.fail("*", status=503):
        raise KeyError
    assert emulator.faults == [kept]


@pytest.mark.parametrize(
    ("match", "meant"),
    [
        ("GET /itwins/favourites", "GET /itwins/favorites"),
        ("GET /itwin/favorites", "GET /itwins/favorites"),
        ("POST /imodels/favorites/{id}", "PUT /imodels/favorites/{id}"),
        ("PUT /imodels/favorite/*", "PUT /imodels/favorites/{id}"),
        ("GET /savedviews/tag", "GET /savedviews/tags"),
        ("DELETE /itwins/recents/{id}", "POST /itwins/recents/{id}"),
        ("POST /connect/tokens", "POST /connect/token"),
        ("* /itwinz/**", ""),
        ("GET /zzz", ""),
    ],
)
def test_what_matches_no_operation_is_refused(match: str, meant: str) -> None:
    emulator = Emulator(itwins=0)
    for refused in (
        lambda: emulator.fail(match, status=503),
        lambda: emulator.fault(Fault(match=match)),
        lambda: emulator.assert_called(match),
        lambda: emulator.assert_not_called(match),
        lambda: emulator.calls(match),
    ):
        with pytest.raises(ValueError, match=r".+") as caught:
            refused()
        assert meant in str(caught.value)


@pytest.mark.parametrize(
    "match",
    [
        "*",
        "* /**",
        "GET /ITWINS/Favorites/",
        "DELETE /**",
        "GET /imodels/6c0ed6fb-7d3c-4b3a-9d0a-7c2b8a3c1e55",
        "GET /imodels/no-guid",
        "PUT /imodels/favorites/*",
        "GET /savedviews/tags/AHk2cQw9T0e1nS8rVbYxLpZdNv7DGPQORQpkxmyDyE1ERZS7bsqUkWEmr9ZGmC5Tab",
        "POST /connect/token",
        "* /.well-known/**",
        "* /itwins/{id}/**",
    ],
)
def test_what_matches_an_operation(match: str) -> None:
    Emulator(itwins=0).assert_not_called(match)


async def test_faults_that_were_not_used(call: Caller, emulator: Emulator) -> None:
    emulator.assert_all_faults_used()
    emulator.fail(f"GET {LIST}", status=503)
    emulator.fail("GET /itwins/recents", status=503)
    await call("GET", LIST)
    with pytest.raises(AssertionError) as caught:
        emulator.assert_all_faults_used()
    assert "GET /itwins/recents" in str(caught.value)
    assert LIST not in str(caught.value)
    await call("GET", "/itwins/recents")
    emulator.assert_all_faults_used()


def broken() -> None:
    raise RuntimeError("broken")


async def run(session: aiohttp.ClientSession, fault: Fault, error: Exception | None) -> None:
    async with Emulator() as emulator:
        emulator.fault(fault)
        call = Caller(session, emulator.base_url, emulator.token)
        assert await statuses(call, 2) == [500, 200]
        if error is not None:
            raise error


async def test_a_function_that_fails_fails_its_owner(session: aiohttp.ClientSession) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        await run(session, Fault(churn=broken), None)
    with pytest.raises(KeyError):
        await run(session, Fault(churn=broken), KeyError())
    async with Emulator() as emulator:
        call = Caller(session, emulator.base_url, emulator.token)
        emulator.fault(Fault(answer=lambda _: broken(), times=2))  # type: ignore[func-returns-value]
        emulator.add_itwin("Gone")
        assert await statuses(call, 2) == [500, 500]
        with pytest.raises(ExceptionGroup):
            emulator.reset()
        assert len(emulator.state.itwins) == 12
        emulator.reset()


async def test_a_thread_tells_its_owner(session: aiohttp.ClientSession) -> None:
    emulator = EmulatorThread().start()
    emulator.fault(Fault(churn=broken))
    await statuses(Caller(session, emulator.base_url, emulator.token), 1)
    with pytest.raises(RuntimeError, match="broken"):
        emulator.stop()
