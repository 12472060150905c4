"""What commands write: filters, columns, CSV, and web pages."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from commands import CannedPlatform, Terminal, rows, run

from itwin_async.emulator import EmulatorThread

LISTS = (
    ["favorites", "itwins"],
    ["favorites", "imodels"],
    ["itwins", "list"],
    ["call", "itwins.list_favorites"],
    ["api", "/itwins/favorites", "--paginate"],
    ["operations"],
)
BIG = 12345678901234567890123


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_a_filter_sees_each_item(emulator: EmulatorThread, command: list[str]) -> None:
    found = rows(emulator, *command)
    name = "displayName" if "displayName" in found[0] else "name"
    done = run(emulator, *command, "--jq", f".{name}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [row[name] for row in found]
    counted = run(emulator, *command, "--json", "--jq", "length")
    assert counted.stdout == f"{len(found)}\n"


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_csv_reads_back(emulator: EmulatorThread, command: list[str]) -> None:
    found = rows(emulator, *command)
    done = run(emulator, *command, "--csv")
    assert done.returncode == 0, done.stderr
    read = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(read) == len(found)
    for row, original in zip(read, found, strict=True):
        for name, text in row.items():
            assert text == (original.get(name) or "")


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_columns_choose_members_in_every_form(emulator: EmulatorThread, command: list[str]) -> None:
    found = rows(emulator, *command)
    other, name, *_ = found[0]
    chosen = rows(emulator, *command, "--columns", f"{name}, {other}")
    assert chosen == [{key: row.get(key) for key in (name, other)} for row in found]
    assert list(chosen[0]) == [name, other]
    header, *_ = run(emulator, *command, "--columns", f"{name},{other}").stdout.splitlines()
    assert header.split() == [name, other]
    header, *_ = run(emulator, *command, "--columns", name, "--csv").stdout.splitlines()
    assert header == name


def test_columns_inside_of_members(emulator: EmulatorThread) -> None:
    command = ["favorites", "imodels", "--full", "--limit", "2"]
    path = "extent.southWest.latitude"
    wanted = [row["extent"]["southWest"]["latitude"] for row in rows(emulator, *command)]  # type: ignore[index]
    assert [row[path] for row in rows(emulator, *command, "--columns", path)] == wanted
    lines = run(emulator, *command, "--columns", f"id,{path}", "--csv").stdout.splitlines()
    assert [float(line.split(",")[1]) for line in lines[1:]] == wanted
    whole = run(emulator, *command, "--columns", "extent", "--csv").stdout
    assert json.loads(next(csv.DictReader(io.StringIO(whole)))["extent"])["southWest"]


def test_a_column_that_no_item_has_is_named(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "itwins", "--columns", "id,displyName")
    assert done.returncode == 0
    assert "'displyName'" in done.stderr
    assert "'displayName'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_csv_must_quote(platform: CannedPlatform) -> None:
    name = 'a "b", c\nd'
    body = {"iTwins": [{"id": "1", "displayName": name, "number": BIG, "tags": [1, {"a": None}]}]}
    platform.answer("GET /things", json.dumps(body).encode())
    command = ["api", "/things", "--paginate", "--key", "iTwins"]
    columns = "displayName,number,tags,tags.1,status"
    done = run(platform, *command, "--csv", "--columns", columns)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row == {
        "displayName": name,
        "number": str(BIG),
        "tags": '[1,{"a":null}]',
        "tags.1": '{"a":null}',
        "status": "",
    }
    filtered = run(platform, *command, "--jq", ".displayName, (.tags | length)")
    assert filtered.stdout == f"{name}\n2\n"


def test_an_empty_list_in_every_form(emulator: EmulatorThread) -> None:
    token = {"ITWIN_ACCESS_TOKEN": emulator.token_for("new")}
    command = ["favorites", "itwins"]
    assert run(emulator, *command, "--jq", ".id", **token).stdout == ""
    assert run(emulator, *command, "--json", "--jq", ".", **token).stdout == "[]\n"
    header = "id,displayName,number,subClass,type\n"
    assert run(emulator, *command, "--csv", **token).stdout == header
    assert run(emulator, *command, "--csv", "--columns", "id", **token).stdout == "id\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--jq", ".["],
        ["--jq", "nothing_of_the_kind"],
        ["--jq", ".id", "--csv"],
        ["--jq", ".id", "--columns", "id"],
        ["--columns", "id,,name"],
        ["--columns", "id,id"],
        ["--jq", ".displayName.name"],
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line(emulator: EmulatorThread, options: list[str]) -> None:
    done = run(emulator, "favorites", "itwins", *options)
    assert done.returncode == 2
    assert done.stderr.startswith("itwin-async: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_entity_in_every_form(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins.values()))
    for command in (
        ["itwins", "get", itwin.id],
        ["call", "itwins.get_itwin", f"itwin_id={itwin.id}"],
    ):
        assert run(emulator, *command, "--jq", ".displayName").stdout == f"{itwin.display_name}\n"
        (row,) = csv.DictReader(io.StringIO(run(emulator, *command, "--csv").stdout))
        assert row["id"] == itwin.id
        table = run(emulator, *command, "--columns", "displayName,status").stdout.splitlines()
        assert [line.split("  ")[0] for line in table] == ["displayName", itwin.display_name]
        only = run(emulator, *command, "--json", "--columns", "id").stdout
        assert json.loads(only) == {"id": itwin.id}


def test_a_value_that_is_no_entity(emulator: EmulatorThread) -> None:
    command = ["call", "imodels.get_permissions", f"imodel_id={next(iter(emulator.state.imodels))}"]
    assert "imodels_read" in run(emulator, *command, "--jq", ".[]").stdout.splitlines()
    assert run(emulator, *command, "--csv").returncode == 2


def _browser(folder: Path) -> tuple[Path, str]:
    """Make a browser that writes down what it is to open."""
    seen, browser = folder / "opened", folder / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n', encoding="utf-8")
    browser.chmod(0o755)
    return seen, str(browser)


@pytest.mark.skipif(sys.platform == "win32", reason="the browser is a shell script")
def test_the_page_of_an_emulator(emulator: EmulatorThread, tmp_path: Path) -> None:
    seen, browser = _browser(tmp_path)
    itwin = next(iter(emulator.state.itwins))
    done = run(emulator, "itwins", "get", itwin, "--web", BROWSER=browser)
    assert (done.returncode, done.stdout) == (0, "")
    assert seen.read_text(encoding="utf-8").rstrip("/") == emulator.base_url


def test_what_has_no_page_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from yarl import URL

    from itwin_async import ConfigurationError
    from itwin_async.cli.web_page import open_page

    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    base = URL("https://api.bentley.com/")
    for entity in (
        {"id": "1"},
        {"uri": "https://api.bentley.com/imodels/1"},
        {"uri": "https://storage.example.net/a?sig=secret"},
        {"uri": "https://user:password@maps.example.net/"},
        {"uri": "javascript:alert(1)"},
        {"uri": "file:///etc/passwd"},
        {"uri": 5},
    ):
        with pytest.raises(ConfigurationError) as caught:
            open_page(entity, base)
        assert "sig=" not in str(caught.value)
    assert opened == []
    open_page({"uri": "https://maps.example.net/rivers"}, base)
    assert opened == ["https://maps.example.net/rivers"]


@pytest.mark.slow
def test_a_name_cannot_move_the_cursor(platform: CannedPlatform) -> None:
    body = {"iTwins": [{"id": "1", "displayName": "a\x1b[2Jb"}]}
    platform.answer("GET /itwins/favorites", json.dumps(body).encode())
    terminal = Terminal(platform, "favorites", "itwins", "--jq", ".displayName", TERM="dumb")  # type: ignore[arg-type]
    assert terminal.finish() == 0
    assert "\x1b" not in terminal.raw


@pytest.mark.slow
def test_an_empty_list_says_so_where_there_is_no_progress(emulator: EmulatorThread) -> None:
    terminal = Terminal(emulator, "recents", "itwins", "--type", "None of the kind", TERM="dumb")
    assert terminal.finish() == 0
    assert terminal.lines[0].split()[0] == "id"


@pytest.mark.slow
def test_a_dumb_terminal_gets_no_colours(emulator: EmulatorThread) -> None:
    terminal = Terminal(emulator, "favorits", TERM="dumb")
    assert terminal.finish() == 2
    assert "\x1b" not in terminal.raw
