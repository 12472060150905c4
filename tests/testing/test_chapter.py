"""The testing chapter, taken at its word: every snippet is pasted into a project and run."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from documents import blocks, sections, text
from inner_pytest import Run

import _itwin_async_pytest as plugin
from itwin_async.emulator import Emulator

CHAPTER = text("docs/testing.md")
SECTIONS = sections("docs/testing.md")
WORLD = '{"itwins": [{"displayName": "Harbour", "imodels": [{"displayName": "Pier"}]}]}'
MODULE = re.compile(r"^(async )?def test_|^@pytest.fixture", re.MULTILINE)


@pytest.mark.parametrize("title", SECTIONS)
def test_the_snippets_of_a_section_work(title: str, run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("world.json").write_text(WORLD)
    modules, lines = [], list[str]()
    for block in SECTIONS[title]:
        if MODULE.search(block):
            modules.append(block)
        elif block.startswith("@"):
            modules.append(marked_tests(block))
        else:
            lines += block.splitlines()
    passed = sum(len(re.findall(r"def test_", module)) for module in modules)
    if lines:
        fixtures = sorted(set(re.findall(r"\bitwin_(?:emulator|session|time)\b", "\n".join(lines))))
        head = f"@pytest.mark.asyncio\nasync def test_lines({', '.join(fixtures)}):"
        modules.append("\n".join([head, *(f"    {line}" for line in lines)]))
        passed += 1
    if title == "Settings":
        modules.append(
            "@pytest.mark.asyncio\n"
            "async def test_settings(itwin_session, itwin_emulator):\n"
            "    await itwin_session.request('GET', '/itwins/favorites')\n"
            "    assert itwin_emulator.requests[0].user == 'ana'\n"
            "    assert len(itwin_emulator.state.itwins) == 2\n"
        )
        passed += 1
    result = run("\n\n".join(["import pytest", *modules]), mode="strict")
    result.assert_outcomes(passed=passed)


def marked_tests(marks: str) -> str:
    """Put each of the marks above a test, which says in its name what it begins with."""
    starts = [match.start() for match in re.finditer(r"^@", marks, re.MULTILINE)]
    pieces = [marks[a:b] for a, b in zip(starts, [*starts[1:], len(marks)], strict=True)]
    counts = [0, 3, 1, 1]
    return "\n".join(
        f"{piece}def test_world_{place}(itwin_emulator):\n"
        f"    assert len(itwin_emulator.state.itwins) == {count}\n"
        for place, (piece, count) in enumerate(zip(pieces, counts, strict=True))
    )


def test_what_is_to_be_installed() -> None:
    install, _ = blocks("docs/testing.md", "sh")
    command, verb, *wanted = shlex.split(install)
    assert (command, verb) == ("pip", "install")
    names = "itwin-async[testing]", "pytest-asyncio"
    assert tuple(wanted) == names


@pytest.mark.parametrize("which", [0, 2], ids=["command", "module"])
def test_the_emulator_is_served_and_controlled(which: int, tmp_path: Path) -> None:
    _, serve = blocks("docs/testing.md", "sh")
    line = re.split(r"( # or: )", serve.strip())[which]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    words = shlex.split(line.replace("8080", url.rpartition(":")[2]))
    programs = {"itwin-async": ["-m", "itwin_async.cli"], "python": []}
    command = [sys.executable, *programs[words[0]], *words[1:]]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline().strip() == url
            token = child.stdout.readline().strip()
            send_what_the_table_says(url, token)
        finally:
            child.terminate()


def send_what_the_table_says(url: str, token: str) -> None:
    found = re.findall(r"`(GET|POST) (/_emulator/\S+)`(?: `(\{.*?\})`)?", CHAPTER)
    assert len(found) > 10
    with urllib.request.urlopen(f"{url}/_emulator/state") as response:
        itwin_id = json.load(response)["itwins"][0]["id"]
    for method, path, body in found:
        text = (body or "{}").replace("<id>", itwin_id).replace("...", token)
        data = text.encode() if method == "POST" else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url + path, data, headers, method=method)
        with urllib.request.urlopen(request) as response:  # raises for a status of 400 and above
            assert response.status < 300


def test_every_fixture_and_name_is_there() -> None:
    fixtures = set(re.findall(r"^\| `(itwin_\w+)` \|", CHAPTER, re.MULTILINE))
    assert fixtures
    assert all(hasattr(plugin, name) for name in fixtures)
    controls = set(re.findall(r"itwin_emulator\.(\w+)", CHAPTER))
    assert {name for name in controls if not hasattr(Emulator, name)} == set()
