"""One target, one platform: production and QA do not mix, through tunnels neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from itwin_async import RetryPolicy, Session, harvest
from itwin_async.emulator import Emulator, Replay
from itwin_async.harvest.platform import platform_of

SOURCE = harvest.favorite_itwins()


@contextmanager
def tunnel(paths: list[str], body: bytes = b"") -> Iterator[str]:
    """A server on loopback that is no emulator."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            assert self.headers["Authorization"] or "_emulator" in self.path
            found = body or b'{"iTwins": [], "_links": {}}'
            self.send_response(200 if body or "_emulator" not in self.path else 404)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_two_ports_are_two_platforms(tmp_path: Path) -> None:
    target, paths = tmp_path / "out.db", list[str]()
    with tunnel(paths) as production, tunnel(paths) as qa:
        for address in (production, production):
            async with Session("token", base_url=address) as session:
                await harvest.run(session, SOURCE, target)
        async with Session("token", base_url=qa) as session:
            with pytest.raises(harvest.TargetError) as refused:
                await harvest.run(session, SOURCE, target)
        assert production in str(refused.value)
        assert qa in str(refused.value)


async def test_an_emulator_is_known_by_its_world_at_every_port(tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    for _ in range(2):
        async with Emulator(itwins=3, seed=5) as emulator:
            emulator.add_itwin("Another")
            async with Session("token", base_url=emulator.base_url) as session:
                assert (await harvest.run(session, SOURCE, target)).finished
                assert not any("_emulator" in str(call) for call in emulator.requests)
    for other in (Emulator(itwins=3, seed=6), Emulator(itwins=4, seed=5)):
        async with (
            other as emulator,
            Session(emulator.token, base_url=emulator.base_url) as session,
        ):
            with pytest.raises(harvest.TargetError, match="platform"):
                await harvest.run(session, SOURCE, target)


async def test_elsewhere_nobody_is_asked(tmp_path: Path) -> None:
    async with Session("token", base_url="https://qa-api.bentley.com") as session:
        assert await platform_of(session) == "https://qa-api.bentley.com"


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b'{"platform": 5}', b"<html>"])
async def test_whatever_answers_on_loopback_need_not_know_the_question(body: bytes) -> None:
    with tunnel([], body) as address:
        async with Session("token", base_url=address) as session:
            assert await platform_of(session) == address
    policy = RetryPolicy(retries=9)
    async with Session("token", base_url=address, retry=policy) as session:  # nobody answers
        assert await platform_of(session) == address


async def test_a_replay_is_not_asked_what_it_has_not(tmp_path: Path) -> None:
    from itwin_async.emulator import Cassette

    async with (
        Replay(Cassette([])) as replay,
        Session(replay.token, base_url=replay.base_url) as session,
    ):
        assert await platform_of(session) == "a cassette"
        assert replay.misses == []
