"""What ``docs/cli.md`` shows is what the commands say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import COMMAND, environment
from documents import blocks, text

from itwin_async.emulator import EmulatorThread

_DOCUMENT = "docs/cli.md"
_FENCE = "=" * 30


def _shown() -> list[tuple[str, str]]:
    """All commands of the document and the output below each."""
    found: list[tuple[str, str]] = []
    for block in blocks(_DOCUMENT, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def _pattern(output: str) -> str:
    return r"\s*\n".join(
        ".*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*")
        for line in output.splitlines()
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="the document uses jq")
def test_every_example(tmp_path: Path) -> None:
    shown = _shown()
    assert len(shown) > 20
    script = "\n".join(
        [f'itwin-async() {{ {" ".join(COMMAND)} "$@"; }}']
        + [f"{{ {command}\n}} 2>&1; echo {_FENCE}" for command, _ in shown]
    )
    with EmulatorThread(seed=0) as emulator:
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment(emulator, XDG_CONFIG_HOME=str(tmp_path / "settings")),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    outputs = done.stdout.split(f"{_FENCE}\n")[:-1]
    for (command, expected), said in zip(shown, outputs, strict=True):
        assert re.fullmatch(_pattern(expected) + r"\s*", said, re.DOTALL), f"{command}\n{said}"


def test_every_command_is_shown() -> None:
    shown = text(_DOCUMENT)
    for group, names in {
        "favorites": ("itwins", "imodels", "add", "remove"),
        "recents": ("itwins", "imodels", "add", "remove"),
        "tag": ("create", "list", "show", "rename", "delete"),
    }.items():
        for name in names:
            assert f"$ itwin-async {group} {name} " in shown
    for name in (
        "api",
        "call",
        "completion",
        "context",
        "doctor",
        "operations",
        "harvest",
        "export",
        "emulator",
    ):
        assert re.search(rf"^(\$ )?itwin-async {name}\b", shown, re.MULTILINE), name
