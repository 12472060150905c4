"""The commands on targets that many machines may write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import rows, run
from harvest_truth import expected

from itwin_async.emulator import EmulatorThread


def test_harvested_told_exported_drawn(emulator: EmulatorThread, tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    done = run(emulator, "harvest", "out.delta", "--full", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    (tmp_path / "out.delta.spool").unlink()  # another machine
    told = run(emulator, "harvest", "status", "out.delta", "--json", cwd=tmp_path)
    found = json.loads(told.stdout)
    assert (found["state"], found["items"], found["lists_done"]) == ("complete", 28, 4)
    assert run(emulator, "harvest", "check", "out.delta", "-q", cwd=tmp_path).returncode == 0
    items = [
        (item["list"], item["id"]) for item in rows(emulator, "export", "out.delta", cwd=tmp_path)
    ]
    assert sorted(items) == expected(emulator)
    done = run(emulator, "export", "out.delta", "--geojson", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["features"]
    assert (
        run(emulator, "harvest", "out.delta", "--full", "--refresh", cwd=tmp_path).returncode == 0
    )
    told = run(emulator, "harvest", "status", "out.delta", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["generation"] == 2


def test_an_output_in_the_folder_is_refused(emulator: EmulatorThread, tmp_path: Path) -> None:
    pytest.importorskip("deltalake")
    run(emulator, "harvest", "out.delta", "--full", cwd=tmp_path)
    for name in ("out.delta/x.json", "out.delta.spool"):
        done = run(emulator, "export", "out.delta", "--geojson", name, cwd=tmp_path)
        assert done.returncode != 0
        assert "is a file of the target" in done.stderr


@pytest.mark.parametrize("words", [["hidden-secret"], ["=hidden-secret"]])
def test_an_option_that_is_none_is_not_shown(
    emulator: EmulatorThread, tmp_path: Path, words: list[str]
) -> None:
    options = [part for word in words for part in ("--storage-option", word)]
    done = run(emulator, "harvest", "status", "s3://bucket/x.delta", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert "hidden-secret" not in done.stderr
    assert "NAME=VALUE" in done.stderr
