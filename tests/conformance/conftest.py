from __future__ import annotations

import os
from pathlib import Path

import pytest
from npm_packages import NpmError, install

HERE = Path(__file__).parent
REQUIRED = os.environ.get("CONFORMANCE") == "required"


def unavailable(reason: str) -> None:
    """Skip, or fail where these tests have to run."""
    message = f"the official clients cannot drive the emulator: {reason}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The official clients, installed as the lock file says, outside of the working tree."""
    try:
        return install(HERE) / "node_modules"
    except NpmError as error:
        unavailable(str(error))
        raise
