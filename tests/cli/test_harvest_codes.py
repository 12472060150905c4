"""How a script learns what a harvest has come to: exit codes, ``status --json``, reports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, Terminal, environment, run

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread, Fault

pytestmark = pytest.mark.slow

FORMS = ["out.db", "out.ndjson", "out.parquet"]
COMPLETE, FAILED, MISTAKE, DENIED, MISSING, LIMITED, UNFINISHED, INCOMPLETE, RUNNING = range(9)


def told(emulator: EmulatorThread, folder: Path, name: str) -> tuple[int, dict[str, Any]]:
    done = run(emulator, "harvest", "status", name, "--json", cwd=folder)
    return done.returncode, json.loads(done.stdout)


def facts(found: dict[str, Any]) -> tuple[str, bool, bool, bool]:
    return found["state"], found["finished"], found["complete"], found["running"]


@contextmanager
def running(emulator: EmulatorThread, folder: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A harvest that has begun and waits for an answer."""
    emulator.fault(Fault(match="GET /imodels/favorites", latency=30.0, after=1, times=None))
    with subprocess.Popen(
        [*COMMAND, "harvest", name, "--concurrency", "2"],
        env=environment(emulator),
        cwd=folder,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                try:
                    if harvest.status(folder / name).lists_done:
                        break
                except harvest.TargetError:
                    pass
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", FORMS)
def test_complete(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    assert run(emulator, "harvest", name, "-q", cwd=tmp_path).returncode == COMPLETE
    code, found = told(emulator, tmp_path, name)
    assert (code, facts(found)) == (COMPLETE, ("complete", True, True, False))
    done = run(emulator, "harvest", "check", name, "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (COMPLETE, found)
    for command in ("status", "check"):
        quiet = run(emulator, "harvest", command, name, "--quiet", cwd=tmp_path)
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (COMPLETE, "", "")


def test_incomplete(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=1)
    assert run(emulator, "harvest", "out.db", "-q", cwd=tmp_path).returncode == INCOMPLETE
    code, found = told(emulator, tmp_path, "out.db")
    assert (code, facts(found)) == (INCOMPLETE, ("incomplete", True, False, False))
    assert found["lists_failed"] == 1
    assert run(emulator, "harvest", "check", "out.db", cwd=tmp_path).returncode == INCOMPLETE


@pytest.mark.parametrize(("status", "code"), [(503, UNFINISHED), (401, DENIED)])
def test_ended_before(emulator: EmulatorThread, tmp_path: Path, status: int, code: int) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", status=status, times=None, after=1))
    options = ["--fail-fast", "--concurrency", "1", "--wait-for-server", "0s"]
    done = run(emulator, "harvest", "out.db", *options, cwd=tmp_path)
    assert done.returncode == code
    found = told(emulator, tmp_path, "out.db")
    assert (found[0], facts(found[1])) == (UNFINISHED, ("unfinished", False, False, False))
    assert run(emulator, "harvest", "check", "out.db", cwd=tmp_path).returncode == UNFINISHED


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed there")
@pytest.mark.parametrize("name", FORMS)
def test_running_killed_and_resumed(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    with running(emulator, tmp_path, name) as process:
        code, found = told(emulator, tmp_path, name)
        assert (code, facts(found)) == (RUNNING, ("running", False, False, True))
        assert run(emulator, "harvest", "check", name, cwd=tmp_path).returncode == RUNNING
        second = run(emulator, "harvest", name, cwd=tmp_path)
        assert second.returncode == RUNNING
        assert second.stderr.count("\n") == 1
        process.kill()
        process.wait(30)
        code, found = told(emulator, tmp_path, name)
        assert (code, facts(found)) == (UNFINISHED, ("unfinished", False, False, False))
    emulator.reset()
    done = run(emulator, "harvest", name, "--json", "-q", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["resumed"]) == (COMPLETE, True)


@pytest.mark.parametrize("name", FORMS)
def test_no_target(emulator: EmulatorThread, tmp_path: Path, name: str) -> None:
    for arguments in (
        ["harvest", "status", name],
        ["harvest", "check", name],
        ["export", name],
        ["export", name, "--geojson", "x.json"],
        ["map", name, "--png", "x.png"],
    ):
        done = run(emulator, *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (MISSING, ""), arguments
        assert done.stderr.count("\n") == 1
    code, found = told(emulator, tmp_path, name)
    assert (code, facts(found)) == (MISSING, ("missing", False, False, False))
    assert not list(tmp_path.iterdir())


def test_rows_that_were_deleted(emulator: EmulatorThread, tmp_path: Path) -> None:
    run(emulator, "harvest", "out.ndjson", "-q", cwd=tmp_path)
    (tmp_path / "out.ndjson").unlink()
    code, found = told(emulator, tmp_path, "out.ndjson")
    assert (code, facts(found)) == (MISSING, ("missing", False, False, False))


def test_a_mistake_and_damage(emulator: EmulatorThread, tmp_path: Path) -> None:
    run(emulator, "harvest", "out.ndjson", "-q", cwd=tmp_path)
    other = run(emulator, "harvest", "out.ndjson", "--what", "tags", cwd=tmp_path)
    assert other.returncode == MISTAKE
    data = (tmp_path / "out.ndjson").read_bytes()
    (tmp_path / "out.ndjson").write_bytes(data[:-9] + b"\0" * 8 + b"\n")
    assert run(emulator, "harvest", "check", "out.ndjson", cwd=tmp_path).returncode == FAILED


def test_resumed_means_that_something_was_left(emulator: EmulatorThread, tmp_path: Path) -> None:
    itwin, *_ = emulator.state.itwins
    (tmp_path / "ids.txt").write_text(itwin)
    for _ in range(2):  # a first run, and one that finds nothing to do
        given = ["--itwins", "ids.txt", "--report", "-", "-q"]
        done = run(emulator, "harvest", "out.db", *given, cwd=tmp_path)
        report = json.loads(done.stdout)
        assert (report["resumed"], report["state"], report["complete"]) == (False, "complete", True)


def test_reports_go_where_they_are_asked_for(emulator: EmulatorThread, tmp_path: Path) -> None:
    options = ["--json", "--report", "report.json"]
    done = run(emulator, "harvest", "out.db", *options, cwd=tmp_path)
    assert done.returncode == COMPLETE
    assert json.loads(done.stdout) == json.loads((tmp_path / "report.json").read_text())
    emulator.fail("GET /imodels/favorites", status=401, times=None)
    done = run(emulator, "harvest", "other.db", "--json", cwd=tmp_path)
    assert done.returncode == DENIED
    report = json.loads(done.stdout)
    assert (report["state"], report["resumed"]) == ("unfinished", False)
    assert "401" in report["error"]


def test_the_help_has_the_codes(emulator: EmulatorThread) -> None:
    for arguments in (["harvest"], ["harvest", "status"], ["harvest", "check"]):
        lines = run(emulator, *arguments, "--help").stdout.splitlines()
        table = [line.split() for line in lines if line[:7].strip().isdigit()]
        assert [row[0] for row in table] == [*"012345678", "130"]


def test_an_unfinished_target_is_exported_with_a_warning(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    emulator.fail("GET /imodels/favorites", status=401, times=None, after=1)
    run(emulator, "harvest", "out.db", "--full", "--concurrency", "1", cwd=tmp_path)
    for arguments in (["--geojson", "out.json"], ["--csv"]):
        done = run(emulator, "export", "out.db", *arguments, cwd=tmp_path)
        assert done.returncode == 0
        assert "not finished" in done.stderr
    emulator.reset()
    run(emulator, "harvest", "out.db", "--full", cwd=tmp_path)
    assert run(emulator, "export", "out.db", "--csv", cwd=tmp_path).stderr == ""


def test_a_dumb_terminal_gets_plain_lines(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", latency=0.2, times=None))
    terminal = Terminal(emulator, "harvest", str(tmp_path / "out.db"), TERM="dumb")
    assert terminal.finish() == COMPLETE
    assert "\x1b" not in terminal.raw
    assert "\r" not in terminal.raw.replace("\r\n", "\n")
    assert len(terminal.lines) == 1


def test_no_colour_and_no_room(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", latency=0.3, times=None))
    arguments = ["harvest", str(tmp_path / "out.db"), "--concurrency", "1"]
    terminal = Terminal(emulator, *arguments, width=30, NO_COLOR="1")
    assert terminal.finish() == COMPLETE
    assert not re.search(r"\x1b\[[0-9;]*[349][0-7][;m]", terminal.raw)
    assert all(len(line) <= 30 for line in terminal.lines[:-1])
    assert any("lists" in line for line in terminal.lines[:-1])


def test_a_log_has_no_codes_whatever_is_forced(emulator: EmulatorThread, tmp_path: Path) -> None:
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    done = run(emulator, "harvest", "out.db", cwd=tmp_path, **forced)
    assert done.returncode == COMPLETE
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_shares_by_the_command(emulator: EmulatorThread, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        word = "--shard"
        options = [word, f"{number}/3", "--what", "favorite-itwins,favorite-imodels", "-q"]
        done = run(emulator, "harvest", f"{number}.db", *options, cwd=tmp_path)
        assert done.returncode == COMPLETE, done.stderr
    names = ["1.db", "2.db", "3.db"]
    assert run(emulator, "harvest", "merge", "a.db", *names[1:], cwd=tmp_path).returncode == MISTAKE
    done = run(emulator, "harvest", "merge", "a.ndjson", *names, cwd=tmp_path)
    assert done.returncode == COMPLETE, done.stderr
    assert harvest.status(tmp_path / "a.ndjson").tables == {
        "favorite_itwins": 4,
        "favorite_imodels": 28,
    }
    for wrong in ("0/3", "4/3", "3", "a/b", "1/0"):
        done = run(emulator, "harvest", "x.db", "--shard", wrong, cwd=tmp_path)
        assert done.returncode == MISTAKE
        assert done.stderr.count("\n") == 1
