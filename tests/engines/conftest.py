from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from itwin_async.emulator import EmulatorThread


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EmulatorThread]:
    with EmulatorThread(
        itwins=4, imodels=9, changesets=3, seed=7, any_token=False, favorites=False
    ) as emulator:
        monkeypatch.setenv("ITWIN_ACCESS_TOKEN", emulator.token)
        monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
        monkeypatch.chdir(tmp_path)
        yield emulator
