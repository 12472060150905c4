"""What shells complete, and what is not imported for it."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COMMAND, environment, run

from itwin_async.emulator import EmulatorThread

HEAVY = (
    "aiohttp",
    "asyncio",
    "attr",
    "cattrs",
    "dotenv",
    "filelock",
    "jq",
    "keyring",
    "msgspec",
    "platformdirs",
    "rich",
    "yarl",
)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def _completed(
    emulator: EmulatorThread, words: str, folders: dict[str, str], shell: str = "zsh"
) -> dict[str, str]:
    """Complete the last word; descriptions by completions, as zsh gets them."""
    done = run(
        emulator,
        **folders,
        _ITWIN_ASYNC_COMPLETE=f"{shell}_complete",
        COMP_WORDS=f"itwin-async {words}",
        COMP_CWORD=str(len(words.split(" "))),
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return dict(zip(lines[1::3], lines[2::3], strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["completion", "bash"],
        ["completion", "zsh"],
        ["completion", "fish"],
    ],
    ids=" ".join,
)
def test_what_is_not_imported(emulator: EmulatorThread, arguments: list[str]) -> None:
    _assert_light(environment(emulator), arguments)


def test_what_is_not_imported_to_complete_a_command(emulator: EmulatorThread) -> None:
    words = {"_ITWIN_ASYNC_COMPLETE": "zsh_complete", "COMP_WORDS": "itwin-async fa"}
    out = _assert_light(environment(emulator, **words, COMP_CWORD="1"), [])
    assert "favorites" in out


def _assert_light(variables: dict[str, str], arguments: list[str]) -> str:
    code = (
        "import atexit, sys\n"
        f"found = lambda: print(*sorted({{*{HEAVY!r}}} & {{*sys.modules}}), file=sys.stderr)\n"
        "atexit.register(found)\n"
        f"sys.argv = ['itwin-async', *{arguments!r}]\n"
        "from itwin_async.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout
    assert done.stderr.split() == []
    return done.stdout


def test_each_command_is_described_as_it_describes_itself(emulator: EmulatorThread) -> None:
    from itwin_async.cli.app import app

    with app.make_context("itwin-async", [], resilient_parsing=True) as context:
        shown = run(emulator, "--help", COLUMNS="200").stdout
        for name in app.list_commands(context):
            command = app.get_command(context, name)
            assert command is not None
            assert f"  {name} " in shown
            assert command.name == name
            text = command.get_short_help_str(200).rstrip(".")
            assert text in shown, name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_those_of_the_shell(
    emulator: EmulatorThread, shell: str, tmp_path: Path
) -> None:
    done = run(emulator, "completion", shell)
    assert done.returncode == 0, done.stderr
    assert f"{shell}_complete" in done.stdout
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.stdout, encoding="utf-8")
        subprocess.run([shell, "-n", str(script)], check=True)


def test_bash_completes(emulator: EmulatorThread, tmp_path: Path) -> None:
    script = f"""
        mkdir {tmp_path}/bin
        printf '#!/bin/sh\\nexec {" ".join(COMMAND)} "$@"\\n' > {tmp_path}/bin/itwin-async
        chmod +x {tmp_path}/bin/itwin-async
        PATH={tmp_path}/bin:$PATH
        eval "$(itwin-async completion bash)"
        COMP_WORDS=(itwin-async favorites im) COMP_CWORD=2
        _itwin_async_completion itwin-async im favorites
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(emulator),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "imodels\n", done.stderr


def test_commands_options_and_operations(emulator: EmulatorThread, folders: dict[str, str]) -> None:
    assert {"api", "doctor", "context"} <= _completed(emulator, "", folders).keys()
    assert "--jq" in _completed(emulator, "favorites itwins --j", folders)
    assert "saved_views.get_tag" in _completed(emulator, "call saved_views.get_t", folders)
    assert list(_completed(emulator, "call saved_views.get_tag t", folders)) == ["tag_id="]
    assert "bash" in _completed(emulator, "completion b", folders)


def test_ids_are_those_that_lists_have_shown(
    emulator: EmulatorThread, folders: dict[str, str]
) -> None:
    assert _completed(emulator, "imodels list ", folders) == {}
    listed = run(emulator, "favorites", "itwins", "--json", **folders)
    names = {row["id"]: row["displayName"] for row in json.loads(listed.stdout)}
    assert _completed(emulator, "imodels list ", folders) == names
    one, name = next(iter(names.items()))
    for words in (
        f"imodels list {one[:4]}",
        f"favorites imodels --itwin {one[:4]}",
        f"favorites add itwin {one[:4]}",
        f"tag list --itwin {one[:4]}",
        f"context set --itwin {one[:4]}",
        f"itwins get {name.split()[-1].lower()[:4]}",
    ):
        assert _completed(emulator, words, folders).get(one) == name, words
    assert f"itwin_id={one}" in _completed(
        emulator, f"call imodels.list_imodels itwin_id={one[:4]}", folders
    )
    assert _completed(emulator, "imodels get ", folders) == {}
    run(emulator, "favorites", "imodels", **folders)
    assert _completed(emulator, "imodels get ", folders).keys() == emulator.state.imodels.keys()


def test_ids_of_another_platform_and_of_made_up_data_are_not_offered(
    emulator: EmulatorThread, folders: dict[str, str]
) -> None:
    run(emulator, "favorites", "itwins", "--emulator", **folders)
    assert _completed(emulator, "itwins get ", folders) == {}
    run(emulator, "favorites", "itwins", **folders)
    elsewhere = {**folders, "ITWIN_BASE_URL": "https://api.bentley.com"}
    assert _completed(emulator, "itwins get ", elsewhere) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
def test_what_is_kept_is_private_small_and_replaceable(
    emulator: EmulatorThread, folders: dict[str, str], tmp_path: Path
) -> None:
    run(emulator, "favorites", "imodels", **folders)
    (file,) = (tmp_path / "cache").rglob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert emulator.token not in file.read_text(encoding="utf-8")
    for rubbish in (b"{", b"[]", b"\xff", b""):
        file.write_bytes(rubbish)
        assert _completed(emulator, "imodels get ", folders) == {}
        done = run(emulator, "favorites", "imodels", **folders)
        assert (done.returncode, done.stderr) == (0, "")
        assert _completed(emulator, "imodels get ", folders)


def test_profiles_complete(emulator: EmulatorThread, folders: dict[str, str]) -> None:
    run(emulator, "context", "set", "--profile", "night", "--imodel", "a", **folders)
    assert list(_completed(emulator, "context use n", folders)) == ["night"]
    assert list(_completed(emulator, "favorites itwins --profile n", folders)) == ["night"]
