"""Numbers of any size and files of any origin: they are read, or one line says what is wrong."""

from __future__ import annotations

import json

import pytest
from commands import CannedPlatform, rows, run

from itwin_async.emulator import EmulatorThread

DIGITS = "9" * 400


@pytest.mark.parametrize(
    "number", ["1e400", DIGITS, "9" * 5000, "-1e400", "0.1000000000000000000001", "[1e400]"]
)
@pytest.mark.parametrize("form", ["--table", "--json", "--ndjson"])
def test_an_answer_with_a_number_of_any_size(
    platform: CannedPlatform, form: str, number: str
) -> None:
    item = f'{{"id": "a",\n "displayName": "A", "number": "7", "mass": {number}}}'
    platform.answer("GET /itwins/favorites", f'{{"iTwins": [{item}], "_links": {{}}}}'.encode())
    done = run(platform, "favorites", "itwins", form)
    assert (done.returncode, done.stderr) == (0, "")
    if form == "--table":
        assert done.stdout.splitlines()[1].split() == ["a", "A", "7"]
        return
    assert f'"mass":{number}' in done.stdout
    assert done.stdout.count("\n") == (1 if form == "--ndjson" else 3)


def test_a_number_that_is_no_text_is_shown_in_a_table(platform: CannedPlatform) -> None:
    body = b'{"iTwins": [{"id": "a", "createdDateTime": null, "geographicLocation": "x"}]}'
    platform.answer("GET /itwins/favorites", body)
    done = run(platform, "favorites", "itwins", "--full")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["favorites", "itwins", "--limit", "9" * 5000],
        ["favorites", "itwins", "--limit", "1e400"],
        ["favorites", "itwins", "--quota", f"{DIGITS}/60"],
        ["favorites", "itwins", "--quota", f"60/{DIGITS}"],
        ["favorites", "itwins", "--quota", "1e400"],
        ["call", "itwins.list_favorites", f"page_size={DIGITS}"],
        ["call", "itwins.list_favorites", f"page_size={'9' * 5000}"],
        ["call", "itwins.list_favorites", "page_size=1e400"],
        ["emulator", "--latency", "1e400"],
        ["emulator", "--port", DIGITS],
        ["emulator", "--seed", "9" * 5000],
    ],
)
def test_an_argument_with_a_number_of_any_size(
    emulator: EmulatorThread, arguments: list[str]
) -> None:
    done = run(emulator, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff{0}\r\n{1}\r\n",
        "{0}\r{1}",
        "\n\n  {0}\t\n{1}  \n\n",
        "\ufeff{0}\n\ufeff{1}\n",
        "{0}\n{1}\x1a"[:-1],
        "# those of today\n{0} # the first\n\n{1}#\n",
    ],
)
def test_ids_from_files_of_any_editor(emulator: EmulatorThread, text: str) -> None:
    ids = [str(row["id"]) for row in rows(emulator, "favorites", "itwins")][:2]
    token = emulator.token_for("ana")
    data = text.format(*ids).encode()
    done = run(emulator, "favorites", "add", "itwin", "-", stdin=data, ITWIN_ACCESS_TOKEN=token)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(emulator.state.favorites["ana"].itwins) == set(ids)


@pytest.mark.parametrize(
    "data",
    [b"a\nb\xff\n", b"a b\n", b'"id"\n"a","b"\n', b"a\nb\x00\n", b"a\x00b\n", b"\xed\xa0\x80"],
)
def test_what_is_no_text_is_refused_before_the_first_call(
    emulator: EmulatorThread, data: bytes
) -> None:
    emulator.clear_requests()
    done = run(emulator, "favorites", "add", "itwin", "-", stdin=data)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert emulator.request_count == 0


def test_no_ids_at_all(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "add", "itwin", "-", stdin=b"\xef\xbb\xbf\r\n")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_json_of_all_itwins_names_the_itwin_once(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "imodels", "--full", "--ndjson", "--limit", "1")
    assert done.stdout.count('"iTwinId"') == 1
    assert json.loads(done.stdout)["iTwinName"]
