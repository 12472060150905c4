"""Every Python snippet of docs/authentication.md runs, and its commands exist."""

from __future__ import annotations

import asyncio
import re

import click
import pytest
from documents import blocks, execute, text
from sign_in_browser import Browser

from itwin_async import Session, imodels, itwins
from itwin_async.auth._oauth_errors import _MESSAGES
from itwin_async.cli.app import app
from itwin_async.emulator import Emulator

TEXT = text("docs/authentication.md")
SNIPPETS = blocks("docs/authentication.md", "python")


async def test_every_snippet_runs(
    emulator: Emulator, redirect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(SNIPPETS) >= 7
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", emulator.token)
    monkeypatch.setenv("ITWIN_BASE_URL", emulator.base_url)
    names: dict[str, object] = {
        "Session": Session,
        "asyncio": asyncio,
        "imodels": imodels,
        "itwins": itwins,
        "token": emulator.token,
        "user_tokens": [emulator.token_for(name) for name in ("ann", "ben")],
        "base_url": emulator.base_url,
        "issuer": emulator.base_url,
        "client_id": "demo-service",
        "client_secret": "demo-secret",
        "native_client_id": "native",
        "redirect_uri": redirect,
        "open_url": Browser(),
    }
    for snippet in SNIPPETS:
        await execute("docs/authentication.md", snippet, names)
    assert "where" in names
    assert emulator.request_count >= 7


def test_every_command_exists() -> None:
    words = set(re.findall(r"itwin-async ([a-z]+)", TEXT))
    assert {"login", "logout", "whoami", "emulator", "favorites"} <= words
    context = click.Context(app)
    for word in words:
        assert app.get_command(context, word) is not None, word
    login = app.get_command(context, "login")
    assert login is not None
    options = {name for option in login.params for name in option.opts}
    assert set(re.findall(r"login.*?(--[a-z-]+)", TEXT)) <= options


def test_every_code_of_the_table_exists() -> None:
    codes = set(re.findall(r"`([a-z]+_[a-z]+)`", TEXT.split("## When it fails")[1].split("##")[0]))
    assert codes == {
        "invalid_client", "invalid_scope", "unauthorized_client", "invalid_grant", "access_denied",
    }  # fmt: skip
    assert codes <= set(_MESSAGES)
