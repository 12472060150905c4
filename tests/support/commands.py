"""The command line in a process of its own, against a server in this one."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import attrs
import pytest

from itwin_async.cli import main
from itwin_async.emulator import EmulatorThread

_NOWHERE = "/dev/null"  # no folder: nothing is read there, and a cache is not written

COMMAND = [sys.executable, "-m", "itwin_async.cli"]

# Take stdin as the controlling terminal, so that Ctrl-C is a key and no signal of ours.
_LEAD = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(emulator: EmulatorThread | CannedPlatform, **further: str) -> dict[str, str]:
    """The environment of a user of the emulator, with nothing of the person who runs the tests."""
    ours = ("ITWIN_", "IMJS_", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "ITWIN_ACCESS_TOKEN": emulator.token,
        "ITWIN_BASE_URL": emulator.base_url,
        "PYTHONWARNINGS": "error",
        "XDG_CONFIG_HOME": _NOWHERE,
        "XDG_CACHE_HOME": _NOWHERE,
        "TERM": "xterm-256color",
        **further,
    }


class CannedPlatform:
    """A server in a thread with canned answers, by method and path; what is missing is a 404."""

    token = "a-token"

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                route = f"{self.command} {self.path.partition('?')[0]}"
                status, headers, body = platform.answers.get(route, (404, {}, b""))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, route: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer a method and path from now on."""
        self.answers[route] = (status, headers, body)


@attrs.frozen
class Done:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


def run(
    emulator: EmulatorThread | CannedPlatform,
    *arguments: str,
    cwd: Path | None = None,
    stdin: str | bytes = "",
    **further: str,
) -> Done:
    """Run a command to its end, for the sake of speed in this process."""
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.ExitStack() as stack,
        mock.patch.dict(os.environ, environment(emulator, **further), clear=True),
    ):
        streams = [
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")) for _ in range(3)
        ]
        streams[0].buffer.write(stdin.encode() if isinstance(stdin, str) else stdin)
        streams[0].seek(0)
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        patch.setattr(sys, "argv", ["itwin-async", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        texts = []
        for stream in streams[1:]:
            stream.seek(0)
            texts.append(stream.read())
    assert isinstance(end.value.code, int)
    return Done(end.value.code, *texts)


def rows(
    emulator: EmulatorThread | CannedPlatform,
    *arguments: str,
    cwd: Path | None = None,
    **further: str,
) -> list[dict[str, object]]:
    """What a command that must succeed writes as NDJSON."""
    done = run(emulator, *arguments, "--ndjson", cwd=cwd, **further)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def started(
    emulator: EmulatorThread, *arguments: str, **further: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a command that is ended from outside."""
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(emulator, **further),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def until(condition: Callable[[], object]) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


class Terminal:
    """A command on a pseudo terminal: stdin, stdout and stderr."""

    def __init__(
        self,
        emulator: EmulatorThread,
        *arguments: str,
        width: int = 120,
        stdout: int | None = None,
        **further: str,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        self.child = subprocess.Popen(
            [sys.executable, "-S", "-c", _LEAD, *COMMAND, *arguments],
            env=environment(emulator, **further),
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.raw = ""

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def read_until(self, text: str) -> None:
        """Read until a text was shown."""
        deadline = time.monotonic() + 120
        while text not in self.raw:
            assert time.monotonic() < deadline, self.raw
            if not self._read():
                raise AssertionError(self.raw)

    def finish(self) -> int:
        """Read to the end and give the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.child.wait()

    @property
    def lines(self) -> list[str]:
        """What was shown, without colours; each state of the progress line is a line of its own."""
        found = re.split(r"[\r\n]+", _CODES.sub("", self.raw))
        return [line for line in found if line.strip()]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], 120)
        assert ready, self.raw
        data = b""
        with suppress(OSError):  # Linux says so when the other end is closed
            data = os.read(self._ours, 65536)
        self.raw += data.decode(errors="replace")
        return bool(data)
