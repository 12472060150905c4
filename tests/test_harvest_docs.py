"""What the chapter on harvests names is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run
from documents import text

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread

TEXT = text("docs/harvest.md")


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(itwins=4, imodels=6) as emulator:
        yield emulator


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
