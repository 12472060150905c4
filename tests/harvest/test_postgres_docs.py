"""The snippets of ``docs/how-to/postgresql.md``, with a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from documents import snippets
from postgres_server import PASSWORD, PostgresServer
from reader import Reader

from itwin_async import Session, harvest
from itwin_async.emulator import EmulatorThread

PAGE = "docs/how-to/postgresql.md"


async def test_the_page(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("click")
    folder = tmp_path / "work"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("ITWIN_"):
            monkeypatch.delenv(name)
    lake = f"postgresql://harvester@127.0.0.1:{server.port}/harvests"
    with EmulatorThread(itwins=3, imodels=6, seed=0) as emulator:
        variables = {
            "ITWIN_ACCESS_TOKEN": emulator.token,
            "ITWIN_BASE_URL": emulator.base_url,
            "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
            "PGPASSWORD": PASSWORD,
            "LAKE": lake,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with Reader(folder, variables, {}) as reader:
            async with Session(emulator.token, base_url=emulator.base_url) as session:
                reader.names = {"session": session}
                for snippet in snippets(PAGE):
                    if snippet.language == "sql":
                        rows = [server.sql(one) for one in snippet.text.split(";") if one.strip()]
                        assert rows[0]
                        assert rows[1]
                    elif snippet.language and not snippet.reason:
                        await reader.follow(snippet)
        assert harvest.status(lake).generation == 2
        assert reader.names["report"].complete
        assert not reader.names["target"].committed("imodels")
