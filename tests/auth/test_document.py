"""The commands and codes that docs/authentication.md names exist."""

from __future__ import annotations

import re

import click
from documents import text

from itwin_async.auth._oauth_errors import _MESSAGES
from itwin_async.cli.app import app

TEXT = text("docs/authentication.md")


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
