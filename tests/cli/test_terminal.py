"""What a person sees on a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import Terminal, rows, run

from itwin_async.emulator import EmulatorThread, Fault

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", [20, 80, 120])
@pytest.mark.parametrize("kind", ["itwins", "imodels"])
def test_a_table_fits(emulator: EmulatorThread, kind: str, width: int) -> None:
    terminal = Terminal(emulator, "favorites", kind, "--full", width=width)
    assert terminal.finish() == 0
    header, *table = terminal.lines
    assert header.split()[0] == "id"
    body = [line for line in table if re.match("[0-9a-f-]{36}", line)]
    assert len(body) == len(rows(emulator, "favorites", kind))
    assert all(len(line) <= max(width, 36) for line in [header, *body])


def test_columns_without_room_are_named(emulator: EmulatorThread) -> None:
    narrow = Terminal(emulator, "favorites", "imodels", "--full", width=80)
    narrow.finish()
    assert narrow.lines[0].split() == ["id", "name", "iTwin"]
    assert "no room for state, created, data center, extent" in " ".join(narrow.lines[-2:])
    wide = Terminal(emulator, "favorites", "imodels", "--full", width=200)
    wide.finish()
    assert wide.lines[-1] == "28 favorite iModels"
    assert "…" not in wide.raw


def test_colours_only_where_they_are_wanted(emulator: EmulatorThread) -> None:
    for arguments in (["favorites", "itwins"], ["favorites", "itwin"]):
        terminal = Terminal(emulator, *arguments)
        terminal.finish()
        assert re.search(r"\x1b\[(1;)?3\dm|\x1b\[31m", terminal.raw)
        terminal = Terminal(emulator, *arguments, NO_COLOR="1")
        terminal.finish()
        assert not re.search(r"\x1b\[[0-9;]*3\dm", terminal.raw)


def test_a_terminal_that_can_do_little(emulator: EmulatorThread) -> None:
    terminal = Terminal(emulator, "favorites", "itwins", TERM="dumb")
    assert terminal.finish() == 0
    assert "\x1b" not in terminal.raw
    assert len(terminal.lines) == 1 + len(rows(emulator, "favorites", "itwins"))


def test_forced_colours_cut_nothing_in_a_pipe(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "imodels", "--full", FORCE_COLOR="1")
    assert "\x1b[" in done.stdout
    assert "…" not in done.stdout
    assert done.stderr == ""


def test_an_empty_list_says_so(emulator: EmulatorThread) -> None:
    terminal = Terminal(emulator, "recents", "itwins", "--type", "Nothing of the kind")
    assert terminal.finish() == 0
    assert terminal.lines == ["No recently used iTwins."]


def test_a_change_is_confirmed(emulator: EmulatorThread) -> None:
    itwin = str(rows(emulator, "favorites", "itwins")[0]["id"])
    terminal = Terminal(emulator, "favorites", "remove", "itwin", itwin)
    assert terminal.finish() == 0
    assert terminal.lines == ["1 iTwin removed from your favorites"]


def test_progress_is_shown_and_taken_away(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", times=None, latency=0.8))
    with (tmp_path / "rows").open("wb") as file:
        terminal = Terminal(emulator, "favorites", "imodels", "--ndjson", stdout=file.fileno())
        terminal.read_until("favorite iModels")
        assert terminal.finish() == 0
    assert len((tmp_path / "rows").read_text().splitlines()) == 28
    assert "\x1b[?25h" in terminal.raw[terminal.raw.rindex("\x1b[?25l") :], "the cursor is gone"
    assert terminal.raw.rstrip("\r\n").endswith("\x1b[2K"), "the progress was left on the screen"


def test_why_it_waits(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(times=1, status=429, retry_after=2))
    terminal = Terminal(emulator, "favorites", "itwins")
    terminal.read_until("(429)")
    assert terminal.finish() == 0
    assert any("trying again in" in line for line in terminal.lines)


def test_ctrl_c_gives_the_terminal_back(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(times=None, latency=60))
    terminal = Terminal(emulator, "favorites", "itwins")
    terminal.read_until("favorite iTwins")
    terminal.type(b"\x03")
    assert terminal.finish() == 130
    assert terminal.lines[-1].endswith("itwin-async: interrupted")
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")
    assert "Traceback" not in terminal.raw


def test_an_error_does_not_tear_the_progress_line(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(times=None, status=403, latency=0.8))
    terminal = Terminal(emulator, "favorites", "itwins")
    assert terminal.finish() == 3
    assert terminal.lines[-1].startswith("itwin-async: 403")
