"""The commands harvest, export and map."""

from __future__ import annotations

import json
import re
import struct
import sys
from pathlib import Path

import pytest
from commands import Terminal, rows, run
from harvest_truth import expected, found

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread, Fault

SOURCES = ["favorite-imodels", "favorite-itwins", "recent-imodels", "recent-itwins", "tags"]


def test_harvested_told_exported_drawn(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "harvest", "out.db", "--full", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert re.fullmatch(r"out\.db: 28 items · 4 of 4 lists · 5 calls · [0-9.]+ s\n", done.stderr), (
        done.stderr
    )
    assert found(tmp_path / "out.db") == expected(emulator)

    told = run(emulator, "harvest", "status", "out.db", cwd=tmp_path)
    assert "prefer representation" in told.stdout
    assert "4 done of 4, 0 failed" in told.stdout
    assert told.stdout.splitlines()[-1].split() == ["state", "finished"]
    told = run(emulator, "harvest", "status", "out.db", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["items"] == 28

    done = run(emulator, "export", "out.db", "--geojson", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "out.json").read_text())
    assert data["type"] == "FeatureCollection"
    assert f"{len(data['features'])} features" in done.stderr
    (west, south), _, (east, north) = data["features"][0]["geometry"]["coordinates"][0][:3]
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90


def test_a_map(emulator: EmulatorThread, tmp_path: Path) -> None:
    run(emulator, "harvest", "out.db", "--full", cwd=tmp_path)
    done = run(emulator, "map", "out.db", "--png", "out.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    head = (tmp_path / "out.png").read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", head[16:])) > 400


@pytest.mark.parametrize("what", SOURCES)
def test_every_source(emulator: EmulatorThread, tmp_path: Path, what: str) -> None:
    itwin, *_ = emulator.state.itwins
    emulator.recent("demo", itwin)
    done = run(emulator, "harvest", "out.ndjson", "--what", what, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert harvest.status(tmp_path / "out.ndjson").source["source"] == what


def test_given_itwins(emulator: EmulatorThread, tmp_path: Path) -> None:
    itwin, *_ = emulator.state.itwins
    (tmp_path / "ids.txt").write_text(f"{itwin}  # the first\n")
    done = run(emulator, "harvest", "out.db", "--itwins", "ids.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {key for key, _ in found(tmp_path / "out.db")} == {itwin}


def test_lists_that_fail(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=2)
    done = run(emulator, "harvest", "out.db", "--report", "report.json", cwd=tmp_path)
    assert done.returncode == 7
    assert done.stderr.count("  failed: ") == 2
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["finished"]
    assert [failure["kind"] for failure in report["failures"]] == ["PermissionDeniedError"] * 2
    again = run(emulator, "harvest", "out.db", "--report", "report.json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "28 items (14 new)" in again.stderr
    assert json.loads((tmp_path / "report.json").read_text())["failures"] == []


def test_failing_fast(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fail("GET /imodels/favorites", status=403, after=1)
    options = ["--fail-fast", "--concurrency", "1", "--report", "report.json"]
    done = run(emulator, "harvest", "out.db", *options, cwd=tmp_path)
    assert done.returncode == 3
    kept, last = done.stderr.splitlines()
    assert "run the same again to go on" in kept
    assert "403" in last
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["finished"]
    assert "403" in report["error"]


def test_quiet(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "harvest", "out.db", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["harvest"], "Missing argument 'TARGET'"),
        (["harvest", "out.txt"], "a name that ends in .db"),
        (["harvest", "out.db", "--what", "everything"], "'everything' is not one of"),
        (["harvest", "out.db", "--page-size", "1001"], "1001"),
        (["harvest", "out.db", "--concurrency", "0"], "0"),
        (["harvest", "out.db", "--what", "favorite-itwins", "--itwins", "x"], "--itwins is for"),
        (["harvest", "out.db", "--itwins", "none.txt"], "a readable file"),
        (["harvest", "no/where.db"], "no/where.db"),
    ],
)
def test_wrong_usage_is_one_line(
    emulator: EmulatorThread, tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = run(emulator, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_summaries_have_no_place_on_a_map(emulator: EmulatorThread, tmp_path: Path) -> None:
    run(emulator, "harvest", "out.db", cwd=tmp_path)
    done = run(emulator, "export", "out.db", "--geojson", "out.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "harvest whole items (--full)" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.db"]


def test_a_bar_on_a_terminal(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", latency=0.3, times=None))
    target = str(tmp_path / "out.db")
    terminal = Terminal(emulator, "harvest", target, "--concurrency", "1", width=200)
    terminal.read_until("4 lists")
    assert terminal.finish() == 0
    assert any("/4 lists" in line and "━" in line for line in terminal.lines)
    assert any("calls" in line and "/s" in line for line in terminal.lines)
    assert "28 items · 4 of 4 lists" in terminal.lines[-1]


def test_plain_lines_elsewhere(
    emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itwin_async.cli.harvest_view._EVERY", 0.0)
    done = run(emulator, "harvest", "out.db", cwd=tmp_path)
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("out.db: ")
    assert "lists" in first
    assert "28 items · 4 of 4 lists" in last
    assert "\x1b" not in done.stderr


def test_status_while_it_runs_knows_no_end(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.fail("GET /imodels/favorites", status=401, times=None, after=1)
    done = run(emulator, "harvest", "out.ndjson", "--concurrency", "1", cwd=tmp_path)
    assert done.returncode == 3
    told = run(emulator, "harvest", "status", "out.ndjson", cwd=tmp_path)
    assert "not finished; run the same harvest to go on" in told.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_export_is_readable_by_others(emulator: EmulatorThread, tmp_path: Path) -> None:
    run(emulator, "harvest", "out.db", "--full", cwd=tmp_path)
    run(emulator, "export", "out.db", "--geojson", "out.json", cwd=tmp_path)
    assert (tmp_path / "out.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_given_itwins_on_standard_input(
    emulator: EmulatorThread, tmp_path: Path, encoding: str
) -> None:
    itwin, *_ = emulator.state.itwins
    stdin = f"{itwin}\r\n".encode(encoding).decode()
    done = run(emulator, "harvest", "out.db", "--itwins", "-", cwd=tmp_path, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert {key for key, _ in found(tmp_path / "out.db")} == {itwin}


def test_standard_input_that_is_no_text(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "harvest", "out.db", "--itwins", "-", cwd=tmp_path, stdin="a\0b")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes there")
def test_a_target_name_that_is_no_utf_8(emulator: EmulatorThread, tmp_path: Path) -> None:
    name = "caf\udce9.ndjson"
    done = run(emulator, "harvest", name, "--full", "--report", "r.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["finished"]
    for arguments in (["status", name], ["status", name, "--json"], ["check", name]):
        done = run(emulator, "harvest", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "ndjson" in done.stdout
    done = run(emulator, "export", name, "--geojson", "\udcff.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_items_are_exported_in_every_form(emulator: EmulatorThread, tmp_path: Path) -> None:
    listed = rows(emulator, "favorites", "itwins")
    lists = "favorite-itwins,favorite-imodels"
    assert run(emulator, "harvest", "out.db", "--what", lists, "-q", cwd=tmp_path).returncode == 0
    export = ["export", "out.db", "--from", "favorite_itwins"]
    found = rows(emulator, *export, cwd=tmp_path)
    own = {"list", "list_name", "harvested_at", "first_seen", "last_seen", "removed_at"}
    assert all(own <= row.keys() for row in found)
    assert [{name: row[name] for name in row.keys() - own} for row in found] == listed
    names = run(emulator, *export, "--jq", ".displayName", cwd=tmp_path).stdout
    assert names.splitlines() == [row["displayName"] for row in listed]
    header, *lines = run(emulator, *export, "--csv", "--columns", "id", cwd=tmp_path).stdout.split()
    assert (header, lines) == ("id", [row["id"] for row in listed])
    for mistake in (
        ["export", "out.db"],
        ["export", "out.db", "--from", "favorite_itwin"],
        ["export", "out.db", "--geojson", "x.json", "--csv"],
    ):
        done = run(emulator, *mistake, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1


def test_a_refresh_and_its_changes(emulator: EmulatorThread, tmp_path: Path) -> None:
    command = ["harvest", "all.db", "--what", "itwins,imodels", "--changes", "changes.ndjson"]
    twin = emulator.add_itwin("Short-lived")
    model = emulator.add_imodel(twin.id, "M")
    first = run(emulator, *command, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    emulator.remove_itwin(twin.id)
    done = run(emulator, *command, "--refresh", "--json", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["generation"], report["resumed"], report["complete"]) == (2, False, True)
    assert report["changes"] == {"added": 0, "changed": 0, "removed": 2}
    lines = [json.loads(line) for line in (tmp_path / "changes.ndjson").read_text().splitlines()]
    assert {(line["change"], line["table"], line["id"]) for line in lines} == {
        ("removed", "itwins", twin.id),
        ("removed", "imodels", model.id),
    }
    told = json.loads(run(emulator, "harvest", "status", "all.db", "--json", cwd=tmp_path).stdout)
    assert (told["generation"], told["refresh"], told["complete"]) == (2, None, True)
    assert told["started_at"] < told["finished_at"]
    assert "generation 2" in run(emulator, "harvest", "status", "all.db", cwd=tmp_path).stdout


def test_a_changes_file_that_belongs_to_the_target(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    for name in ("all.db", "all.db.refresh"):
        done = run(emulator, "harvest", "all.db", "--changes", name, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
    assert not [*tmp_path.iterdir()]
