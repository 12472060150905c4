from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.core
import pytest
from doubles import FakeClock
from sign_in_browser import free_port

from itwin_async import RetryPolicy
from itwin_async.auth import AuthorizationCode, FileStore
from itwin_async.emulator import Emulator


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment without credentials, a folder for settings, and no keyring."""
    for name in list(os.environ):
        if name.startswith(("ITWIN_", "ITP_", "IMJS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    before = keyring.core._keyring_backend
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield tmp_path / "config" / "itwin-async"
    keyring.core._keyring_backend = before


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator that honours only tokens that its sign-in server handed out."""
    async with Emulator(itwins=3, imodels=3, any_token=False) as served:
        yield served


@pytest.fixture
def policy(clock: FakeClock) -> RetryPolicy:
    return RetryPolicy(clock=clock, sleep=clock.sleep, now=clock, rng=lambda: 0.5)


@pytest.fixture
def redirect(emulator: Emulator) -> str:
    """A free redirect address, registered for the application ``native``."""
    uri = f"http://127.0.0.1:{free_port()}/signin-callback"
    emulator.add_client("native", redirect_uris=[uri])
    return uri


@pytest.fixture
def person(
    emulator: Emulator, redirect: str, settings: Path, policy: RetryPolicy
) -> AuthorizationCode:
    """A provider of the application ``native``; nobody is signed in yet."""
    return AuthorizationCode(
        "native",
        issuer=emulator.base_url,
        redirect_uri=redirect,
        base_url=emulator.base_url,
        store=FileStore(settings),
        retry=policy,
    )
