"""The testing chapter, taken at its word."""

from __future__ import annotations

import ast
import re

import pytest
from documents import blocks, text
from inner_pytest import Run

import _itwin_async_pytest as plugin
import itwin_async.emulator
import itwin_async.testing
from itwin_async.emulator import Emulator

CHAPTER = text("docs/testing.md")
BLOCKS = blocks("docs/testing.md", "python")
WORLD = '{"itwins": [{"displayName": "Harbour", "imodels": [{"displayName": "Pier"}]}]}'


def test_the_first_test(run: Run) -> None:
    run(BLOCKS[0], mode="strict").assert_outcomes(passed=2)


def test_the_worlds(run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("world.json").write_text(WORLD)
    marks = next(block for block in BLOCKS if "itwin_world(itwins=0)" in block)
    starts = [match.start() for match in re.finditer(r"^@", marks, re.MULTILINE)]
    pieces = [marks[a:b] for a, b in zip(starts, [*starts[1:], len(marks)], strict=True)]
    counts = [0, 3, 1, 1]
    tests = [
        f"{piece}def test_{count}_{place}(itwin_emulator):\n"
        f"    assert len(itwin_emulator.state.itwins) == {count}\n"
        for place, (piece, count) in enumerate(zip(pieces, counts, strict=True))
    ]
    run("import pytest\n\n" + "\n".join(tests), mode=None).assert_outcomes(passed=4)


def test_building(run: Run) -> None:
    building = next(block for block in BLOCKS if "add_itwin" in block and "snapshot" in block)
    lines = ["def test_it(itwin_emulator):", *(f"    {line}" for line in building.splitlines())]
    lines.append("    assert len(itwin_emulator.state.itwins) == 13")
    run("\n".join(lines), mode=None).assert_outcomes(passed=1)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_are_python(block: str) -> None:
    if block.rstrip().splitlines()[-1].startswith((" ", "@")) and "def " not in block:
        block += "def test(): ..."  # marks without a test
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compile(block, "docs/testing.md", "exec", flags)


def test_every_fixture_and_name_is_there() -> None:
    fixtures = set(re.findall(r"^\| `(itwin_\w+)` \|", CHAPTER, re.MULTILINE))
    assert fixtures
    assert all(hasattr(plugin, name) for name in fixtures)
    controls = set(re.findall(r"itwin_emulator\.(\w+)", CHAPTER))
    assert {name for name in controls if not hasattr(Emulator, name)} == set()
    for module in (itwin_async.emulator, itwin_async.testing):
        found = re.findall(rf"from {re.escape(module.__name__)} import ([\w, ]+)", CHAPTER)
        names = {name for line in found for name in line.split(", ")}
        assert names
        assert names <= set(module.__all__)
