from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from commands import CannedPlatform

from itwin_async.emulator import EmulatorThread


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(seed=0, itwins=4, imodels=7) as running:
        yield running


@pytest.fixture
def emulator(running_emulator: EmulatorThread) -> EmulatorThread:
    """A platform as it was at first: no faults, no changes, no requests."""
    running_emulator.reset()
    return running_emulator


@pytest.fixture
def platform() -> Iterator[CannedPlatform]:
    """A platform with canned answers."""
    platform = CannedPlatform()
    with platform.server as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield platform
        server.shutdown()
        thread.join()
