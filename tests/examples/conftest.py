from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from itwin_async.emulator import EmulatorThread


@pytest.fixture
def platform() -> Iterator[EmulatorThread]:
    # In a thread of its own: the tasks of the test's loop are the backend's and the browsers'.
    with EmulatorThread(itwins=1, imodels=650) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    known = "graceful shutdown exceeded"  # so uvicorn says it when it cancels what is left
    texts = [f"{record.getMessage()} {record.exc_info and record.exc_info[1]}" for record in loud]
    assert [text for text in texts if known not in text] == []
