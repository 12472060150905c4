"""Options that choose iTwins and files of ids, alike in every command."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from commands import rows, run

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread

BOTH = ["--status", "Trial", "--status", "inactive"]


@pytest.fixture(autouse=True)
def statuses(emulator: EmulatorThread) -> None:
    known, words = emulator.state.itwins, ("Active", "Inactive", "Trial", "Active")
    for (key, one), status in zip([*known.items()], words, strict=True):
        known[key] = attrs.evolve(one, status=status)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 3),
        (["--include-inactive"], 4),
        (["--status", "Inactive"], 1),
        (BOTH, 2),
        (["--status", "Trial,Inactive"], 2),
        (["--search", "harbour"], 1),
    ],
)
def test_the_same_itwins_everywhere(
    emulator: EmulatorThread, tmp_path: Path, options: list[str], count: int
) -> None:
    listed = {row["id"] for row in rows(emulator, "favorites", "itwins", *options)}
    assert len(listed) == count
    of_imodels = rows(emulator, "favorites", "imodels", *options)
    assert {row["iTwinId"] for row in of_imodels} == listed
    what = ["--what", "favorite-itwins", "--what", "favorite-imodels,tags", "-q"]
    filtered = [*what, "--of", "favorite-itwins", *options]
    done = run(emulator, "harvest", "out.db", *filtered, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tables = harvest.status(tmp_path / "out.db").tables
    assert list(tables) == ["favorite_itwins", "favorite_imodels", "tags"]
    assert (tables["favorite_itwins"], tables["favorite_imodels"]) == (count, len(of_imodels))


def test_a_limit_holds_over_several_statuses(emulator: EmulatorThread) -> None:
    assert len(rows(emulator, "favorites", "itwins", *BOTH, "--limit", "1")) == 1


@pytest.mark.parametrize("command", [["favorites", "itwins"], ["harvest", "out.db"]])
def test_wrong_filters(emulator: EmulatorThread, tmp_path: Path, command: list[str]) -> None:
    for options in (["--status", "asleep"], [*BOTH, "--include-inactive"], ["--sub-class", "x"]):
        done = run(emulator, *command, *options, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["file", "stdin"])
def test_one_syntax_of_id_files(emulator: EmulatorThread, tmp_path: Path, where: str) -> None:
    one, *_ = [str(row["id"]) for row in rows(emulator, "favorites", "itwins")]
    text = f"\ufeff# mine\r\n\r\n{one}  # first\r\n{one.upper()}\r\n"
    (tmp_path / "ids.txt").write_text(text)
    name, at = ("-", "-") if where == "stdin" else ("ids.txt", "@ids.txt")
    stdin = text if where == "stdin" else ""
    told = f"{'standard input' if where == 'stdin' else 'ids.txt'}: 1 id; 1 repeated\n"
    done = run(emulator, "harvest", "out.db", "--itwins", name, cwd=tmp_path, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(told)
    assert {key for key, _ in harvest.read(tmp_path / "out.db")} == {one}
    options = ["--itwins", name, "--ndjson"]
    done = run(emulator, "favorites", "imodels", *options, cwd=tmp_path, stdin=stdin)
    assert {json.loads(line)["iTwinId"] for line in done.stdout.splitlines()} == {one}
    assert done.stderr == told
    emulator.clear_requests()
    done = run(emulator, "favorites", "add", "itwin", at, cwd=tmp_path, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, told)
    assert emulator.request_count == 1


def test_empty_files_are_said(emulator: EmulatorThread, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# none\n")
    for arguments in (
        ["harvest", "out.db", "--itwins", "ids.txt"],
        ["harvest", "out.db", "--what", "changesets", "--imodels", "ids.txt"],
        ["favorites", "imodels", "--itwins", "ids.txt"],
        ["favorites", "add", "itwin", "@ids.txt"],
        ["tag", "delete", "@ids.txt"],
        ["imodels", "delete", "@none.txt"],
    ):
        done = run(emulator, *arguments, cwd=tmp_path)
        assert done.returncode == 2, arguments
        assert done.stderr.count("\n") == 1
    assert emulator.request_count == 0
