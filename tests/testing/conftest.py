from __future__ import annotations

import pytest
from inner_pytest import Run, runner


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    # Only the plugins that a test names: others cost a second in each process.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return runner(pytester)
