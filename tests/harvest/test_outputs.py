"""What is written is never what is read or kept, and never half there."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import environment, run
from harvest_truth import NEEDS, found

from itwin_async import Session, harvest
from itwin_async.emulator import EmulatorThread

FULL = harvest.favorite_imodels().full()
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs of POSIX")


@pytest.fixture(params=["out.db", "out.ndjson", "out.parquet"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    pytest.importorskip("click")
    with EmulatorThread(itwins=4, imodels=7) as emulator:
        yield emulator


def others(target: Path) -> Iterator[Path]:
    """Names that are, or lead to, a file of the target."""
    folder = target.parent
    yield target
    yield folder / "." / target.name
    yield folder / target.name.upper()
    (folder / "link").symlink_to(target)
    yield folder / "link"
    (folder / "around").symlink_to(folder)
    yield folder / "around" / target.name
    if target.is_dir():
        yield next(target.glob("part-*.parquet"))
        yield target / "anything.json"
    else:
        (folder / "hard").hardlink_to(target)
        yield folder / "hard"
    yield folder / f"{target.name}.lock"
    if target.suffix != ".db":
        yield folder / f"{target.name}.state"
        yield folder / f"{target.name}.state-wal"


async def test_a_target_is_not_overwritten(session: Session, target: Path) -> None:
    await harvest.run(session, FULL, target)
    before = found(target)
    for path in others(target):
        with pytest.raises(harvest.TargetError):
            harvest.export_geojson(target, path)
        with pytest.raises(harvest.TargetError):
            harvest.draw_map(target, path)
        assert found(target) == before
    harvest.check(target)
    left = {path.name for path in target.parent.iterdir()}
    beside = {f"{target.name}.state"} if target.suffix != ".db" else set()
    assert left - {"link", "around", "hard"} == {target.name} | beside


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
def test_a_report_over_what_is_kept_or_read(
    platform: EmulatorThread, tmp_path: Path, name: str
) -> None:
    (tmp_path / "ids.txt").write_text(next(iter(platform.state.itwins)))
    (tmp_path / ".env").write_text("MINE=1\n")
    (tmp_path / "link.json").symlink_to("ids.txt")
    base = ["harvest", name, "--itwins", "ids.txt"]
    reports = [name, f"./{name}", name.upper(), f"{name}.lock", f"{name}.state-wal", "ids.txt"]
    if name == "out.db":
        reports.remove("out.db.state-wal")
    for report in [*reports, "link.json", ".env", "no/where.json", "."]:
        platform.clear_requests()
        done = run(platform, *base, "--report", report, cwd=tmp_path)
        assert done.returncode == 2, report
        assert len(done.stderr.splitlines()) == 1
        assert platform.request_count == 0
        assert not (tmp_path / name).exists()
    assert (tmp_path / ".env").read_text() == "MINE=1\n"
    assert run(platform, *base, "--report", "report.json", cwd=tmp_path).returncode == 0
    assert harvest.status(tmp_path / name).finished
    assert json.loads((tmp_path / "report.json").read_text())["finished"]


def test_a_target_over_its_ids(platform: EmulatorThread, tmp_path: Path) -> None:
    for target, ids in [("a.db", "a.db"), ("b.ndjson", "b.ndjson.state"), ("c.db", "c.db.lock")]:
        (tmp_path / ids).write_text(next(iter(platform.state.itwins)))
        before = (tmp_path / ids).read_bytes()
        done = run(platform, "harvest", target, "--itwins", ids, cwd=tmp_path)
        assert done.returncode == 2
        assert (tmp_path / ids).read_bytes() == before


def test_outputs_that_may_be_written(platform: EmulatorThread, tmp_path: Path) -> None:
    run(platform, "harvest", "out.db", "--full", cwd=tmp_path)
    (tmp_path / "other.db").write_text("mine")
    for output in ("out.db.json", "other.db", "out.geojson"):
        done = run(platform, "export", "out.db", "--geojson", output, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / output).read_text())["features"]


async def test_what_fails_leaves_the_old_file(session: Session, tmp_path: Path) -> None:
    target, old = tmp_path / "out.ndjson", tmp_path / "old.json"
    await harvest.run(session, FULL, target)
    old.write_text("old")
    data = target.read_bytes()
    target.write_bytes(data[: len(data) // 2] + b"\0" * (len(data) - len(data) // 2))
    with pytest.raises(harvest.TargetError):
        harvest.export_geojson(target, old)
    assert old.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {
        "out.ndjson",
        "out.ndjson.state",
        "old.json",
    }


async def test_links_and_modes_stay(session: Session, tmp_path: Path) -> None:
    target, real, link = tmp_path / "out.db", tmp_path / "real.json", tmp_path / "link.json"
    await harvest.run(session, FULL, target)
    real.touch(0o600)
    link.symlink_to(real)
    harvest.export_geojson(target, link)
    assert link.is_symlink()
    assert json.loads(real.read_text())["features"]
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


async def test_a_pipe_is_written_through(session: Session, tmp_path: Path) -> None:
    target, pipe = tmp_path / "out.db", tmp_path / "pipe"
    await harvest.run(session, FULL, target)
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    harvest.export_geojson(target, pipe)
    reader.join(30)
    assert json.loads(read[0])["features"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def command(platform: EmulatorThread, tmp_path: Path, *arguments: str, **options: Any) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "itwin_async.cli", *arguments],
        env=environment(platform),
        cwd=tmp_path,
        timeout=60,
        check=False,
        stderr=subprocess.PIPE,
        **options,
    )


def test_a_report_to_stdout(platform: EmulatorThread, tmp_path: Path) -> None:
    arguments = ("harvest", "out.db", "-q", "--report", "/dev/stdout")
    done = command(platform, tmp_path, *arguments, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["finished"]
    with (tmp_path / "file.json").open("wb") as file:
        file.write(b"[")
        file.flush()
        done = command(platform, tmp_path, *arguments, stdout=file)
        assert done.returncode == 0, done.stderr
        os.lseek(file.fileno(), 0, os.SEEK_END)
        file.write(b"]")
    assert json.loads((tmp_path / "file.json").read_text())[0]["finished"]


def test_a_report_to_a_pipe_waits_for_no_reader(platform: EmulatorThread, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    done = command(platform, tmp_path, "harvest", "out.db", "--report", "pipe")
    reader.join(30)
    assert done.returncode == 0, done.stderr
    assert json.loads(read[0])["finished"]
