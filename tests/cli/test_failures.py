"""Whatever goes wrong is one line on stderr and an exit code, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run, started, until

from itwin_async.emulator import EmulatorThread, Fault

_NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["favorits"], 2, "Did you mean 'favorites'?"),
        (["favorites", "itwin"], 2, "Did you mean 'itwins'?"),
        (["favorites", "itwins", "--nonsense"], 2, "--nonsense"),
        (["favorites", "itwins", "--limit", "0"], 2, "--limit"),
        (["favorites", "itwins", "--quota", "many"], 2, "500/60"),
        (["itwins", "list", "--quota", "imodels.clon=5/60"], 2, "imodels.clone"),
        (["favorites", "itwins", "--sub-class", "Bridge"], 2, "--sub-class"),
        (["favorites", "itwins", "--status", "Active", "--include-inactive"], 2, "exclusive"),
        (["favorites", "itwins", "--emulator", "--base-url", _NOWHERE], 2, "mutually exclusive"),
        (["favorites", "itwins", "--base-url", "api.bentley.com"], 2, "lacks scheme or host"),
        pytest.param(
            ["favorites", "itwins", "--base-url", _NOWHERE],
            6,
            "no connection",
            marks=pytest.mark.slow,  # it is tried again, and waits before
        ),
        (["favorites", "imodels", "--itwin", "abc"], 2, "itwin_id must be a GUID"),
        (["favorites", "add", "imodel"], 2, "ID..."),
        (["favorites", "add", "itwins", "x"], 2, "not one of 'itwin', 'imodel'"),
        (["favorites", "add", "imodel", "nope"], 4, "iModelNotFound"),
        (["favorites", "add", "imodel", "a/b"], 2, "imodel_id must be an id"),
        (["favorites", "add", "imodel", "x" * 10_000], 2, "10002 characters"),
        (["recents", "remove", "itwin", "x"], 2, "itwin"),
        (["tag", "create", "a.b"], 2, "must not contain"),
        (["tag", "show", "nope"], 4, "TagNotFound"),
        (["tag", "delete", "nope"], 4, "TagNotFound"),
        (["emulator", "--port", "70000"], 2, "--port"),
        (["emulator", "--world", "/nowhere/world.json"], 2, "cannot load /nowhere/world.json"),
        (["emulator", "--token-file", "/nowhere/t"], 2, "cannot write /nowhere/t"),
        (["emulator", "--replay", "/nowhere/c"], 2, "cannot replay /nowhere/c"),
        (["emulator", "--record", "/nowhere/c"], 2, "cannot record to /nowhere/c"),
        (["emulator", "--host", "192.0.2.1"], 2, "cannot serve"),
        (["emulator", "--record", "a", "--replay", "b"], 2, "mutually exclusive"),
        (["emulator", "--target", "https://x.example"], 2, "--target"),
        (["export", "t.db", "--geojson", "-"], 2, "give a file's name"),
        (["map", "t.db", "--png", "-"], 2, "give a file's name"),
        (["emulator", "--latency", "nan"], 2, "--latency"),
    ],
)
def test_one_line_and_a_code(
    emulator: EmulatorThread, arguments: list[str], code: int, says: str
) -> None:
    done = run(emulator, *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.startswith("itwin-async: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert emulator.token not in done.stderr


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Fault(status=400), 2, "400"),
        (Fault(status=401), 3, "401"),
        (Fault(status=403), 3, "403"),
        (Fault(status=404), 4, "404"),
        (Fault(status=422), 2, "422"),
        (Fault(status=429, retry_after=100_000), 5, "retry after"),
        (Fault(malformed=True, times=None), 6, "JSON"),
        (Fault(truncate=0.5, times=None), 6, "middle of its JSON"),
    ],
    ids=lambda value: "" if isinstance(value, Fault) else str(value),
)
def test_what_the_platform_refuses(
    emulator: EmulatorThread, fault: Fault, code: int, says: str
) -> None:
    emulator.fault(fault)
    done = run(emulator, "favorites", "itwins")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.startswith("itwin-async: ")
    assert done.stderr.count("\n") == 1


def test_json_that_breaks_off_is_not_closed(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(match="GET /imodels/favorites", after=3, times=None, status=404))
    done = run(emulator, "favorites", "imodels", "--json")
    assert done.returncode == 4
    emulator.clear_faults()
    emulator.fault(Fault(match="GET /imodels/favorites", after=3, times=None, status=409))
    done = run(emulator, "favorites", "imodels", "--json")
    assert done.returncode == 2
    assert done.stdout.startswith("[")
    assert not done.stdout.rstrip().endswith("]")


def test_without_credentials(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(
        emulator,
        *("favorites", "itwins"),
        cwd=tmp_path,
        ITWIN_ACCESS_TOKEN="",
        HOME=str(tmp_path),
        XDG_DATA_HOME=str(tmp_path),
        XDG_CONFIG_HOME=str(tmp_path),
        PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
    )
    assert done.returncode == 2
    assert "ITWIN_ACCESS_TOKEN" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_dotenv_file_that_is_no_text(emulator: EmulatorThread, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    done = run(emulator, "favorites", "itwins", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot read" in done.stderr
    assert done.stderr.count("\n") == 1


def test_control_characters_of_the_platform_do_not_reach_the_terminal(
    emulator: EmulatorThread,
) -> None:
    evil = emulator.add_itwin("\x1b[2J\x1b]0;mine\x07two\nlines\u202e")
    emulator.favorite("demo", evil.id)
    done = run(emulator, "favorites", "itwins")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.split("\n") if line.startswith(evil.id))
    assert "two lines" in line
    assert line.isprintable()


def test_a_port_that_is_taken(emulator: EmulatorThread) -> None:
    port = emulator.base_url.rpartition(":")[2]
    done = run(emulator, "emulator", "--port", port)
    assert done.returncode == 2
    assert "address already in use" in done.stderr
    assert done.stderr.count("\n") == 1


def test_waiting_does_not_hide_that_it_ends(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(times=None, status=503))
    with started(emulator, "favorites", "itwins") as child:
        until(lambda: emulator.request_count >= 2)
        child.terminate()
        assert child.communicate() == ("", "itwin-async: terminated\n")
    assert child.returncode == 143
