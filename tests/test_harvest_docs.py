"""Every command in the chapter on harvests runs, one after another, against the emulator."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run
from documents import blocks, text

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread

TEXT = text("docs/harvest.md")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in blocks("docs/harvest.md", "sh")
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=4, imodels=6) as emulator:
        yield emulator


def test_every_command_runs(emulator: EmulatorThread, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 4
    for program, *arguments in COMMANDS:
        assert program == "itwin-async"
        done = run(emulator, *arguments, cwd=tmp_path)
        assert done.returncode == 0, (arguments, done.stderr)
    assert harvest.status(tmp_path / "favorites.db").finished
    assert harvest.status(tmp_path / "favorites.db").items > 0
    assert "rectangles" in TEXT
    assert '"Polygon"' in (tmp_path / "extents.json").read_text(encoding="utf-8")


def test_every_option_that_is_named_is_one(emulator: EmulatorThread) -> None:
    known = "".join(
        run(emulator, *command, "--help").stdout for command in (["harvest"], ["export"], ["map"])
    )
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT))
    assert {
        "--itwins",
        "--imodels",
        "--of",
        "--full",
        "--fail-fast",
        "--report",
        "--quota",
    } <= named
    assert [option for option in sorted(named) if not re.search(rf"{option}\b", known)] == []


def test_every_list_is_named() -> None:
    (table,) = re.findall(r"^\| lists of .*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([a-z][a-z-]+)`", table)
    assert sorted(named) == sorted(harvest.list_names())


def test_every_source_that_is_named_is_one(emulator: EmulatorThread, tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)\(.*?\)` \| `([\w-]+)` \|", TEXT, re.MULTILINE)
    assert len(rows) == 5
    for function, what in rows:
        assert getattr(harvest, function)().name == what
        done = run(emulator, "harvest", f"{what}.ndjson", "--what", what, "-q", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert harvest.status(tmp_path / f"{what}.ndjson").finished
