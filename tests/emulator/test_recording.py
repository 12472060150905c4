from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from caller import Caller, Reply

from itwin_async.emulator import (
    Cassette,
    CassetteError,
    CassetteMissError,
    Emulator,
    Matching,
    Recorder,
    RecorderThread,
    Replay,
    ReplayThread,
    record_or_replay,
)
from itwin_async.emulator.recording.cassette import Interaction

from .test_control import start

LIST = "/itwins/favorites"


async def conversation(call: Caller) -> list[Any]:
    """What a client may say; the answers with the own host taken out."""
    told: list[Any] = []

    async def say(method: str, target: str, **options: Any) -> Reply:
        reply = await call(method, target, **options)
        told.append((reply.status, reply.text.replace(call.base_url, "")))
        return reply

    following: str | None = f"{LIST}?$top=4&includeInactive=true"
    first = ""
    while following:
        reply = await say("GET", following, full=True)
        first = first or reply.json["iTwins"][0]["id"]
        link = reply.json["_links"].get("next")
        following = link["href"] if link else None
    target = f"/imodels/favorites?iTwinId={first}&$top=20&$continuationToken="
    reply = await say("GET", target)
    await say("GET", reply.json["_links"]["next"]["href"])
    await say("PUT", f"/imodels/favorites/{reply.json['iModels'][0]['id']}")
    tag = await say("POST", "/savedviews/tags", json={"displayName": "Tag", "iTwinId": first})
    path = f"/savedviews/tags/{tag.json['tag']['id']}"
    await say("GET", path)
    await say("DELETE", path)
    await say("GET", path)
    await say("GET", "/itwins/favorites?$top=0")
    await call.as_user(None)("GET", LIST)
    return told


async def test_a_conversation_plays_back(
    tmp_path: Path, session: aiohttp.ClientSession, emulator: Emulator
) -> None:
    path = tmp_path / "cassette.json"
    async with Recorder(path, emulator.base_url) as recorder:
        call = Caller(session, recorder.base_url, emulator.token)
        recorded = await conversation(call)
    text = path.read_text()
    assert emulator.token not in text
    assert emulator.base_url not in text
    assert "Bearer" not in text
    async with Replay(path) as replay:
        call = Caller(session, replay.base_url, "another token")
        assert await conversation(call) == recorded
        assert await conversation(call) != recorded
        assert replay.misses == []
        assert replay.played[0] == f"GET {LIST}?$top=4&includeInactive=true"


async def test_secrets_are_taken_out(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    token = "eyJhbGciOi.eyJzdWIiOiIx.c2ln"
    secrets = [token, "SIG", "PASS", "VALUE", "SAS", "REFRESH"]
    body = {
        "echo": f"you said {token}",
        "url": "https://store.example/x?sv=1&sig=SIG&se=2",
        "authentication": {"type": "Header", "key": "X-Key", "value": "VALUE"},
        "other": [{"type": "Basic", "username": "u", "password": "PASS"}],
        "directoryAccessInfo": {"azure": {"sasToken": "SAS"}},
        "refresh_token": "REFRESH",
        "value": 5,
    }

    async def answer(request: Any) -> web.StreamResponse:
        if request.path == "/text":
            return web.Response(text=f"<p>{token} https://x.example/?sig=SIG</p>")
        return web.json_response(body, headers={"X-Secret": "SIG", "retry-after": "3"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    path = tmp_path / "cassette.json"
    async with Recorder(path, f"http://127.0.0.1:{runner.addresses[0][1]}") as recorder:
        call = Caller(session, recorder.base_url, token)
        live = await call("GET", f"/json?sig=SIG&access={token}")
        assert live.json == body
        assert live.headers["retry-after"] == "3"
        await call("GET", "/text")
    await runner.cleanup()
    text = path.read_text()
    assert [secret for secret in secrets if secret in text] == []
    kept = json.loads(text)["interactions"][0]["answer"]["json"]
    assert kept["authentication"] == {"type": "Header", "key": "X-Key", "value": "***"}
    assert kept["url"] == "https://store.example/x?sv=1&sig=***&se=2"
    assert kept["value"] == 5


async def test_a_platform_that_is_away(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with Emulator() as gone:
        url = gone.base_url
    async with Recorder(tmp_path / "c.json", url) as recorder:
        reply = await Caller(session, recorder.base_url, "t")("GET", LIST)
        assert reply.status == 502
    assert Cassette.read(tmp_path / "c.json").interactions == []


@pytest.mark.parametrize("url", ["", "api.bentley.com", "ftp://x"])
def test_what_is_no_base_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Recorder(tmp_path / "c.json", url)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 9, "interactions": []}', '{"version":2,"interactions":[1]}'],
)
def test_no_cassette(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(CassetteError):
        Replay(path)


async def test_programs(tmp_path: Path, session: aiohttp.ClientSession, emulator: Emulator) -> None:
    path = tmp_path / "c.json"
    for words in (("--record", str(path), "--target", emulator.base_url), ("--replay", str(path))):
        process, url, _ = await start(*words, lines=1)
        reply = await Caller(session, url, emulator.token)("GET", LIST)
        assert len(reply.json["iTwins"]) == 10
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.communicate(), 10) == (b"", b"")
        assert process.returncode == 0


async def test_replay_in_a_thread(
    tmp_path: Path, session: aiohttp.ClientSession, emulator: Emulator
) -> None:
    path = tmp_path / "c.json"
    async with Recorder(path, emulator.base_url) as recorder:
        await Caller(session, recorder.base_url, emulator.token)("GET", LIST)
    with ReplayThread(path) as replay:
        assert (await Caller(session, replay.base_url, "t")("GET", LIST)).status == 200
        assert replay.played == [f"GET {LIST}"]


async def test_tokens_are_never_in_clear(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    plain, other, short, key = "opaque+token/value==", "another-opaque-token", "s3", "the-api-key-9"
    seen: list[str] = []

    async def answer(request: Any) -> web.StreamResponse:
        seen.append(request.raw_path)
        text = await request.text()
        message = f"no access for {plain} or {other} or {key} in {request.raw_path} with {text}"
        return web.json_response({"error": {"code": "Refused", "message": message}}, status=403)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    path = tmp_path / "deeper" / "cassette.json"
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    quoted = "opaque%2Btoken%2fvalue%3D%3D"
    async with Recorder(path, url) as recorder:
        call = Caller(session, recorder.base_url, None)
        # The first names a secret that only the second shows to be one.
        await call("GET", f"/x/{other}/y")
        await call("GET", f"/x?access_token={other}&$continuationToken=kept")
        for header in (plain, f"Bearer {plain}", f"bearer  {plain}"):
            await call("GET", f"/x/{quoted}/y?z={quoted}", headers={"Authorization": header})
        await call("GET", "/x", headers={"X-Api-Key": key, "Authorization": short})
        await call("POST", "/x", json={"client_secret": other, "note": f"see {other}", "pin": 1})
        form = f"grant_type=client_credentials&client_secret={other}&assertion={quoted}"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        await call("POST", "/x", data=form, headers=kind)
        live = await call("POST", "/x", data=f"text with {other}")
        assert other in live.text
    await runner.cleanup()
    text = path.read_text()
    assert other in "".join(seen)
    assert [one for one in (plain, other, quoted, "opaque", key) if one in text] == []
    kept = [one["request"] for one in json.loads(text)["interactions"]]
    assert kept[0]["path"] == "/x/***/y"
    assert kept[1]["query"] == "access_token=***&$continuationToken=kept"
    assert [one["query"] for one in kept[2:5]] == ["z=***"] * 3
    assert kept[6]["json"] == {"client_secret": "***", "note": "see ***", "pin": 1}
    assert "digest" in kept[7]

    async with Replay(path) as replay:
        call = Caller(session, replay.base_url, None)
        await call(
            "GET",
            "/x/mine-altogether/y?z=mine-altogether",
            headers={"Authorization": "mine-altogether"},
        )
        await call(
            "POST",
            "/x",
            json={"pin": 1, "note": "see my-own-secret", "client_secret": "my-own-secret"},
        )
        mine = form.replace(other, "my-own-secret")
        assert (await call("POST", "/x", data=mine, headers=kind)).status == 403


@pytest.fixture
async def recorded(tmp_path: Path, session: aiohttp.ClientSession, emulator: Emulator) -> Path:
    """A cassette with a list and two tags."""
    path = tmp_path / "cassette.json"
    async with Recorder(path, emulator.base_url, token=emulator.token) as recorder:
        call = Caller(session, recorder.base_url, recorder.token)
        await call("GET", f"{LIST}?$top=2")
        for name in ("A", "B"):
            reply = await call(
                "POST", "/savedviews/tags", json={"displayName": name, "iTwinId": ID}
            )
            assert reply.status == 403
        await call("GET", f"{LIST}?$top=2")
    assert [request.user for request in emulator.requests] == ["demo"] * 4
    return path


ID = "00000000-0000-4000-8000-000000000000"


async def test_a_miss_is_no_answer_of_the_platform(
    recorded: Path, session: aiohttp.ClientSession
) -> None:
    async def talk() -> None:
        async with Replay(recorded) as replay:
            call = Caller(session, replay.base_url, "t")
            same = await call("POST", "/savedviews/tags", json={"iTwinId": ID, "displayName": "B"})
            assert same.status == 403
            missing = await call("POST", "/savedviews/tags", json={"displayName": "C", "tags": [1]})
            assert (missing.status, missing.json["error"]["code"]) == (421, "NotRecorded")
            await call("GET", f"{LIST}?$top=3")
            await call("DELETE", "/imodels/favorites/x")
            await call("GET", f"{LIST}?$top=2", full=True)

    with pytest.raises(CassetteMissError) as caught:
        await talk()
    tag, top, strange, prefer = caught.value.misses
    assert tag.request == "POST /savedviews/tags"
    assert 'body displayName: expected "A", but it is "C"' in tag.reason
    assert "body iTwinId: expected" in tag.reason
    assert "body tags: not expected, but it is [1]" in tag.reason
    assert 'query $top: expected "2", but it is "3"' in top.reason
    assert strange.request == "DELETE /imodels/favorites/x"
    assert "headers prefer: " in prefer.reason
    assert all(str(miss).splitlines()[0] in str(caught.value) for miss in caught.value.misses)


async def test_misses_that_are_meant(recorded: Path, session: aiohttp.ClientSession) -> None:
    with ReplayThread(recorded) as replay:
        await Caller(session, replay.base_url, "t")("GET", "/itwins/recents?access_token=mine-mine")
        assert replay.misses[0].request == "GET /itwins/recents?access_token=***"
        replay.misses.clear()
    replay = ReplayThread(recorded).start()
    await Caller(session, replay.base_url, "t")("GET", "/itwins/recents")
    with pytest.raises(CassetteMissError):
        replay.stop()


@pytest.mark.parametrize(
    ("request_", "options", "answered"),
    [
        (("GET", f"{LIST}?$top=2", "return=minimal", None), {}, True),
        (("GET", f"{LIST}?%24top=2", "return = minimal", None), {}, True),
        (("GET", f"{LIST}?$top=2", "return=representation", None), {}, False),
        (("GET", f"{LIST}?$top=2", "return=representation", None), {"headers": ()}, True),
        (("GET", f"{LIST}?$top=2", "", None), {"headers": ("accept",)}, True),
        (("GET", f"{LIST}?$top=9", "", None), {"ignore_query": ("$TOP",)}, True),
        (("GET", f"{LIST}?$top=9", "", None), {"on": ("method", "path")}, True),
        (("POST", f"{LIST}?$top=2", "", None), {}, False),
        (("POST", "/savedviews/tags", "", {"displayName": "C"}), {}, False),
        (("POST", "/savedviews/tags", "", {"displayName": "C"}), {"on": ("method", "path")}, True),
    ],
)
async def test_what_must_be_equal(
    recorded: Path,
    session: aiohttp.ClientSession,
    request_: tuple[str, str, str, Any],
    options: dict[str, Any],
    answered: bool,
) -> None:
    method, target, prefer, body = request_
    async with Replay(recorded, matching=Matching(**options)) as replay:
        call = Caller(session, replay.base_url, "t")
        await call(method, target, headers={"Prefer": prefer} if prefer else {}, json=body)
        assert (not replay.misses) is answered
        replay.misses.clear()


@pytest.mark.parametrize(
    ("repeats", "codes"),
    [("last", "abb"), ("once", "ab-"), ("first", "aaa"), ("cycle", "aba")],
)
async def test_repeats(repeats: Any, codes: str, session: aiohttp.ClientSession) -> None:
    rows = [Interaction(method="GET", path="/x", body=f'"{name}"'.encode()) for name in "ab"]
    async with Replay(Cassette(rows), matching=Matching(repeats=repeats)) as replay:
        call = Caller(session, replay.base_url, "t")
        replies = [await call("GET", "/x") for _ in codes]
        assert "".join("-" if r.status == 421 else r.text.strip('"') for r in replies) == codes
        replay.misses.clear()


@pytest.mark.parametrize(
    "options",
    [{"on": ()}, {"on": ("url",)}, {"on": "body"}, {"headers": ("cookie",)}, {"repeats": "never"},
     {"headers": "prefer"}, {"ignore_query": "$top"}],
)  # fmt: skip
def test_matching_that_makes_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Matching(**options)


async def test_recording_while_the_cassette_is_missing(
    tmp_path: Path, session: aiohttp.ClientSession, emulator: Emulator
) -> None:
    path = tmp_path / "cassette.json"
    settings: dict[str, Any] = {"platform_url": emulator.base_url, "token": emulator.token}
    with pytest.raises(CassetteError, match="does not exist"):
        record_or_replay(path, record="never")
    with pytest.raises(ValueError, match="record must be"):
        record_or_replay(path, record="sometimes")  # type: ignore[arg-type]
    kinds = []
    for _ in range(2):
        with record_or_replay(path, **settings) as server:
            call = Caller(session, server.base_url, server.token)
            assert (await call("GET", LIST)).status == 200
            kinds.append(server.recording)
    assert kinds == [True, False]
    before = path.read_text()
    with record_or_replay(path, record="always", **settings) as server:
        await Caller(session, server.base_url, server.token)("GET", "/itwins/recents")
        assert isinstance(server, RecorderThread)
        server.discard()
    assert path.read_text() == before
    assert emulator.token not in before
    emulator.assert_called("GET /itwins/**", times=2)


async def test_a_cassette_that_cannot_be_written(tmp_path: Path, emulator: Emulator) -> None:
    tmp_path.joinpath("file").touch()
    with (
        pytest.raises(OSError, match="file"),
        RecorderThread(tmp_path / "file" / "c.json", emulator.base_url),
    ):
        pass


async def test_a_replay_with_misses_ends_with_an_error(
    recorded: Path, session: aiohttp.ClientSession
) -> None:
    process, url, _ = await start("--replay", str(recorded), lines=1)
    await Caller(session, url, "t")("GET", "/itwins/recents")
    process.send_signal(signal.SIGTERM)
    _, told = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 1
    assert b"GET /itwins/recents" in told
