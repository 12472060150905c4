"""Every command that reaches the platform or signs in can be told of a proxy and an authority."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import trustme
from commands import run

from itwin_async.cli.app import app
from itwin_async.emulator import EmulatorThread

pytestmark = pytest.mark.slow

LOCAL = {"context", "operations", "completion", "emulator", "export", "map"}


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All commands but the operations of ``call``, of which there are too many."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    names = command.list_commands(context)
    for name in names[:2] if path == ("call",) else names:
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


@pytest.mark.parametrize("path", sorted(commands(app)), ids=" ".join)
def test_the_options_are_there_where_the_network_is(path: tuple[str, ...]) -> None:
    found: click.Command | None = app
    for name in path:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name)
    assert found is not None
    with click.Context(found) as context:
        shown = found.get_help(context)
    assert ("--proxy" in shown) == (path[0] not in LOCAL)
    assert ("ITWIN_CA_FILE" in shown) == (path[0] not in LOCAL)


def test_behind_and_before_the_name_of_a_command(emulator: EmulatorThread, tmp_path: Path) -> None:
    """A proxy where nobody listens tells that it was used; of the platform, not of this machine."""
    url = "https://platform.invalid"
    given = ["--proxy", "http://127.0.0.1:1"]
    for arguments in ([*given, "favorites", "itwins"], ["favorites", "itwins", *given]):
        done = run(emulator, *arguments, ITWIN_BASE_URL=url, ITWIN_ISSUER=url)
        assert done.returncode == 6
        assert "proxy" in done.stderr
    (tmp_path / "none.pem").write_text("nothing")
    for arguments in (["harvest", "out.db"], ["whoami"], ["favorites", "itwins"], ["api", "/x"]):
        done = run(emulator, *arguments, "--ca-file", "none.pem", cwd=tmp_path)
        if arguments != ["whoami"]:  # a token that is given needs no network
            assert done.returncode == 2
            assert "ITWIN_CA_FILE" in done.stderr


def test_the_doctor_knows_whom_is_trusted(emulator: EmulatorThread, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    checks = {}
    for options, further in (
        ([], {}),
        (["--ca-file", str(path)], {}),
        ([], {"ITWIN_CA_FILE": str(path)}),
        ([], {"SSL_CERT_FILE": str(path)}),
    ):
        done = run(emulator, "doctor", "--json", *options, **further)
        (check,) = [one for one in json.loads(done.stdout)["checks"] if one["name"] == "trust"]
        checks[(*options, *further)] = check
        assert check["status"] == "ok"
        assert (str(path) in check["found"]) == bool(options or further)
    assert len({check["found"] for check in checks.values()}) == 3
    done = run(emulator, "doctor", "--json", ITWIN_CA_FILE=str(tmp_path / "none.pem"))
    assert done.returncode == 1
    assert "ITWIN_CA_FILE" in done.stdout
    assert os.environ.get("ITWIN_CA_FILE") != str(path)
