"""The chapter on web backends, taken at its word."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from textwrap import indent

import pytest
from documents import ROOT, blocks, text

import itwin_async
from itwin_async.emulator import EmulatorThread

CHAPTER = text("docs/web-backends.md")
SNIPPETS = blocks("docs/web-backends.md", "python")
FOREIGN = ("fastapi", "litestar", "opentelemetry")


def test_every_snippet_runs_after_the_one_before(tmp_path: Path) -> None:
    shown = [
        part for part in SNIPPETS if all(name not in part or find_spec(name) for name in FOREIGN)
    ]
    program = "\n".join(
        ["async def main():", indent("\n".join(shown), "    "), "asyncio.run(main())"]
    )
    with EmulatorThread(itwins=2, imodels=250) as emulator:
        tmp_path.joinpath("token").write_text(emulator.token)
        tmp_path.joinpath("main.py").write_text(
            "import asyncio\n" + program.replace("http://127.0.0.1:4242", emulator.base_url)
        )
        done = run("exec python -W error main.py", tmp_path)
        itwins = emulator.state.itwins
        assert {answer.status for answer in emulator.requests} == {200, 204}
    names, rows = done[: len(itwins)], [json.loads(row) for row in done if row.startswith("{")]
    assert names == [itwin.display_name for itwin in itwins.values()]
    assert [row["id"] for row in rows] == list(emulator.state.imodels)[:250] * 2  # two streams
    assert [row for row in done[len(itwins) :] if row[0] != "{"] == ["2 2", "250 0", "1"]


@pytest.mark.skipif(which("curl") is None, reason="the chapter uses curl")
def test_the_shell_snippets_run_as_they_are(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    script = "\n".join([*blocks("docs/web-backends.md", "sh"), "kill %1 %2", "wait"])
    for port in ("4242", "8000"):
        assert port in script
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = str(probe.getsockname()[1])
        script = script.replace(port, free)
    # What is installed is what is tested, and uvicorn's own port may be taken.
    commands = {
        "pip": "exit 0 #",
        "uvicorn": f"exec python -m uvicorn --port {free}",
        "itwin-async": "exec python -m itwin_async.cli",
    }
    for name, command in commands.items():
        tmp_path.joinpath(name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        tmp_path.joinpath(name).chmod(0o755)
    rows = [json.loads(row) for row in run(script, tmp_path) if row.startswith("{")]
    assert len(rows) == 10  # of the emulator's 12 favorites, those that are not inactive
    assert "`kill %1 %2`" in CHAPTER


def run(script: str, folder: Path) -> list[str]:
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_table_of_errors_is_what_the_examples_do() -> None:
    rows = re.findall(r"^\| (`\w+Error`.*?) \| (.*?) \|", CHAPTER, re.MULTILINE)
    told = {name: answer for names, answer in rows for name in re.findall(r"\w+Error", names)}
    roots = {"ITwinError", "ApiError", "RequestError"}
    known = {name for name in itwin_async.__all__ if name.endswith("Error")} - roots
    assert set(told) == known
    for example in ("aiohttp_app", "fastapi_app"):
        status_of = importlib.import_module(f"examples.{example}").status_of
        for name, answer in told.items():
            error = made(getattr(itwin_async, name))
            status = status_of(error)
            assert str(status) in answer or "error.status" in answer, name


def made(cls: type[itwin_async.ITwinError]) -> itwin_async.ITwinError:
    statuses = {
        "AuthenticationError": 401,
        "PermissionDeniedError": 403,
        "NotFoundError": 404,
        "ConflictError": 409,
        "InvalidRequestError": 422,
        "RateLimitError": 429,
        "ServerError": 500,
    }
    if issubclass(cls, itwin_async.ApiError):
        return cls("x", status=statuses[cls.__name__])
    if cls is itwin_async.FileTransferError:
        return itwin_async.FileTransferError("x", name="y")
    if cls is itwin_async.ArgumentError:
        return itwin_async.ArgumentError("x")
    if cls is itwin_async.OperationFailedError:
        return itwin_async.OperationFailedError("x", id="y", state="failed")
    if cls is itwin_async.TransportError:
        return itwin_async.TransportError("x", sent=True)
    return cls("x")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", CHAPTER):
        assert (ROOT / "docs" / target).exists(), target
