"""A reader of the documentation, who does what the pages say: types, saves files, runs them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from documents import ROOT, Snippet, execute, is_like, transcript
from sign_in_browser import free_port

_PORTS = ("8080", "8000")  # of the pages; this machine may have others free
_LIMIT = 120


class Shell:
    """
    A bash that keeps its variables and its jobs from command to command.

    Args:
        folder: where it starts.
        variables: its environment beside the present one.

    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ITWIN_", "IMJS_", "COLUMNS", "NO_COLOR", "FORCE_COLOR"))
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._folder = folder
        self._count = 0
        self._codes, theirs = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={**kept, "PATH": path, "PYTHONPATH": str(ROOT), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs],
            start_new_session=True,  # so that the jobs can be ended with it
            text=True,
        )
        self._answer_on = theirs
        os.set_blocking(self._codes, False)

    def run(self, commands: str) -> tuple[int, str]:
        """Run commands; give the last exit code, and what they wrote."""
        self._count += 1
        output = self._folder.parent / f"{self._folder.name}.out{self._count}"
        assert self._bash.stdin is not None
        self._bash.stdin.write(
            f'{{ {commands}\n}} >"{output}" 2>&1 </dev/null {self._answer_on}>&-\n'
            f'echo "$?" >&{self._answer_on}\n'
        )
        self._bash.stdin.flush()
        deadline = time.monotonic() + _LIMIT
        answer = b""
        while not answer.endswith(b"\n"):
            assert time.monotonic() < deadline, f"no end of: {commands}"
            if self._bash.poll() is not None:  # by ``set -e``
                return self._bash.returncode, output.read_text(encoding="utf-8")
            try:
                answer += os.read(self._codes, 100)
            except BlockingIOError:
                time.sleep(0.01)
        return int(answer), output.read_text(encoding="utf-8")

    def close(self) -> None:
        """End the shell and its jobs."""
        assert self._bash.stdin is not None
        self._bash.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGTERM)
        try:
            self._bash.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.wait()
        os.close(self._codes)
        os.close(self._answer_on)


class Reader:
    """
    Follows the snippets of a page, one after another.

    A Python snippet that begins with ``# name.py`` is saved under that name; any other runs as if
    it stood in a coroutine, after those before it. Blocks ``sh`` must succeed; of ``console`` the
    output must be the one that is shown.

    Args:
        folder: where the reader works.
        variables: of the environment.
        names: what Python snippets find defined.

    """

    def __init__(
        self, folder: Path, variables: Mapping[str, str], names: dict[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.names = names if names is not None else {}
        self._shell = Shell(folder, variables)
        self._ports = {port: str(free_port()) for port in _PORTS}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.close()

    async def follow(self, snippet: Snippet) -> None:
        """Do what a snippet says."""
        where, text = f"{snippet.page}:{snippet.line}", self._adapted(snippet.text)
        if snippet.language == "python":
            saved = re.match(r"# (\w+\.py)\n", text)
            if saved:
                (self.folder / saved[1]).write_text(text, encoding="utf-8")
            else:
                await execute(where, text, self.names)
        elif snippet.language == "console":
            for command, shown in transcript(text):
                _, said = self._shell.run(command)
                assert is_like(said, shown), f"{where}: {command}\n{said}"
        elif snippet.language == "sh":
            code, said = self._shell.run(f"set -e\n{text}set +e")
            assert code == 0, f"{where}: {said}"
            self._wait_for_servers(text)

    def _adapted(self, text: str) -> str:
        for shown, free in self._ports.items():
            text = re.sub(rf"\b{shown}\b", free, text)
        return text

    def _wait_for_servers(self, text: str) -> None:
        for port in re.findall(r"--port (\d+).* &$", text, re.MULTILINE):
            deadline = time.monotonic() + _LIMIT
            while True:
                try:
                    socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
                except OSError:
                    assert time.monotonic() < deadline, f"nothing listens on {port}"
                    time.sleep(0.02)
                else:
                    break
