"""The commands for daily work: imodels, itwins, versions, views, locks."""

from __future__ import annotations

import json

import pytest
from commands import CannedPlatform, Terminal, rows, run

from itwin_async.emulator import EmulatorThread

MODEL = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
ITWIN = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
COMMANDS = {
    "imodels": ["list", "get", "create", "delete"],
    "itwins": ["list", "get", "create"],
    "versions": ["list", "get", "create"],
    "views": ["list", "get"],
    "locks": ["show", "release"],
}


@pytest.mark.parametrize(
    ("group", "word"), [(group, word) for group, words in COMMANDS.items() for word in words]
)
def test_every_command_has_help(platform: CannedPlatform, group: str, word: str) -> None:
    done = run(platform, group, word, "--help")
    assert done.returncode == 0
    assert done.stdout.count("\n") > 8
    assert "`" not in done.stdout
    assert f" {word} " in run(platform, group, "--help").stdout


def test_lists(emulator: EmulatorThread) -> None:
    found = rows(emulator, "itwins", "list", "--limit", "3")
    assert [row["id"] for row in found] == list(emulator.state.itwins)[:3]
    (one,) = rows(emulator, "itwins", "list", "--number", str(found[1]["number"]))
    assert one["id"] == found[1]["id"]
    of = [model for model in emulator.state.imodels.values() if model.itwin_id == found[0]["id"]]
    listed = rows(emulator, "imodels", "list", str(found[0]["id"]), "--full")
    assert {row["id"] for row in listed} == {model.id for model in of}
    assert all(row["createdDateTime"] for row in listed)


def test_get(emulator: EmulatorThread) -> None:
    name = next(iter(emulator.state.imodels))
    done = run(emulator, "imodels", "get", name, "--json")
    assert json.loads(done.stdout)["id"] == name
    assert done.stdout.count("\n") == 1
    done = run(emulator, "imodels", "get", MODEL)
    assert done.returncode == 4


def test_delete(emulator: EmulatorThread) -> None:
    one, two, *_ = emulator.state.imodels
    done = run(emulator, "imodels", "delete", one, "-", stdin=f"{two}\n")
    assert done.returncode == 0, done.stderr
    assert not {one, two} & set(emulator.state.imodels)


@pytest.mark.parametrize(
    ("keys", "yes", "code"), [(b"n\n", [], 1), (b"y\n", [], 0), (b"", ["--yes"], 0)]
)
def test_a_terminal_is_asked(
    emulator: EmulatorThread, keys: bytes, yes: list[str], code: int
) -> None:
    name = next(iter(emulator.state.imodels))
    terminal = Terminal(emulator, "imodels", "delete", name, *yes)
    if keys:
        terminal.read_until("[y/N]")
        terminal.type(keys)
    assert terminal.finish() == code
    assert (name in emulator.state.imodels) == bool(code)


def test_create_takes_every_member(platform: CannedPlatform) -> None:
    platform.answer("POST /imodels", b'{"iModel":{"id":"m","displayName":"M"}}', 201)
    done = run(platform, "imodels", "create", ITWIN, "M & N", "--description", "a, b", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"id": "m", "displayName": "M"}
    platform.answer("POST /itwins", b'{"iTwin":{"id":"t"}}', 201)
    chosen = ["--class", "Endeavor", "--sub-class", "Project"]
    done = run(platform, "itwins", "create", "Bridge", *chosen, "--number", "B-1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"id": "t"}


def test_versions_and_views(platform: CannedPlatform) -> None:
    path = f"/imodels/{MODEL}/namedversions"
    version = b'{"id":"v","displayName":"V","changesetIndex":3}'
    platform.answer(f"GET {path}", b'{"namedVersions":[%s],"_links":{}}' % version)
    platform.answer(f"GET {path}/v", b'{"namedVersion":%s}' % version)
    platform.answer(f"POST {path}", b'{"namedVersion":%s}' % version, 201)
    assert "changesetIndex" in run(platform, "versions", "list", MODEL).stdout
    for words in (["get", MODEL, "v"], ["create", MODEL, "V", "--changeset", "a" * 40]):
        done = run(platform, "versions", *words, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["changesetIndex"] == 3
    platform.answer("GET /savedviews", b'{"savedViews":[{"id":"s"}],"_links":{}}')
    platform.answer("GET /savedviews/s", b'{"savedView":{"id":"s","shared":true}}')
    assert json.loads(run(platform, "views", "list", "--itwin", ITWIN, "--ndjson").stdout) == {
        "id": "s"
    }
    assert json.loads(run(platform, "views", "get", "s", "--no-full").stdout)["shared"]


def test_locks(platform: CannedPlatform) -> None:
    pages = (
        b'{"locks":[{"briefcaseId":2,"lockedObjects":[{"lockLevel":"shared","objectIds":["0x1"]}]},'
        b'{"briefcaseId":2,"lockedObjects":[{"lockLevel":"shared","objectIds":["0x2"]}]}],"_links":{}}'
    )
    platform.answer(f"GET /imodels/{MODEL}/locks", pages)
    shown = run(platform, "locks", "show", MODEL)
    assert shown.stdout.splitlines()[1].split() == ["2", "2", "0"]
    found = json.loads(run(platform, "locks", "show", MODEL, "--ndjson").stdout)
    assert found["lockedObjects"] == [{"lockLevel": "shared", "objectIds": ["0x1", "0x2"]}]
    platform.answer(f"POST /imodels/{MODEL}/locks/release-chunk", b'{"isLastChunk":true}')
    assert run(platform, "locks", "release", MODEL, "2").returncode == 0
    assert run(platform, "locks", "release", MODEL, "3x").returncode == 2


def test_locks_are_released_as_of_a_changeset(emulator: EmulatorThread) -> None:
    model = next(iter(emulator.state.imodels))
    briefcase = emulator.add_briefcase(model)
    changeset = emulator.add_changeset(model)
    emulator.lock_elements(model, briefcase, ["0x1"])
    command = ["locks", "release", model, briefcase.id, "--changeset"]
    assert run(emulator, *command, "no changeset").returncode == 2
    assert run(emulator, *command, changeset.id).returncode == 0
    (request,) = emulator.calls("POST /imodels/{id}/locks/release-chunk")
    assert request.content() == {"briefcaseId": int(briefcase.id), "changesetId": changeset.id}


@pytest.mark.parametrize(
    "arguments",
    [
        ["imodels", "list"],
        ["imodels", "list", "no-guid"],
        ["imodels", "list", ITWIN, "--state", "odd"],
        ["imodels", "list", ITWIN, "--limit", "0"],
        ["itwins", "create", "x"],
        ["itwins", "create", "x", "--class", "Odd", "--sub-class", "Project"],
        ["views", "list"],
        ["imodels", "delete"],
        ["itwins", "list", "--quota", "imodels.nothing=5/60"],
        ["itwins", "list", "--quota", "imodels.create_imodel=5/x"],
    ],
)
def test_wrong_usage_is_one_line(platform: CannedPlatform, arguments: list[str]) -> None:
    done = run(platform, *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_quotas_of_operations(platform: CannedPlatform) -> None:
    platform.answer("POST /imodels", b'{"iModel":{"id":"m"}}', 201)
    quotas = ["--quota", "imodels.create_imodel=5/60", "--quota", "500/60"]
    done = run(platform, "imodels", "create", ITWIN, "M", *quotas)
    assert done.returncode == 0, done.stderr
