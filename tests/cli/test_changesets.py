from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from blob_storage import IMODEL, TOKEN, Fault, Servers, servers_in_a_thread
from commands import Terminal, rows, run, started, until

MB = 2**20


@attrs.frozen
class Platform:
    """What the helpers of the command line take for an emulator."""

    base_url: str
    token: str


@pytest.fixture
def servers() -> Iterator[Servers]:
    with servers_in_a_thread() as servers:
        for index in range(1, 6):
            servers.platform.add(index, bytes([index]) * index * 1000)
        yield servers


@pytest.fixture
def platform(servers: Servers) -> Platform:
    return Platform(servers.platform.url, TOKEN)


def download(platform: Platform, folder: Path, *options: str) -> tuple[int, str]:
    done = run(platform, "changesets", "download", IMODEL, str(folder), *options)  # type: ignore[arg-type]
    return done.returncode, done.stderr


def test_files_come_and_are_kept(servers: Servers, platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert download(platform, folder, "--after-index", "1", "--last-index", "3") == (0, "")
    assert len(list(folder.iterdir())) == 2
    assert download(platform, folder) == (0, "")
    assert len(list(folder.iterdir())) == 5
    assert len(servers.storage.asked) == 5
    assert (folder / f"{4:040x}.cs").read_bytes() == b"\4" * 4000


def test_failures_are_lines_and_an_exit_code(
    servers: Servers, platform: Platform, tmp_path: Path
) -> None:
    servers.storage.fail(f"/container/{2:040x}", Fault(status=404, code="BlobNotFound"))
    code, told = download(platform, tmp_path, "--concurrency", "1")
    assert code == 4
    (line,) = told.splitlines()
    assert f"{2:040x}" in line
    assert "BlobNotFound" in line
    assert "sig=" not in line
    assert len(list(tmp_path.iterdir())) == 4
    assert download(platform, tmp_path) == (0, "")


def test_wrong_usage_is_refused(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert download(platform, tmp_path / "file")[0] == 2
    assert download(platform, tmp_path, "--concurrency", "0")[0] == 2
    assert download(platform, tmp_path, "--after-index", "-1")[0] == 2


def test_they_are_listed(platform: Platform) -> None:
    found = rows(platform, "changesets", "list", IMODEL, "--after-index", "2")  # type: ignore[arg-type]
    assert [row["index"] for row in found] == [3, 4, 5]
    found = rows(platform, "changesets", "list", IMODEL, "--limit", "2")  # type: ignore[arg-type]
    assert [row["index"] for row in found] == [1, 2]


def test_verbose_shows_no_address(platform: Platform, tmp_path: Path) -> None:
    command = ("changesets", "download", IMODEL, str(tmp_path), "--verbose")
    with started(platform, *command) as child:  # type: ignore[arg-type]
        _, told = child.communicate(timeout=60)
    assert child.returncode == 0
    assert "/container/" in told
    assert "sig=" not in told


def test_it_goes_on_after_a_signal(servers: Servers, platform: Platform, tmp_path: Path) -> None:
    path = servers.platform.add(6, bytes(6 * MB))
    servers.storage.pace = 0.02
    command = ("changesets", "download", IMODEL, str(tmp_path))
    with started(platform, *command) as child:  # type: ignore[arg-type]
        until(lambda: servers.storage.sent.get(path, 0) > 3 * MB)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    servers.storage.pace = 0.0
    time.sleep(0.1)
    assert download(platform, tmp_path) == (0, "")
    assert (tmp_path / f"{6:040x}.cs").read_bytes() == bytes(6 * MB)
    assert servers.storage.asked[-1].range is not None
    assert len(list(tmp_path.iterdir())) == 6


def test_a_terminal_shows_how_far_it_is(
    servers: Servers, platform: Platform, tmp_path: Path
) -> None:
    servers.platform.add(6, bytes(6 * MB))
    servers.storage.pace = 0.02
    terminal = Terminal(platform, "changesets", "download", IMODEL, str(tmp_path))  # type: ignore[arg-type]
    terminal.read_until("5 changesets")
    assert terminal.finish() == 0
    assert any("6 changesets, 6.3 MB" in line for line in terminal.lines)
