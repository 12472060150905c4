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

from itwin_async.emulator import Cassette, CassetteError, Emulator, Recorder, Replay, ReplayThread

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
        missing = await call("GET", "/itwins/recents")
        assert missing.json == {
            "error": {
                "code": "NotRecorded",
                "message": "GET /itwins/recents is not on the cassette.",
            }
        }
        assert replay.played[-1] == "GET /itwins/recents"


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
    ["", "[]", "{}", '{"version": 9, "interactions": []}', '{"version":1,"interactions":[1]}'],
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
