"""Profiles and the context that commands take ids from."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Done, rows, run

from itwin_async.emulator import EmulatorThread

Command = Callable[..., Done]


@pytest.fixture
def command(emulator: EmulatorThread, tmp_path: Path) -> Command:
    """Run commands of a user with a folder for settings."""
    folders = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def call(*arguments: str, **further: str) -> Done:
        return run(emulator, *arguments, **{**folders, **further}, cwd=tmp_path)

    return call


@pytest.fixture
def ids(emulator: EmulatorThread) -> tuple[str, str]:
    """The first iTwin and an iModel of it."""
    itwin = next(iter(emulator.state.itwins))
    of = [each.id for each in emulator.state.imodels.values() if each.itwin_id == itwin]
    return itwin, of[0]


def _settings(command: Command, *arguments: str, **further: str) -> dict[str, str]:
    done = command("context", "show", "--json", *arguments, **further)
    assert done.returncode == 0, done.stderr
    return {key: row["value"] for key, row in json.loads(done.stdout)["settings"].items()}


def test_the_context_stands_for_ids(
    emulator: EmulatorThread, command: Command, ids: tuple[str, str]
) -> None:
    itwin, imodel = ids
    for arguments in (["imodels", "list"], ["locks", "show"], ["api", "/itwins/{itwin}"]):
        done = command(*arguments)
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1
    assert command("context", "set", "--itwin", itwin, "--imodel", imodel).returncode == 0
    assert command("imodels", "list", "--ndjson").stdout.count("\n") == 7
    assert json.loads(command("imodels", "get", "--json").stdout)["id"] == imodel
    assert json.loads(command("itwins", "get", "--json").stdout)["id"] == itwin
    made = command("imodels", "create", "Made here", "--jq", ".displayName")
    assert made.stdout == "Made here\n", made.stderr
    assert command("tag", "create", "Night").returncode == 0
    assert command("tag", "list", "--jq", ".displayName").stdout == "Night\n"
    assert command("views", "list").returncode == 0
    assert command("versions", "list").returncode == 0
    assert command("locks", "show").returncode == 0
    assert command("call", "imodels.get_permissions").returncode == 0
    path = "/imodels/{imodel}"
    assert command("api", path, "--jq", ".iModel.id").stdout == f"{imodel}\n"
    other = list(emulator.state.itwins)[1]
    assert command("imodels", "list", other, "--ndjson").stdout.count("\n") == 7


def test_nothing_is_deleted_that_is_not_named(
    emulator: EmulatorThread, command: Command, ids: tuple[str, str]
) -> None:
    command("context", "set", "--itwin", ids[0], "--imodel", ids[1])
    assert command("call", "imodels.delete_imodel").returncode == 2
    assert command("call", "itwins.delete_itwin").returncode == 2
    assert command("imodels", "delete").returncode == 2
    assert ids[1] in emulator.state.imodels
    assert ids[0] in emulator.state.itwins


def test_made_up_data_has_no_context(command: Command, ids: tuple[str, str]) -> None:
    command("context", "set", "--itwin", ids[0])
    assert command("imodels", "list", "--emulator").returncode == 2
    assert command("imodels", "list", "--emulator", "--profile", "default").returncode == 0


def test_which_setting_counts(command: Command, ids: tuple[str, str], tmp_path: Path) -> None:
    command("context", "set", "--imodel", "of-profile")
    assert _settings(command)["imodel"] == "of-profile"
    (tmp_path / ".env").write_text("ITWIN_IMODEL_ID=of-file\n", encoding="utf-8")
    assert _settings(command)["imodel"] == "of-file"
    assert _settings(command, ITWIN_IMODEL_ID="of-environment")["imodel"] == "of-environment"
    shown = json.loads(command("context", "show", "--json").stdout)["settings"]
    assert shown["imodel"] == {"value": "of-file", "from": ".env"}
    assert command("imodels", "get", ids[1], "--jq", ".id").stdout == f"{ids[1]}\n"


def test_a_platform_in_the_environment_overrides_all_of_the_profile(command: Command) -> None:
    command("context", "set", "--environment", "qa", "--issuer", "https://signin.example")
    nowhere = {"ITWIN_BASE_URL": ""}
    assert _settings(command, **nowhere)["environment"] == "qa"
    assert "environment" not in _settings(command)
    dev = _settings(command, **nowhere, ITWIN_ENVIRONMENT="dev")
    assert dev["environment"] == "dev"
    assert "issuer" not in dev
    command("context", "set", "--base-url", "https://platform.example")
    dev = _settings(command, **nowhere, ITWIN_ENVIRONMENT="dev")
    assert "base_url" not in dev
    assert _settings(command, **nowhere)["base_url"] == "https://platform.example/"


def test_a_profile_says_where_commands_go(emulator: EmulatorThread, command: Command) -> None:
    command("context", "set", "--profile", "local", "--base-url", emulator.base_url)
    arguments = ["favorites", "itwins", "--ndjson"]
    done = command(*arguments, "--profile", "local", ITWIN_BASE_URL="")
    assert done.stdout.count("\n") == len(emulator.state.itwins)
    named = command(*arguments, ITWIN_BASE_URL="", ITWIN_PROFILE="local")
    assert named.stdout == done.stdout
    assert command("context", "use", "local").returncode == 0
    assert command(*arguments, ITWIN_BASE_URL="").stdout == done.stdout
    shown = command("whoami", "--json", ITWIN_BASE_URL="").stdout
    assert json.loads(shown)["platform"].rstrip("/") == emulator.base_url


def test_profiles(command: Command, ids: tuple[str, str]) -> None:
    command("context", "set", "--itwin", ids[0])
    command("context", "set", "--profile", "night", "--imodel", "a")
    listed = json.loads(command("context", "list", "--json").stdout)
    assert [(each["name"], each["active"]) for each in listed] == [
        ("default", True),
        ("night", False),
    ]
    for arguments in (
        ["context", "use", "nigth"],
        ["context", "show", "--profile", "nigth"],
        ["favorites", "itwins", "--profile", "nigth"],
    ):
        done = command(*arguments)
        assert done.returncode == 2
        assert "'night'" in done.stderr
    assert command("favorites", "itwins", ITWIN_PROFILE="nigth").returncode == 2
    command("context", "use", "night")
    assert _settings(command)["imodel"] == "a"
    assert command("context", "list").stdout.splitlines()[1].startswith("* night")
    command("context", "clear")
    assert "imodel" not in _settings(command)
    assert _settings(command)["itwin"] == ids[0]
    command("context", "clear", "--all")
    assert "itwin" not in _settings(command)


def test_settings_are_removed_one_by_one(emulator: EmulatorThread, command: Command) -> None:
    one, two, *_ = emulator.state.itwins
    command("context", "set", "--itwin", one, "--imodel", "a", "--client-id", "app")
    command("context", "set", "--itwin", one)
    assert _settings(command)["imodel"] == "a"
    command("context", "set", "--itwin", two)
    assert "imodel" not in _settings(command)
    command("context", "set", "--itwin", "")
    found = _settings(command)
    assert "itwin" not in found
    assert found["client_id"] == "app"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--itwin", "abc"],
        ["--imodel", "a/b"],
        ["--environment", "test"],
        ["--base-url", "http://platform.example"],
        ["--issuer", "ftp://x"],
        ["--client-id", "a\nb"],
        ["--imodel", "a", "--profile", "a.b"],
    ],
    ids=" ".join,
)
def test_mistakes_change_nothing(command: Command, arguments: list[str], tmp_path: Path) -> None:
    done = command("context", "set", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "config" / "itwin-async" / "profiles.toml").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
def test_the_file_is_private(command: Command, tmp_path: Path) -> None:
    assert command("context", "set", "--imodel", 'ü"\\', "--profile", "a").returncode == 2
    command("context", "set", "--imodel", "ü", "--profile", "a")
    file = tmp_path / "config" / "itwin-async" / "profiles.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _settings(command, "--profile", "a")["imodel"] == "ü"
    assert sorted(path.suffix for path in file.parent.iterdir()) == [".lock", ".toml"]


@pytest.mark.parametrize(
    "text", ["[", "active = 1", "[profiles.a]\nitwin = 1", "[profiles.a]\nother = 'x'", "\xff"]
)
def test_a_file_that_is_something_else(command: Command, tmp_path: Path, text: str) -> None:
    file = tmp_path / "config" / "itwin-async" / "profiles.toml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode("latin-1"))
    done = command("favorites", "itwins")
    assert done.returncode == 2
    assert str(file) in done.stderr
    assert done.stderr.count("\n") == 1
    assert command("context", "set", "--imodel", "a").returncode == 2
    assert file.read_bytes() == text.encode("latin-1")


def test_lists_do_not_need_a_context(emulator: EmulatorThread, command: Command) -> None:
    command("context", "set", "--itwin", next(iter(emulator.state.itwins)))
    done = command("favorites", "imodels", "--ndjson")
    assert done.stdout.count("\n") == len(rows(emulator, "favorites", "imodels"))
