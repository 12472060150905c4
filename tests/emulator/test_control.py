from __future__ import annotations

import asyncio
import json
import re
import signal
import ssl
import sys
import tomllib
import tracemalloc
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from caller import Caller
from hypothesis import given, settings
from hypothesis import strategies as st

from itwin_async.emulator import Emulator, EmulatorThread, Fault, World
from itwin_async.emulator.command import main, rate_limit
from itwin_async.emulator.control.actions import Actions
from itwin_async.emulator.control.world_file import export_chunks

ROOT = Path(__file__).parents[2]
LIST = "/itwins/favorites"


@pytest.fixture
def control(call: Caller) -> Caller:
    return call.as_user(None)


async def test_faults(call: Caller, control: Caller, emulator: Emulator) -> None:
    made = await control(
        "POST",
        "/_emulator/faults",
        json={"match": f"GET {LIST}", "status": 429, "retry_after": 2, "times": 2},
    )
    assert made.status == 201
    assert (await call("GET", LIST)).headers["retry-after"] == "2"
    shown = (await control("GET", "/_emulator/faults/")).json["faults"]
    assert shown == [
        {
            "id": 0,
            "fault": f"GET {LIST} times=2 status=429 retry_after=2",
            "match": f"GET {LIST}",
            "matched": 1,
            "applied": 1,
            "done": False,
        }
    ]
    assert (await control("DELETE", "/_emulator/faults")).status == 204
    assert (await call("GET", LIST)).status == 200
    several = {"faults": [{"status": 500}, {"latency": [0, 0.001], "times": None}]}
    await control("POST", "/_emulator/faults", json=several)
    assert [(await call("GET", LIST)).status for _ in range(2)] == [500, 200]
    emulator.assert_called(f"GET {LIST}", times=4)
    assert len(emulator.requests) == 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"odd": 1}, "unknown member 'odd'"),
        ({"match": "x"}, "write a match as"),
        ({"status": "429"}, 'status cannot be "429"'),
        ({"times": True}, "times cannot be true"),
        ({"latency": [1]}, "a list of two"),
        ({"drop": "never"}, "drop must be one of before, middle, after"),
        ({"faults": {}}, "faults must be a list"),
        ({"faults": [5]}, "a fault must be an object"),
        ({"headers": {"a": 5}}, "the values of headers must be strings"),
        ({"query": {"a": None}}, "the values of query must be strings"),
        ({"latency": ["a", "b"]}, "a list of two"),
        ({"content_type": "a\nb"}, "content_type has a character"),
        ({"foreign_origin": "http://["}, "foreign_origin must be a URL"),
        ({"answer": "x"}, "unknown member 'answer'"),
        ({"match": "GET /itwins/favourites"}, "did you mean GET /itwins/favorites?"),
        ([], "the body must be a JSON object"),
    ],
)
async def test_wrong_faults(control: Caller, body: Any, message: str) -> None:
    reply = await control("POST", "/_emulator/faults", json=body)
    assert reply.status == 400
    assert message in reply.json["error"]["message"]


async def test_state_and_world(call: Caller, control: Caller, emulator: Emulator) -> None:
    state = (await control("GET", "/_emulator/state?limit=4")).json
    assert state["counts"] == {"itwins": 12, "imodels": 300}
    assert state["users"]["demo"]["favorites"]["itwins"] == list(emulator.state.itwins)[:4]
    world = {"itwins": [{"displayName": "New", "imodels": [{"displayName": "One"}]}]}
    made = await control("POST", "/_emulator/world", json=world)
    assert (made.status, made.json) == (201, {"itwins": 13, "imodels": 301})
    wrong = await control("POST", "/_emulator/world", json={"odd": 1})
    assert wrong.status == 400
    assert "odd" in wrong.json["error"]["message"]
    kept = (await control("POST", "/_emulator/snapshots", json={})).json
    emulator.add_itwin("Newer")
    assert (await control("POST", "/_emulator/restore", json=kept)).status == 204
    assert len(emulator.state.itwins) == 13
    missing = await control("POST", "/_emulator/restore", json={"name": "x"})
    assert missing.status == 404
    exported = (await control("GET", "/_emulator/world")).json
    assert exported["itwins"][-1]["imodels"][0]["displayName"] == "One"
    assert exported == emulator.export()
    await control("POST", "/_emulator/reset")
    assert len(emulator.state.itwins) == 12
    assert (await control("POST", "/_emulator/restore", json=kept)).status == 404


async def test_requests_clock_and_tokens(call: Caller, control: Caller, emulator: Emulator) -> None:
    await call("GET", LIST + "?$top=1")
    await call("GET", "/savedviews/tags")
    rows = (await control("GET", f"/_emulator/requests?match=GET%20{LIST}")).json
    assert rows["count"] == 1
    assert rows["requests"][0]["query"] == "$top=1"
    assert emulator.token not in json.dumps(rows)
    await control("DELETE", "/_emulator/requests")
    assert (await control("GET", "/_emulator/requests")).json == {"count": 0, "requests": []}
    before = (await control("GET", "/_emulator/clock")).json["now"]
    after = (await control("POST", "/_emulator/clock", json={"advance": 3600})).json["now"]
    assert 3600 <= after - before < 3660
    moved = (await control("POST", "/_emulator/clock", json={"set": 1000})).json
    assert moved["utc"].startswith("1970-01-01T00:16:4")
    for wrong in ({"set": "x"}, {"advance": 1e12}, {"advance": 1e300}, {"set": -1e300}):
        assert (await control("POST", "/_emulator/clock", json=wrong)).status == 400
        assert (await control("GET", "/_emulator/live")).status == 200
    assert (await control("GET", "/_emulator/clock")).json["now"] < 1100
    token = (await control("POST", "/_emulator/tokens", json={"user": "ana"})).json["token"]
    assert token == emulator.token_for("ana")
    await control("POST", "/_emulator/expire", json={"token": token})
    assert (await call.as_user(token)("GET", LIST)).status == 401
    itwin_id = next(iter(emulator.state.itwins))
    body = {"user": "ana", "add": [itwin_id]}
    assert (await control("POST", "/_emulator/favorites", json=body)).status == 204
    assert emulator.state.favorites["ana"].itwins == [itwin_id]
    for user in ("", 5):
        body = {"user": user, "add": [itwin_id]}
        assert (await control("POST", "/_emulator/favorites", json=body)).status == 400
    limit = {"requests": 1, "per_seconds": 60}
    assert (await control("POST", "/_emulator/rate-limit", json=limit)).status == 204
    assert [(await call("GET", LIST)).status for _ in range(2)] == [200, 429]
    assert (await control("POST", "/_emulator/rate-limit", json={"odd": 1})).status == 400
    assert (await control("POST", "/_emulator/rate-limit", json={})).status == 204
    assert (await call("GET", LIST)).status == 200


async def test_unknown_actions(control: Caller) -> None:
    reply = await control("GET", "/_emulator/odd")
    assert reply.status == 404
    actions = (await control("GET", "/_emulator")).json["actions"]
    assert "POST /faults" in actions


async def test_page(call: Caller, control: Caller, emulator: Emulator, itwin_id: str) -> None:
    page = await control("GET", "/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"(src|href)=\"?(https?:)?//", page.text)
    await call("GET", LIST)
    emulator.fail("*", status=503)
    live = (await control("GET", "/_emulator/live")).json
    assert live["counts"]["itwins"] == len(live["itwins"]) == 12
    assert live["itwins"][0]["favoriteOf"] == ["demo"]
    assert live["itwins"][0]["favoriteImodels"] == {"demo": 25}
    assert live["requests"][0]["path"] == LIST
    assert live["faults"][0]["fault"] == "* status=503"
    called = {row["path"] for row in live["operations"] if row["calls"]}
    assert called == {LIST}
    models = (await control("GET", f"/_emulator/imodels?iTwinId={itwin_id}&limit=2")).json
    assert models["count"] == 25
    assert [row["favoriteOf"] for row in models["imodels"]] == [["demo"], ["demo"]]


async def start(
    *arguments: str, lines: int = 2, program: str = "itwin_async.emulator"
) -> tuple[asyncio.subprocess.Process, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", program),
        *(["emulator"] if program == "itwin_async.cli" else []),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    told = [(await process.stdout.readline()).decode().strip() for _ in range(lines)]
    return process, told[0], told[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_program(
    session: aiohttp.ClientSession, tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "token"
    world = tmp_path / "world.json"
    world.write_text('{"itwins": [{"displayName": "Mine"}]}')
    options = ("--itwins", "2", "--rate-limit", "2/60", "--token-file", str(file))
    process, url, token = await start(*options, "--world", str(world))
    assert file.read_text() == token
    call = Caller(session, url, token)
    first = await call("GET", "/itwins?$top=10")
    assert [row["displayName"] for row in first.json["iTwins"]][2:] == ["Mine"]
    assert [(await call("GET", LIST)).status for _ in range(2)] == [200, 429]
    process.send_signal(number)
    output = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, output) == (0, (b"", b""))


@pytest.mark.parametrize("program", ["itwin_async.emulator", "itwin_async.cli"])
async def test_a_state_survives_a_restart(
    session: aiohttp.ClientSession, tmp_path: Path, program: str
) -> None:
    file = tmp_path / "state.json"
    options = ("--state", str(file), "--itwins", "2", "--imodels", "2")
    process, url, token = await start(*options, program=program)
    call = Caller(session, url, token)
    first, second = [row["id"] for row in (await call("GET", "/itwins")).json["iTwins"]]
    body = {"iTwinId": first, "name": "Quay"}
    quay = (await call("POST", "/imodels", json=body)).json["iModel"]
    await call("PUT", f"/imodels/favorites/{quay['id']}")
    await call("DELETE", f"/itwins/favorites/{first}")
    await call("POST", "/_emulator/users", json={"name": "ana", "email": "ana@example.org"})
    await call("POST", "/_emulator/access", json={"user": "ana", "deny": [second]})
    for name in ("Day", "Night"):
        await call("POST", "/savedviews/tags", json={"displayName": name, "iTwinId": first})
    before = (await call("GET", "/_emulator/world")).json
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 10)
    assert json.loads(file.read_bytes()) == before

    process, url, token = await start(*options, program=program)
    call = Caller(session, url, token)
    assert (await call("GET", "/_emulator/world")).json == before
    await call("POST", "/imodels", json={"iTwinId": first, "name": "Pier"})
    made = await call("POST", "/savedviews/tags", json={"displayName": "Noon", "iTwinId": first})
    assert made.json["tag"]["id"] not in [tag["id"] for tag in before["tags"]]
    await call("POST", "/_emulator/reset")
    assert (await call("GET", "/_emulator/world")).json == before
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json"]


@pytest.mark.parametrize("program", ["itwin_async.emulator", "itwin_async.cli"])
async def test_tls_and_only_its_own_tokens(tmp_path: Path, program: str) -> None:
    file = tmp_path / "ca.pem"
    options = ("--tls", "--ca-file", str(file), "--no-any-token")
    process, url, token = await start(*options, program=program)
    context = ssl.create_default_context(cafile=str(file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        for address in (url, url.replace("127.0.0.1", "localhost")):
            call = Caller(session, address, token)
            reply = await call("GET", f"{LIST}?$top=1")
            assert reply.json["_links"]["next"]["href"].startswith(f"{address}/iTwins/")
            assert (await call.as_user("any other")("GET", LIST)).status == 401
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 10)


async def test_tls_in_python() -> None:
    async with Emulator(tls=True) as emulator:
        context = emulator.certificate.client_context()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            reply = await Caller(session, emulator.base_url, emulator.token)("GET", LIST)
        assert (reply.status, emulator.base_url[:8]) == (200, "https://")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await Caller(session, emulator.base_url, None)("GET", LIST)
    with pytest.raises(RuntimeError):
        _ = Emulator().certificate


def test_the_extra_for_tests_has_what_the_command_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[>\[ ]", one)[0] for one in project["optional-dependencies"]["testing"]}
    assert {"pytest", "trustme"} <= names
    assert "itwin-async[cli]" in project["optional-dependencies"]["testing"]


def test_program_prints_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--openapi"]) == 0
    assert json.loads(capsys.readouterr().out)["openapi"] == "3.0.3"


def test_program_says_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--world", str(tmp_path / "none.json")]) == 2
    assert "No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--rate-limit", "0/1"])


def test_rate_limit_in_words() -> None:
    assert (rate_limit("100/60").requests, rate_limit("100/60").per_seconds) == (100, 60)
    assert rate_limit("5").per_seconds == 1


async def test_expiry_and_favorites_over_http(call: Caller, control: Caller) -> None:
    assert (await control("POST", "/_emulator/expire", json={"after": 1})).status == 204
    assert [(await call("GET", LIST)).status for _ in range(2)] == [200, 401]
    assert (await control("POST", "/_emulator/expire", json={"after": None})).status == 204
    assert (await call("GET", LIST)).status == 200
    assert (await control("POST", "/_emulator/expire", json={"after": "x"})).status == 400
    for body in ({"add": "x"}, {"remove": 5}):
        assert (await control("POST", "/_emulator/favorites", json=body)).status == 400
    missing = await control("POST", "/_emulator/favorites", json={"add": ["x"]})
    assert missing.status == 404
    assert (await control("POST", "/_emulator/tokens", json={"user": ""})).status == 400
    assert (await control("GET", "/_emulator/imodels?iTwinId=x")).status == 404
    assert (await control("GET", "/_emulator/requests?limit=x")).status == 400


TABLE = Actions(Emulator(itwins=0)).table()
OTHERS = {
    "/faults": {"faults", *(field.name for field in attrs.fields(Fault))},
    "/world": {"users", "itwins", "favorites", "recents", "denied", "tags"},
    "/imodels": {"iTwinId", "name", "extent", "front"},
}
TEXTS = st.sampled_from(["", "x", "GET /itwins", "demo"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=1),
    max_leaves=3,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=1, imodels=1) as emulator:
        yield emulator


@pytest.mark.parametrize("action", [one for one in TABLE if one.startswith("POST ")])
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_no_body_makes_the_control_fail(
    shared: EmulatorThread, action: str, data: st.DataObject
) -> None:
    path = action.removeprefix("POST ")
    members = sorted(TABLE[action].members or OTHERS.get(path, {"x"}))
    body = data.draw(st.dictionaries(st.sampled_from(members), VALUES, max_size=3))
    wanted = urllib.request.Request(
        f"{shared.base_url}/_emulator{path}", json.dumps(body).encode(), method="POST"
    )
    opener = urllib.request.build_opener(Every)
    with opener.open(wanted) as response:
        status, text = response.status, response.read().decode()
    assert status in {200, 201, 204, 400, 404, 409}, text
    if status == 400:
        assert not re.search(r"object is not|not supported|<class|literal|attribute", text)


class Every(urllib.request.HTTPErrorProcessor):
    """Takes every status for an answer."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response


def test_the_world_is_exported_in_flat_memory() -> None:
    chunks = export_chunks(World(0, 4, 1500))
    tracemalloc.start()
    try:
        size = sum(map(len, chunks))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 3_000_000
    assert peak < 1_500_000


async def test_the_world_is_streamed(control: Caller, emulator: Emulator) -> None:
    reply = await control("GET", "/_emulator/world")
    assert "Content-Length" not in reply.headers
    assert reply.json == emulator.export()
    async with control.session.get(f"{control.base_url}/_emulator/world") as response:
        await response.content.readany()  # and goes away in the middle
    assert (await control("GET", "/_emulator/live")).status == 200


async def test_bodies_removals_and_freezing(
    call: Caller, control: Caller, emulator: Emulator, itwin_id: str
) -> None:
    await call("POST", "/savedviews/tags", json={"displayName": "x"})
    rows = (await control("GET", "/_emulator/requests?user=demo")).json["requests"]
    assert json.loads(rows[0]["body"]) == {"displayName": "x"}
    assert (await control("GET", "/_emulator/requests?user=ana")).json["count"] == 0
    imodel = emulator.state.imodels_of(itwin_id)[0]
    body = {"user": "ana", "add": [imodel.id, itwin_id]}
    assert (await control("POST", "/_emulator/recents", json=body)).status == 204
    assert emulator.state.recents["ana"].imodels == [imodel.id]
    body = {"user": "ana", "remove": [imodel.id]}
    assert (await control("POST", "/_emulator/recents", json=body)).status == 204
    assert emulator.state.recents["ana"].imodels == []
    for member, status in (("deny", 404), ("allow", 200)):
        await control("POST", "/_emulator/access", json={member: [itwin_id]})
        assert (await call("GET", f"/itwins/{itwin_id}")).status == status
    assert (await control("DELETE", f"/_emulator/imodels/{imodel.id}")).status == 204
    assert (await control("DELETE", f"/_emulator/imodels/{imodel.id}")).status == 404
    assert (await control("DELETE", f"/_emulator/itwins/{itwin_id}")).status == 204
    assert itwin_id not in emulator.state.itwins
    frozen = (await control("POST", "/_emulator/clock", json={"frozen": True})).json
    assert frozen == (await control("GET", "/_emulator/clock")).json
    running = (await control("POST", "/_emulator/clock", json={"frozen": False})).json
    assert (running["frozen"], running["now"] >= frozen["now"]) == (False, True)
    faults = [{"status": 500}, {"status": 501}]
    await control("POST", "/_emulator/faults", json={"faults": faults})
    assert (await control("DELETE", "/_emulator/faults/0")).status == 204
    assert (await control("DELETE", "/_emulator/faults/0")).status == 404
    assert (await call("GET", LIST)).status == 501
    wrong = {"match": f"POST {LIST}", "times": 1}
    failed = await control(
        "POST", "/_emulator/assert", json={**wrong, "match": f"GET {LIST}", "times": 7}
    )
    assert (failed.status, failed.json["error"]["code"]) == (409, "AssertionFailed")
    assert (await control("POST", "/_emulator/assert", json=wrong)).status == 400
    assert (await control("POST", "/_emulator/reset", json={"itwins": 2})).status == 204
    assert len(emulator.state.itwins) == 2
