"""Output that flows, is cut off, or goes nowhere."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from commands import COMMAND, environment, run, started, until

from itwin_async.emulator import EmulatorThread, Fault

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def long() -> Iterator[EmulatorThread]:
    """A platform with a list of two pages."""
    with EmulatorThread(seed=0, itwins=1, imodels=1500) as running:
        yield running


def shell(emulator: EmulatorThread, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"],
        env=environment(emulator, CLI=" ".join(COMMAND)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _waiting(pipe: IO[str]) -> int:
    """How many bytes wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.parametrize("form", ["--ndjson", "--json", "--table"])
def test_a_closed_pipe_is_no_error(long: EmulatorThread, form: str) -> None:
    long.reset()
    done = shell(long, f"$CLI favorites imodels {form} | head -n 1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


def test_a_pipe_closed_at_once(emulator: EmulatorThread) -> None:
    done = shell(emulator, "$CLI favorites imodels --full | true")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell(emulator, "$CLI --help | true").stderr == ""


@pytest.mark.parametrize(
    ("form", "first"), [("--ndjson", '{"iTwinId"'), ("--json", "["), ("--table", "id ")]
)
def test_rows_come_out_while_later_pages_are_fetched(
    long: EmulatorThread, form: str, first: str
) -> None:
    long.reset()
    long.fault(Fault(match="GET /imodels/favorites", after=1, times=None, latency=60))
    with started(long, "favorites", "imodels", form) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(1000)]
        assert lines[0].startswith(first)
        assert lines[-1].endswith("\n")
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate()
    assert child.returncode == 130
    assert stderr == "itwin-async: interrupted\n"


def test_a_slow_reader_gets_everything(long: EmulatorThread) -> None:
    long.reset()
    done = shell(long, "$CLI favorites imodels --ndjson | (sleep 1; cat)")
    assert len({json.loads(line)["id"] for line in done.stdout.splitlines()}) == 1500


def test_a_reader_who_never_reads_can_be_interrupted(long: EmulatorThread) -> None:
    long.reset()
    with started(long, "favorites", "imodels", "--ndjson") as child:
        until(lambda: long.calls("GET /imodels/favorites"))
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130


def test_an_interrupt_leaves_no_half_line(long: EmulatorThread) -> None:
    long.reset()
    with started(long, "favorites", "imodels", "--full", "--ndjson") as child:
        assert child.stdout is not None
        until(lambda: _waiting(child.stdout) > 50_000)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130
        text = child.stdout.read()
    assert text.endswith("\n")
    assert all(json.loads(line)["id"] for line in text.splitlines())


def test_a_pipe_that_does_not_block(long: EmulatorThread) -> None:
    long.reset()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(
        [*COMMAND, "favorites", "imodels", "--ndjson"], env=environment(long), stdout=writing
    ) as child:
        os.close(writing)
        with os.fdopen(reading) as output:
            until(lambda: _waiting(output) > 50_000)
            assert len(output.read().splitlines()) == 1500
    assert child.returncode == 0


def test_a_command_leaves_the_handlers_of_signals_as_they_were(emulator: EmulatorThread) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run(emulator, "favorites", "itwins").returncode == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_the_shell_ignores_is_ignored(long: EmulatorThread) -> None:
    long.reset()
    long.fault(Fault(match="GET /imodels/favorites", latency=1))
    script = "trap '' INT; $CLI favorites imodels --ndjson & sleep 0.7; kill -INT $!; wait $!"
    done = shell(long, script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1500


def test_ctrl_c_while_ids_are_awaited(emulator: EmulatorThread) -> None:
    with subprocess.Popen(
        [*COMMAND, "favorites", "add", "imodel", "-"],
        env=environment(emulator),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        pipe = child.stdin.fileno()
        os.write(pipe, b"m1\n")
        until(lambda: fcntl.ioctl(pipe, termios.FIONREAD, b"1234") == bytes(4))
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130
        assert child.stderr is not None
        assert child.stderr.read().strip() == "itwin-async: interrupted"


def test_output_that_cannot_be_written(emulator: EmulatorThread) -> None:
    full = shell(emulator, "$CLI favorites itwins > /dev/full")
    assert (full.returncode, full.stderr) == (1, "itwin-async: No space left on device\n")
    closed = shell(emulator, "$CLI favorites itwins >&-")
    assert (closed.returncode, closed.stderr) == (1, "itwin-async: the standard output is closed\n")


def test_stderr_that_nobody_has(emulator: EmulatorThread) -> None:
    done = shell(emulator, "$CLI favorites itwins 2>&-")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 1
    assert shell(emulator, "$CLI tag show nope 2>&-").returncode == 4


def test_a_file_gets_whole_lines_and_no_colours(emulator: EmulatorThread, tmp_path: Path) -> None:
    file = tmp_path / "table"
    shell(emulator, f"$CLI favorites imodels --full > {file}")
    text = file.read_text()
    assert "\x1b" not in text
    assert "…" not in text
    assert len(text.splitlines()) == 1 + 28
