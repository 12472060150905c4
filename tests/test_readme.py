"""Every Python snippet of the README runs, against the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import blocks, execute

import itwin_async
from itwin_async.emulator import Emulator

SNIPPETS = blocks("README.md", "python")


async def test_every_snippet_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert len(SNIPPETS) >= 8
    monkeypatch.chdir(tmp_path)
    async with Emulator(seed=0, itwins=4, imodels=6) as emulator:
        monkeypatch.setenv("ITWIN_ACCESS_TOKEN", emulator.token)
        monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
        for snippet in SNIPPETS:
            async with itwin_async.Session(emulator.token, base_url=emulator.base_url) as session:
                itwin = await itwin_async.itwins.list_favorites(session).first()
                assert itwin is not None
                models = await itwin_async.imodels.list_favorites(session, itwin.id).collect()
                names = {
                    **{name: getattr(itwin_async, name) for name in itwin_async.__all__},
                    "session": session,
                    "token": emulator.token,
                    "itwin_id": itwin.id,
                    "imodel_id": models[-1].id,
                    "imodel_ids": [model.id for model in models],
                }
                await execute("README.md", snippet, names)
