"""Every Python snippet of the chapter on harvests runs, one after another."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from itwin_async import Session
from itwin_async.emulator import Emulator

DOCUMENT = Path(__file__).parents[2] / "docs" / "harvest.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
NEEDS = {"import pandas": "pandas", "import duckdb": "duckdb", "draw_map": "matplotlib"}


async def test_every_snippet_runs(
    emulator: Emulator, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(SNIPPETS) >= 7
    names: dict[str, Any] = {
        "session": session,
        "token": emulator.token,
        "base_url": emulator.base_url,
        "itwin_id": next(iter(emulator.state.favorites["demo"].itwins)),
    }
    for snippet in SNIPPETS:
        lacking = [name for word, name in NEEDS.items() if word in snippet and not find_spec(name)]
        if lacking or ("duckdb" in snippet and not find_spec("pyarrow")):
            continue
        code = compile(snippet, "harvest.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
    assert names["status"].finished
