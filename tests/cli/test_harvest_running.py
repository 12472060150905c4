"""Patience, estimates and metrics of the command harvest."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from commands import COMMAND, environment, run
from harvest_truth import expected

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread, Fault

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_an_outage_is_waited_for(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", status=503, times=3, after=1))
    words = ("harvest", "out.db", "--retries", "0", "--concurrency", "1")
    done = run(emulator, *words, "--wait-for-server", "1m", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert harvest.status(tmp_path / "out.db").items == len(expected(emulator))


def test_without_patience_a_list_fails(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", status=503, times=1))
    words = ("harvest", "out.db", "--retries", "0", "--wait-for-server", "0")
    done = run(emulator, *words, cwd=tmp_path)
    assert done.returncode == 7, done.stderr


def test_an_interrupt_ends_the_wait_at_once(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /itwins/favorites", status=503, times=None))
    words = [*COMMAND, "harvest", "out.db", "--retries", "0", "--wait-for-server", "1h"]
    with subprocess.Popen(
        words, env=environment(emulator), cwd=tmp_path, stderr=subprocess.PIPE
    ) as child:
        while len(emulator.calls("GET /itwins/favorites")) < 3:
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 130


@pytest.mark.parametrize("bad", ["5x", "", "-1", "8d", "m", "1 h"])
def test_strange_durations(emulator: EmulatorThread, tmp_path: Path, bad: str) -> None:
    done = run(emulator, "harvest", "out.db", f"--wait-for-server={bad}", cwd=tmp_path)
    assert done.returncode == 2
    assert "--wait-for-server" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_plan_writes_nothing(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "harvest", "out.db", "--plan", "--quota", "60/60", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{len(expected(emulator)):,}" in done.stdout
    assert "calls a minute" in done.stdout
    done = run(emulator, "harvest", "out.db", "--plan", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["items"] == len(expected(emulator))
    assert not list(tmp_path.iterdir())


def test_metrics_are_served_while_it_runs(emulator: EmulatorThread, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    emulator.fault(Fault(match="GET /imodels/favorites", latency=1.0, times=None))
    port = free_port()
    words = [*COMMAND, "harvest", "out.db", "--metrics-port", str(port)]
    with subprocess.Popen(words, env=environment(emulator), cwd=tmp_path) as child:
        while not emulator.calls("GET /imodels/favorites"):
            assert child.poll() is None
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert child.wait(30) == 0
    assert "itwin_harvest_calls_total" in text


def test_a_port_in_use_is_said_before_anything_is_written(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    pytest.importorskip("prometheus_client")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(emulator, "harvest", "out.db", "--metrics-port", port, cwd=tmp_path)
    assert done.returncode == 2
    assert port in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_set_aside_is_told(emulator: EmulatorThread, tmp_path: Path) -> None:
    rows = [{"id": f"{number}", "displayName": number or "good"} for number in range(9)]
    body = {"iModels": rows, "_links": {}}
    emulator.fault(Fault(match="GET /imodels/favorites", body=body, times=2))
    done = run(emulator, "harvest", "out.db", cwd=tmp_path)
    assert done.returncode == 7
    assert "16 items set aside" in done.stderr
    told = run(emulator, "harvest", "status", "out.db", cwd=tmp_path)
    assert told.returncode == 7
    assert told.stdout.count("  set aside: ") == 10
    assert "and 6 more" in told.stdout
    told = run(emulator, "harvest", "status", "out.db", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["quarantined"] == 16
    assert json.loads(told.stdout)["state"] == "incomplete"
