"""What is installed by the wheel alone, and by the extra `testing` alone."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from documents import ROOT

pytestmark = pytest.mark.slow
CONTAINER = ROOT / "examples" / "container"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("*.whl"))


def pip(python: str | Path, *words: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "No matching distribution found" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr


def environment(folder: Path, requirement: str) -> Path:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip(folder / "bin" / "python", "install", requirement)
    return folder / "bin"


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[tuple[str, str]]:
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def get(url: str, token: str) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as response:
        return int(response.status)


def test_the_command_works_with_the_extra_testing_alone(wheel: Path, tmp_path: Path) -> None:
    binaries = environment(tmp_path / "venv", f"itwin-async[testing] @ {wheel.as_uri()}")
    command = [str(binaries / "itwin-async"), "emulator", "--tls", "--ca-file", "ca.pem"]
    with running(command, tmp_path) as (url, _):
        assert url.startswith("https://")
    with running(command[:2], tmp_path) as (url, token):
        assert get(f"{url}/itwins/favorites", token) == 200
    tmp_path.joinpath("test_it.py").write_text("def test_it(itwin_emulator_url): ...")
    subprocess.run([binaries / "python", "-m", "pytest", "-q"], cwd=tmp_path, check=True)


def test_the_commands_of_the_container(wheel: Path, tmp_path: Path) -> None:
    lines = CONTAINER.joinpath("Containerfile").read_text().replace("\\\n", " ").splitlines()
    steps = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    pattern, folder = steps["COPY"].split()
    assert Path(wheel.name).match(pattern)
    installed = re.match(r"python -m pip install --no-cache-dir (\S+)", steps["RUN"])
    assert installed is not None
    assert installed[1] == f"{folder}{pattern}"
    binaries = environment(tmp_path / "venv", str(wheel))
    port = free_port()

    def words(text: str) -> list[str]:
        text = text.replace("8080", port).replace("/data/", f"{tmp_path}/")
        python, *rest = json.loads(text)
        return [str(binaries / python) if python == "python" else python, *rest]

    state = tmp_path / "world.json"
    with running([*words(steps["ENTRYPOINT"]), *words(steps["CMD"])], tmp_path) as (_, token):
        check = steps["HEALTHCHECK"].partition("CMD ")[2]
        subprocess.run(words(check), check=True)
        assert get(f"http://127.0.0.1:{port}/itwins/favorites", token) == 200
    assert json.loads(state.read_text())["itwins"]
    assert subprocess.run(words(check), check=False, capture_output=True).returncode != 0


def test_the_compose_file_names_what_is_there() -> None:
    compose = CONTAINER.joinpath("compose.yaml").read_text()
    assert "dockerfile: Containerfile" in compose
    options = re.search(r"platform:\n.*?command: (\[.*?\])", compose, re.DOTALL)
    assert options is not None
    from itwin_async.emulator.command import parser

    assert parser().parse_args(json.loads(options[1])).strict
