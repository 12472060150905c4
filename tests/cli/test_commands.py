"""
The command line as people and scripts use it: in a process of its own, against a real server.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from itwin_async.emulator import EmulatorThread

COMMAND = [sys.executable, "-X", "dev", "-m", "itwin_async.cli"]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(seed=0, itwins=4, imodels=7) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(emulator: EmulatorThread) -> None:
    emulator.reset()


def environment(emulator: EmulatorThread, **further: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ITWIN_")}
    return {
        **kept,
        "ITWIN_ACCESS_TOKEN": emulator.token,
        "ITWIN_BASE_URL": emulator.base_url,
        "PYTHONWARNINGS": "error",
        **further,
    }


def run(
    emulator: EmulatorThread, *arguments: str, cwd: Path | None = None, **further: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(emulator, **further),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_itwins_as_a_table(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "itwins")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    active = [itwin for itwin in emulator.state.itwins.values() if itwin.status != "Inactive"]
    assert len(lines) == 1 + len(active)
    assert lines[0].split() == ["id", "name", "number", "sub-class", "type"]


def test_inactive_itwins_only_when_asked_for(emulator: EmulatorThread) -> None:
    extra = emulator.add_itwin("Sleeping", status="Inactive")
    emulator.favorite("demo", extra.id)
    plain = run(emulator, "favorites", "itwins", "--ndjson")
    every = run(emulator, "favorites", "itwins", "--ndjson", "--include-inactive")
    assert extra.id not in plain.stdout
    assert extra.id in every.stdout


def test_json_is_one_list_with_the_platforms_names(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "itwins", "--json", "--full")
    rows = json.loads(done.stdout)
    assert rows
    assert {"displayName", "subClass", "createdDateTime"} <= rows[0].keys()


def test_an_empty_list_is_valid_json(emulator: EmulatorThread) -> None:
    done = run(
        emulator, "favorites", "itwins", "--json", ITWIN_ACCESS_TOKEN=emulator.token_for("new")
    )
    assert json.loads(done.stdout) == []


def test_imodels_over_all_itwins_in_their_order(emulator: EmulatorThread) -> None:
    order = [json.loads(line) for line in _lines(run(emulator, "favorites", "itwins", "--ndjson"))]
    rows = [json.loads(line) for line in _lines(run(emulator, "favorites", "imodels", "--ndjson"))]
    assert len(rows) == 7 * len(order)
    assert list(dict.fromkeys(row["iTwinId"] for row in rows)) == [itwin["id"] for itwin in order]


def test_imodels_of_one_itwin_and_a_limit(emulator: EmulatorThread) -> None:
    itwin = json.loads(_lines(run(emulator, "favorites", "itwins", "--ndjson"))[0])
    done = run(emulator, "favorites", "imodels", "--itwin", itwin["id"], "--ndjson", "--limit", "3")
    assert len(_lines(done)) == 3


def test_adding_and_removing(emulator: EmulatorThread) -> None:
    token = emulator.token_for("ana")
    imodel = json.loads(_lines(run(emulator, "favorites", "imodels", "--ndjson"))[0])

    def ids() -> list[str]:
        done = run(
            emulator,
            *("favorites", "imodels", "--itwin", imodel["iTwinId"], "--ndjson"),
            ITWIN_ACCESS_TOKEN=token,
        )
        return [json.loads(line)["id"] for line in _lines(done)]

    assert ids() == []
    add = run(emulator, "favorites", "add", "imodel", imodel["id"], ITWIN_ACCESS_TOKEN=token)
    assert (add.returncode, add.stdout, add.stderr) == (0, "", "")
    assert ids() == [imodel["id"]]
    run(emulator, "favorites", "remove", "imodel", imodel["id"], ITWIN_ACCESS_TOKEN=token)
    assert ids() == []


def test_recents(emulator: EmulatorThread) -> None:
    token = emulator.token_for("ana")
    itwin = json.loads(_lines(run(emulator, "favorites", "itwins", "--ndjson"))[-1])
    assert (
        run(emulator, "recents", "add", "itwin", itwin["id"], ITWIN_ACCESS_TOKEN=token).returncode
        == 0
    )
    listed = run(emulator, "recents", "itwins", "--ndjson", ITWIN_ACCESS_TOKEN=token)
    assert [json.loads(line)["id"] for line in _lines(listed)] == [itwin["id"]]


def test_the_life_of_a_tag(emulator: EmulatorThread) -> None:
    itwin = json.loads(_lines(run(emulator, "favorites", "itwins", "--ndjson"))[0])["id"]
    made = run(emulator, "tag", "create", "Night shift", "--itwin", itwin, "--json")
    tag = json.loads(made.stdout)
    assert tag["displayName"] == "Night shift"
    run(emulator, "tag", "rename", tag["id"], "Day shift")
    assert "Day shift" in run(emulator, "tag", "show", tag["id"]).stdout
    assert "Day shift" in run(emulator, "tag", "list", "--itwin", itwin).stdout
    assert run(emulator, "tag", "delete", tag["id"]).returncode == 0
    gone = run(emulator, "tag", "show", tag["id"])
    assert gone.returncode == 4
    assert "TagNotFound" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["favorites", "imodels", "--itwin", "abc"], 2, "itwin_id must be a GUID"),
        (["tag", "create", "a.b"], 2, "without any of"),
        (["favorites", "add", "imodel", "nope"], 4, "iModelNotFound"),
        (["favorites", "add", "imodel", "a/b"], 2, "imodel_id must be an id"),
        (["favorites", "itwins", "--base-url", "api.bentley.com"], 2, "lacks scheme or host"),
        (["favorites", "itwins", "--base-url", "http://127.0.0.1:9"], 6, "no connection"),
        (["favorites", "itwins", "--quota", "many"], 2, "500/60"),
    ],
)
def test_errors_are_one_line_and_a_code(
    emulator: EmulatorThread, arguments: list[str], code: int, says: str
) -> None:
    done = run(emulator, *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert emulator.token not in done.stderr


def test_refused_token_and_rate_limit(emulator: EmulatorThread) -> None:
    emulator.fail("GET /itwins/favorites", status=401, times=1)
    assert run(emulator, "favorites", "itwins").returncode == 3
    emulator.fail("GET /itwins/favorites", status=429, retry_after=100_000, times=1)
    limited = run(emulator, "favorites", "itwins")
    assert limited.returncode == 5
    assert "retry after" in limited.stderr


def test_without_credentials(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "favorites", "itwins", cwd=tmp_path, ITWIN_ACCESS_TOKEN="")
    assert done.returncode == 2
    assert "ITWIN_ACCESS_TOKEN" in done.stderr


def test_a_dotenv_file_is_read(emulator: EmulatorThread, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"ITWIN_ACCESS_TOKEN={emulator.token}\n")
    kept = environment(emulator)
    del kept["ITWIN_ACCESS_TOKEN"]
    done = subprocess.run(
        [*COMMAND, "favorites", "itwins", "--ndjson"],
        env=kept,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _lines(done)


def test_a_closed_pipe_is_no_error(emulator: EmulatorThread) -> None:
    script = f"{' '.join(COMMAND)} favorites imodels --ndjson | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        env=environment(emulator),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert done.returncode == 0


def test_ctrl_c_ends_with_130_and_one_line(emulator: EmulatorThread) -> None:
    emulator.fail("GET /itwins/favorites", status=503, times=None)
    before = len(emulator.requests)
    with subprocess.Popen(
        [*COMMAND, "favorites", "itwins"],
        env=environment(emulator),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        deadline = time.monotonic() + 30
        while len(emulator.requests) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=30)
    assert child.returncode == 130
    assert stderr.strip() == "itwin-async: interrupted"


def test_the_embedded_emulator_needs_nothing(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "favorites", "imodels", "--emulator", cwd=tmp_path, ITWIN_ACCESS_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 100


def test_the_emulator_command_prints_its_address_first(emulator: EmulatorThread) -> None:
    with subprocess.Popen(
        [*COMMAND, "emulator", "--port", "0"],
        env=environment(emulator),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        address = child.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
    assert child.returncode == 0


def _lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
