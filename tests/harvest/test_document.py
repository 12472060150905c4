"""Every Python snippet of the chapter on harvests runs, one after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from documents import blocks, execute

from itwin_async import Session
from itwin_async.emulator import Emulator

SNIPPETS = blocks("docs/harvest.md", "python")


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
        await execute("docs/harvest.md", snippet, names)
    assert names["status"].finished
