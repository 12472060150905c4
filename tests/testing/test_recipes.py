"""The pages beside the testing chapter, taken at their word."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import chromium
import pytest
from documents import ROOT, blocks, execute, sections, text
from inner_pytest import Run

from itwin_async.emulator import Emulator, EmulatorThread
from itwin_async.emulator.command import parser
from itwin_async.emulator.recording.matching import Matching

pytestmark = pytest.mark.slow

RECIPES, CASSETTES = "docs/testing-recipes.md", "docs/cassettes.md"
NODE = ROOT / "examples" / "node"
PROGRAM = chromium.find()


def files(snippets: list[str], folder: Path) -> int:
    """Write snippets to the files that they name; return how many tests are in them."""
    for snippet in snippets:
        named = re.match(r"# (\w+\.py)\n", snippet)
        (folder / (named[1] if named else "test_it.py")).write_text(snippet)
    return sum(len(re.findall(r"def test_", snippet)) for snippet in snippets)


@pytest.mark.parametrize("title", sections(RECIPES))
def test_recipes(title: str, run: Run, pytester: pytest.Pytester) -> None:
    for module in ("flask", "django"):
        if module in title.lower():
            pytest.importorskip(module)
    passed = files(sections(RECIPES)[title], pytester.path)
    result = run("", plugins="hypothesispytest")
    result.assert_outcomes(passed=passed)
    if title == "unittest":
        command = [sys.executable, "-m", "unittest", "test_harbour"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Ran 1 test" in done.stderr


def test_links_lead_somewhere() -> None:
    for page in (RECIPES, CASSETTES, "docs/testing.md"):
        for link in re.findall(r"\]\(([^)#]+)", text(page)):
            assert (ROOT / "docs" / link).exists(), link


async def test_the_page_of_the_browser(tmp_path: Path) -> None:
    [script] = blocks(RECIPES, "js")
    if PROGRAM is None:
        pytest.skip(f"none of {', '.join(chromium.NAMES)} is installed")
    async with Emulator(itwins=0) as emulator, chromium.tab(str(PROGRAM), tmp_path) as tab:
        emulator.favorite("demo", emulator.add_itwin("Harbour"))
        call = f"favorites({emulator.base_url!r}, {emulator.token!r})"
        await tab.value(f"{script}; {call}.then((names) => (document.title = names.join())); 0")
        await tab.until("document.title", "Harbour")


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_npm_scripts(tmp_path: Path) -> None:
    folder = shutil.copytree(NODE, tmp_path / "node")
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [shutil.which("npm") or "npm", "test"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"pass 2\b", done.stdout)
    broken = folder / "favorites.test.mjs"
    broken.write_text(broken.read_text().replace("/503/", "/504/"))
    command = ["node", "with-platform.mjs", "node", "--test"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=100, check=False
    )
    assert done.returncode == 1


def test_the_npm_scripts_that_the_page_shows() -> None:
    [shown] = blocks(RECIPES, "json")
    scripts = json.loads(NODE.joinpath("package.json").read_text())["scripts"]
    assert json.loads(shown) == {"scripts": scripts}
    command = scripts["platform"].split()
    assert command[:2] == ["itwin-async", "emulator"]
    assert parser().parse_args(command[2:]).port == 8080


def test_cassettes_in_pytest(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    [line, *_] = blocks(CASSETTES, "sh")
    *_, command, option = line.split()
    assert command == "pytest"
    passed = files(sections(CASSETTES)["In pytest"], pytester.path)
    source = pytester.path.joinpath("test_it.py").read_text()
    with EmulatorThread() as emulator:
        monkeypatch.setenv("ITWIN_ACCESS_TOKEN", emulator.token)
        monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
        run(source, option, mode="strict").assert_outcomes(passed=passed)
        emulator.assert_called("GET /itwins/favorites", times=passed)
    monkeypatch.delenv("ITWIN_ACCESS_TOKEN")
    monkeypatch.delenv("ITWIN_BASE_URL")
    run(source, mode="strict").assert_outcomes(passed=passed)
    for name in ("favorites.json", "test_it/test_first.json"):
        assert (pytester.path / "cassettes" / name).exists()


def test_what_cassettes_have_in_common(run: Run, pytester: pytest.Pytester) -> None:
    files(sections(CASSETTES)["Recording"], pytester.path)
    with EmulatorThread() as emulator:
        options = f"platform_url={emulator.base_url!r}, token={emulator.token!r}"
        mark = f"@pytest.mark.itwin_cassette({options})"
        test = f"{mark}\ndef test_it(itwin_cassette): ..."
        run(f"import pytest\n{test}", "--itwin-record=always", mode=None).assert_outcomes(passed=1)
    assert (pytester.path / "recorded" / "test_it" / "test_it.json").exists()


async def test_cassettes_without_pytest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [snippet] = sections(CASSETTES)["Without pytest"]
    async with Emulator() as emulator:
        where = f"token=token, platform_url={emulator.base_url!r}"
        for _ in range(2):
            names: dict[str, Any] = {"token": emulator.token}
            await execute("cassettes.md", snippet.replace("token=token", where), names)
        emulator.assert_called("GET /itwins/favorites", times=1)


def test_the_options_of_matching() -> None:
    named = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text(CASSETTES), re.MULTILINE))
    assert set(named) == set(Matching.__annotations__)
    Matching(headers=re.findall(r"`([\w-]+)`", named["headers"]))
    Matching(on=re.findall(r"`(\w+)`", named["on"]))  # type: ignore[arg-type]
    for repeats in re.findall(r"`(\w+)`", named["repeats"]):
        Matching(repeats=repeats)
    for line in blocks(CASSETTES, "sh")[1].splitlines():
        parser().parse_args(line.split()[2:])
