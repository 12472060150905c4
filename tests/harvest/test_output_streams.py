"""Every option that names a file writes through what is no plain file, and never replaces it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import COMMAND, environment, run

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs of POSIX")

# The option that names a file, and what its content begins with.
OPTIONS = {
    "report": (["harvest", "out.db", "--full", "-q", "--report"], b"{"),
    "changes": (["harvest", "out.db", "--full", "--refresh", "-q", "--changes"], b""),
    "geojson": (["export", "out.db", "--geojson"], b'{"type":"FeatureCollection"'),
    "png": (["map", "out.db", "--png"], b"\x89PNG"),
    "api": (["api", "/itwins/favorites", "--output"], b"{"),
}


@pytest.fixture(scope="module")
def platform() -> Iterator[EmulatorThread]:
    pytest.importorskip("click")
    with EmulatorThread(itwins=4, imodels=7) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def folder(platform: EmulatorThread, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    assert run(platform, "harvest", "out.db", "--full", cwd=folder).returncode == 0
    return folder


@pytest.fixture(params=OPTIONS)
def option(request: pytest.FixtureRequest) -> tuple[list[str], bytes]:
    if request.param == "png":
        pytest.importorskip("matplotlib")
    return OPTIONS[request.param]


@pytest.fixture
def names(folder: Path, tmp_path: Path) -> Iterator[list[str]]:
    """What lies in the folder stays as it is."""
    before = sorted(path.name for path in folder.iterdir())
    yield before
    assert sorted(path.name for path in folder.iterdir()) == before


def call(
    platform: EmulatorThread,
    folder: Path,
    arguments: list[str],
    output: str,
    *,
    shell: str | None = None,
    stdout: int = subprocess.PIPE,
) -> bytes:
    command = [*COMMAND, *arguments, output]
    if shell is not None:
        command = ["bash", "-c", shell, *COMMAND, *arguments]
    done = subprocess.run(
        command,
        env=environment(platform),
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout or b""


@pytest.mark.usefixtures("names")
def test_the_standard_output_of_every_option(
    platform: EmulatorThread, folder: Path, option: tuple[list[str], bytes], tmp_path: Path
) -> None:
    arguments, start = option
    device = Path("/dev/stdout").lstat()
    with (tmp_path / "log").open("wb") as file:
        os.write(file.fileno(), b"before\n")
        call(platform, folder, arguments, "/dev/stdout", stdout=file.fileno())
        os.write(file.fileno(), b"after\n")
        assert os.path.samestat(os.fstat(file.fileno()), (tmp_path / "log").stat())
    written = (tmp_path / "log").read_bytes()
    assert written.startswith(b"before\n" + start)
    assert written.endswith(b"after\n")
    assert os.path.samestat(Path("/dev/stdout").lstat(), device)
    assert stat.S_ISLNK(device.st_mode)


@pytest.mark.usefixtures("names")
def test_a_fifo_for_every_option(
    platform: EmulatorThread, folder: Path, option: tuple[list[str], bytes], tmp_path: Path
) -> None:
    arguments, start = option
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with reading(pipe) as read:
        call(platform, folder, arguments, str(link))
    assert read[0].startswith(start)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert link.is_symlink()


@contextmanager
def reading(pipe: Path) -> Iterator[list[bytes]]:
    """Read a FIFO in a thread."""
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    yield read
    reader.join(30)


@pytest.mark.usefixtures("names")
def test_process_substitution(platform: EmulatorThread, folder: Path) -> None:
    arguments, start = OPTIONS["report"]
    shell = '"$0" "$@" >(cat) | cat'
    assert call(platform, folder, arguments, "", shell=shell).startswith(start)
    assert call(platform, folder, arguments, "/proc/self/fd/1").startswith(start)


@pytest.mark.usefixtures("names")
def test_a_file_that_is_open_already(folder: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as file:
        file.write(b"before\n")
        file.flush()
        for name in (f"/proc/self/fd/{file.fileno()}", f"/dev/fd/{file.fileno()}"):
            harvest.export_geojson(folder / "out.db", name)
        assert os.path.samestat(os.fstat(file.fileno()), (tmp_path / "log").stat())
    written = (tmp_path / "log").read_bytes()
    assert written.startswith(b"before\n{")
    assert written.count(b'"FeatureCollection"') == 2


@pytest.mark.usefixtures("names")
def test_a_device(folder: Path) -> None:
    before = Path("/dev/null").lstat()
    harvest.export_geojson(folder / "out.db", "/dev/null")
    assert os.path.samestat(Path("/dev/null").lstat(), before)
    assert stat.S_ISCHR(before.st_mode)


@pytest.mark.usefixtures("names")
def test_files_with_several_names(folder: Path, tmp_path: Path) -> None:
    real, soft, hard = tmp_path / "real", tmp_path / "soft", tmp_path / "hard"
    real.write_bytes(b"x" * 500_000)
    soft.symlink_to(real)
    hard.hardlink_to(real)
    for name in (soft, hard):
        harvest.export_geojson(folder / "out.db", name)
        assert soft.is_symlink()
        assert hard.samefile(real)
        assert json.loads(real.read_bytes())["features"]
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "later")
    harvest.export_geojson(folder / "out.db", dangling)
    assert dangling.is_symlink()
    assert json.loads((tmp_path / "later").read_bytes())["features"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "real", "soft", "hard", "dangling", "later",
    }  # fmt: skip


def test_a_closed_descriptor_is_an_error_and_makes_no_file(folder: Path) -> None:
    for name in ("/proc/self/fd/777", "/dev/fd/777"):
        with pytest.raises(harvest.TargetError, match="777"):
            harvest.export_geojson(folder / "out.db", name)


def test_a_folder_that_takes_no_new_names(folder: Path, tmp_path: Path) -> None:
    """A file in it that may be written is; the superuser may do anything and proves nothing."""
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (tmp_path / "out.json").touch()
    tmp_path.chmod(0o500)
    try:
        harvest.export_geojson(folder / "out.db", tmp_path / "out.json")
        assert json.loads((tmp_path / "out.json").read_text())["features"]
    finally:
        tmp_path.chmod(0o700)
