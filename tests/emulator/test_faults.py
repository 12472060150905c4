from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from caller import Caller, error_of

from itwin_async.emulator import Emulator, Fault, FaultError

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
        ("POST /imodels/favorites", False),
        ("GET /imodels/favorites/{id}", False),
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
