"""What the commands do, as scripts use them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import COMMAND, environment, rows, run, started

from itwin_async.emulator import EmulatorThread, Fault


def test_itwins_as_a_table(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "itwins")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    active = [itwin for itwin in emulator.state.itwins.values() if itwin.status != "Inactive"]
    assert len(lines) == 1 + len(active)
    assert lines[0].split() == ["id", "name", "number", "sub-class", "type"]


def test_filters_of_itwins(emulator: EmulatorThread) -> None:
    extra = emulator.add_itwin("Sleeping", status="Inactive", type="Quarry", sub_class="Asset")
    emulator.favorite("demo", extra.id)
    for arguments, there in (
        ([], False),
        (["--include-inactive"], True),
        (["--status", "Inactive"], True),
        (["--include-inactive", "--type", "Quarry"], True),
        (["--include-inactive", "--type", "Mine"], False),
        (["--include-inactive", "--sub-class", "Asset", "--sub-class", "Project"], True),
        (["--include-inactive", "--sub-class", "Project"], False),
    ):
        found = rows(emulator, "favorites", "itwins", *arguments)
        assert (extra.id in {row["id"] for row in found}) is there, arguments


def test_json_is_one_list_with_the_platforms_names(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "itwins", "--json", "--full")
    listed = json.loads(done.stdout)
    assert {"displayName", "subClass", "createdDateTime"} <= listed[0].keys()
    assert {"displayName", "subClass"} <= rows(emulator, "favorites", "itwins")[0].keys()
    assert "createdDateTime" not in rows(emulator, "favorites", "itwins")[0]


def test_an_empty_list(emulator: EmulatorThread) -> None:
    token = emulator.token_for("new")
    as_json = run(emulator, "favorites", "itwins", "--json", ITWIN_ACCESS_TOKEN=token)
    assert json.loads(as_json.stdout) == []
    as_lines = run(emulator, "favorites", "itwins", "--ndjson", ITWIN_ACCESS_TOKEN=token)
    assert (as_lines.returncode, as_lines.stdout) == (0, "")
    table = run(emulator, "favorites", "imodels", ITWIN_ACCESS_TOKEN=token)
    assert (table.returncode, table.stdout.split()[0], table.stderr) == (0, "id", "")


def test_imodels_of_one_itwin(emulator: EmulatorThread) -> None:
    itwin = str(rows(emulator, "favorites", "itwins")[1]["id"])
    found = rows(emulator, "favorites", "imodels", "--itwin", itwin, "--full")
    known = emulator.state.imodels
    assert [known[str(row["id"])].itwin_id for row in found] == [itwin] * 7
    assert all("extent" in row for row in found)


def test_imodels_over_all_itwins_are_fetched_at_once_and_come_in_order(
    emulator: EmulatorThread,
) -> None:
    order = [row["id"] for row in rows(emulator, "favorites", "itwins")]
    calm = rows(emulator, "favorites", "imodels")
    assert [row["iTwinId"] for row in calm] == [each for each in order for _ in range(7)]
    assert calm[0]["iTwinName"] == emulator.state.itwins[str(order[0])].display_name
    emulator.clear_requests()
    # The first list is the last to arrive.
    emulator.fault(Fault(match="GET /imodels/favorites", times=1, latency=1.0))
    assert rows(emulator, "favorites", "imodels") == calm
    asked = [each.time for each in emulator.calls("GET /imodels/favorites")]
    assert len(asked) == len(order)
    assert max(asked) - min(asked) < 0.9


@pytest.mark.parametrize("limit", [1, 3, 7, 8, 1000])
def test_a_limit_asks_for_no_more_than_it_needs(emulator: EmulatorThread, limit: int) -> None:
    every = rows(emulator, "favorites", "imodels")
    emulator.clear_requests()
    assert rows(emulator, "favorites", "imodels", "--limit", str(limit)) == every[:limit]
    lists = emulator.calls("GET /imodels/favorites")
    assert len(lists) <= min(limit, len(emulator.state.itwins))
    assert all(f"top={min(limit, 1000)}" in each.query for each in lists)


def test_one_itwin_out_of_sight_does_not_hide_the_others(emulator: EmulatorThread) -> None:
    first = str(rows(emulator, "favorites", "itwins")[0]["id"])
    emulator.fault(Fault(match="GET /imodels/favorites", times=1, status=403))
    done = run(emulator, "favorites", "imodels", "--ndjson")
    assert done.returncode == 3
    assert done.stderr.startswith("itwin-async: left out ")
    assert done.stderr.count("\n") == 1
    left = {json.loads(line)["iTwinId"] for line in done.stdout.splitlines()}
    assert len(left) == len(emulator.state.itwins) - 1
    assert first in emulator.state.itwins


def test_adding_and_removing(emulator: EmulatorThread) -> None:
    token = emulator.token_for("ana")
    imodels = rows(emulator, "favorites", "imodels", "--limit", "3")
    ids = [str(row["id"]) for row in imodels]
    listing = ("favorites", "imodels", "--itwin", str(imodels[0]["iTwinId"]))
    assert rows(emulator, *listing, ITWIN_ACCESS_TOKEN=token) == []
    add = run(emulator, "favorites", "add", "imodel", *ids, ITWIN_ACCESS_TOKEN=token)
    assert (add.returncode, add.stdout, add.stderr) == (0, "", "")
    assert len(rows(emulator, *listing, ITWIN_ACCESS_TOKEN=token)) == 3
    piped = "\n".join(["", *ids[:2], ""])
    gone = run(
        emulator, "favorites", "remove", "imodel", "-", stdin=piped, ITWIN_ACCESS_TOKEN=token
    )
    assert gone.returncode == 0, gone.stderr
    assert [row["id"] for row in rows(emulator, *listing, ITWIN_ACCESS_TOKEN=token)] == ids[2:]


def test_what_cannot_be_added_is_told_and_the_rest_is_added(emulator: EmulatorThread) -> None:
    token = emulator.token_for("ana")
    imodel = str(rows(emulator, "favorites", "imodels", "--limit", "1")[0]["id"])
    none = "00000000-0000-0000-0000-00000000000"
    done = run(
        emulator,
        *("favorites", "add", "imodel", f"{none}1", imodel, f"{none}2"),
        ITWIN_ACCESS_TOKEN=token,
    )
    assert done.returncode == 4
    told = done.stderr.splitlines()
    assert [line.split()[1] for line in told] == [f"{none}1:", f"{none}2:"]
    assert list(emulator.state.favorites["ana"].imodels) == [imodel]


def test_nothing_is_added_where_an_id_cannot_be_one(emulator: EmulatorThread) -> None:
    imodel = str(rows(emulator, "favorites", "imodels", "--limit", "1")[0]["id"])
    done = run(emulator, "favorites", "remove", "imodel", imodel, "a/b")
    assert done.returncode == 2
    assert "imodel_id must be an id" in done.stderr
    emulator.assert_not_called("DELETE /imodels/favorites/{id}")


def test_a_refused_token_is_told_once(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(match="PUT /imodels/favorites/{id}", times=None, status=401))
    done = run(emulator, "favorites", "add", "imodel", *(f"m{number}" for number in range(50)))
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "50 of 50 not changed" in done.stderr


def test_recents_keep_the_order_they_are_given_in(emulator: EmulatorThread) -> None:
    token = emulator.token_for("ana")
    ids = [str(row["id"]) for row in rows(emulator, "favorites", "itwins")]
    added = run(emulator, "recents", "add", "itwin", *ids, ITWIN_ACCESS_TOKEN=token)
    assert added.returncode == 0, added.stderr
    found = rows(emulator, "recents", "itwins", ITWIN_ACCESS_TOKEN=token)
    assert [row["id"] for row in found] == ids[::-1]


def test_recent_imodels(emulator: EmulatorThread) -> None:
    token = emulator.token_for("ana")
    imodel = rows(emulator, "favorites", "imodels", "--limit", "1")[0]
    listing = ("recents", "imodels", "--itwin", str(imodel["iTwinId"]))
    run(emulator, "recents", "add", "imodel", str(imodel["id"]), ITWIN_ACCESS_TOKEN=token)
    found = rows(emulator, *listing, ITWIN_ACCESS_TOKEN=token)
    assert [row["id"] for row in found] == [imodel["id"]]
    run(emulator, "recents", "remove", "imodel", str(imodel["id"]), ITWIN_ACCESS_TOKEN=token)
    assert rows(emulator, *listing, ITWIN_ACCESS_TOKEN=token) == []


def test_the_life_of_a_tag(emulator: EmulatorThread) -> None:
    itwin = str(rows(emulator, "favorites", "itwins")[0]["id"])
    made = run(emulator, "tag", "create", "Night shift", "--itwin", itwin, "--json")
    tag = json.loads(made.stdout)
    assert tag["displayName"] == "Night shift"
    assert run(emulator, "tag", "rename", tag["id"], "Day shift").returncode == 0
    assert "Day shift" in run(emulator, "tag", "show", tag["id"]).stdout
    assert "Day shift" in run(emulator, "tag", "list", "--itwin", itwin).stdout
    assert run(emulator, "tag", "delete", tag["id"]).returncode == 0
    gone = run(emulator, "tag", "show", tag["id"])
    assert gone.returncode == 4
    assert "TagNotFound" in gone.stderr


def test_the_embedded_emulator_needs_nothing(emulator: EmulatorThread, tmp_path: Path) -> None:
    done = run(emulator, "favorites", "imodels", "--emulator", cwd=tmp_path, ITWIN_ACCESS_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 100
    assert emulator.request_count == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_command_prints_its_address_first(
    emulator: EmulatorThread, tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "token"
    with started(emulator, "emulator", "--port", "0", "--token-file", str(file)) as child:
        assert child.stdout is not None
        address = child.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        assert child.stdout.readline().strip() == file.read_text()
        listed = run(
            emulator, "favorites", "itwins", "--base-url", address, ITWIN_ACCESS_TOKEN="anything"
        )
        assert listed.returncode == 0, listed.stderr
        child.send_signal(number)
        assert child.communicate() == ("", "")
    assert child.returncode == 0


def test_verbose_tells_every_request_and_no_token(emulator: EmulatorThread) -> None:
    with started(emulator, "favorites", "itwins", "--verbose") as child:
        _, stderr = child.communicate()
    assert stderr.startswith("GET /itwins/favorites -> 200")
    assert emulator.token not in stderr


def test_a_quota_paces(emulator: EmulatorThread) -> None:
    done = run(emulator, "favorites", "imodels", "--quota", "600/60", "--ndjson")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 28


def test_a_dotenv_file_is_read(emulator: EmulatorThread, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"ITWIN_ACCESS_TOKEN={emulator.token}\n")
    kept = environment(emulator)
    del kept["ITWIN_ACCESS_TOKEN"]
    done = subprocess.run(
        [*COMMAND, "favorites", "itwins", "--ndjson"],
        env=kept,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_help_names_every_command(emulator: EmulatorThread) -> None:
    done = run(emulator, "--help")
    assert done.returncode == 0, done.stderr
    for name in ("favorites", "recents", "tag", "call", "operations", "emulator"):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("missing", ["click", "rich", "dotenv"])
def test_without_the_extra_one_line_says_how_to_get_it(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; import itwin_async.cli as c; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'itwin-async[cli]'" in done.stderr
