"""The commands with a PostgreSQL target: they work, and show no password."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import run as run_command
from leaks import spellings
from postgres_server import PASSWORD, PostgresServer

from itwin_async.emulator import EmulatorThread

pytest.importorskip("click")


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=4, imodels=9, seed=3) as emulator:
        yield emulator


def test_the_commands(server: PostgresServer, platform: EmulatorThread, tmp_path: Path) -> None:
    target, said = server.url(), []

    def ask(*words: str, fails: bool = False) -> str:
        done = run_command(platform, *words, cwd=tmp_path, XDG_CACHE_HOME=f"{tmp_path}/cache")
        assert bool(done.returncode) == fails, done.stderr
        said.append(done.stdout + done.stderr)
        return done.stdout

    ask("harvest", "status", target, fails=True)
    ask("harvest", "status", target, "--json", fails=True)
    ask("harvest", target, "--what", "imodels", "--full", "--report", "report.json")
    told = json.loads(ask("harvest", "status", target, "--json"))
    assert told["complete"]
    assert told["tables"]["imodels"] == told["items"] > 0
    ask("harvest", "status", target)
    ask("harvest", "check", target)
    ask(
        "harvest", target, "--what", "imodels", "--full", "--refresh", "--changes", "changes.ndjson"
    )
    ask("harvest", target, "--what", "itwins", fails=True)
    assert len(ask("export", target, "--json").splitlines()) >= told["items"]
    ask("export", target, "--from", "nothing", fails=True)
    ask("export", target, "--geojson", "places.json")
    if find_spec("matplotlib"):
        ask("map", target, "--png", "places.png")
    server.sql(f"DROP SCHEMA {target.rpartition('schema=')[2]} CASCADE")
    ask("harvest", "check", target, fails=True)
    said += [(tmp_path / name).read_text() for name in ("report.json", "changes.ndjson")]
    for text in said:
        for form in [*spellings(PASSWORD), "s3cr3t"]:
            assert form not in text
