"""The source of dlt, loaded into DuckDB; dlt's telemetry is off."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT

from itwin_async import RetryPolicy, Session, harvest, imodels
from itwin_async.emulator import EmulatorThread, Fault
from itwin_async.errors import ArgumentError

dlt = pytest.importorskip("dlt", reason="needs the extra dlt")
duckdb = pytest.importorskip("duckdb")

from itwin_async.dlt import source  # noqa: E402 - it needs the extra


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    before = set(threading.enumerate())
    yield
    left = {each.name for each in threading.enumerate() if each not in before}
    assert "itwin-session" not in left


@pytest.fixture
def pipeline(tmp_path: Path) -> Any:
    destination = dlt.destinations.duckdb(str(tmp_path / "out.duckdb"))
    return dlt.pipeline("nightly", destination=destination, dataset_name="itwin")


def ask(tmp_path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as database:
        return database.sql(sql).fetchall()


def tell(emulator: EmulatorThread, change: Callable[[Session], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Session(emulator.token, base_url=emulator.base_url) as session:
            await change(session)

    asyncio.run(main())


def test_lists_are_tables_with_typed_columns(
    emulator: EmulatorThread, pipeline: Any, tmp_path: Path
) -> None:
    pipeline.run(source("itwins", "imodels", full=True, page_size=3))
    names = {itwin.id: itwin.display_name for itwin in emulator.state.itwins.values()}
    rows = ask(tmp_path, "SELECT list, list_name, id FROM itwin.imodels")
    assert sorted(name for _, _, name in rows) == sorted(emulator.state.imodels)
    assert {key: name for key, name, _ in rows} == names
    kinds = dict(
        ask(
            tmp_path,
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'imodels'",
        )
    )
    assert kinds["created_date_time"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["extent_south_west_latitude"] == "DOUBLE"
    assert kinds["harvested_at"] == "TIMESTAMP WITH TIME ZONE"


def test_a_list_without_rows_is_a_table_too(
    emulator: EmulatorThread, pipeline: Any, tmp_path: Path
) -> None:
    pipeline.run(source("favorite-itwins"))
    assert ask(tmp_path, "SELECT count(*), count(list_name) FROM itwin.favorite_itwins") == [(0, 0)]


def test_merge_updates_and_replace_forgets(
    emulator: EmulatorThread, pipeline: Any, tmp_path: Path
) -> None:
    chosen, gone, *_ = emulator.state.imodels
    pipeline.run(source("imodels", full=True))

    async def change(session: Session) -> None:
        await imodels.update_imodel(session, chosen, description="changed")
        await imodels.delete_imodel(session, gone)

    tell(emulator, change)
    pipeline.run(source("imodels", full=True))
    count = len(emulator.state.imodels)
    sql = "SELECT count(*), count(*) FILTER (description = 'changed') FROM itwin.imodels"
    assert ask(tmp_path, sql) == [(count + 1, 1)]
    pipeline.run(source("imodels", full=True, write_disposition="replace"))
    assert ask(tmp_path, sql) == [(count, 1)]


def test_changesets_are_asked_for_behind_the_last(
    emulator: EmulatorThread, pipeline: Any, tmp_path: Path
) -> None:
    first = next(iter(emulator.state.imodels))
    pipeline.run(source("changesets"))
    count = "SELECT count(*), count(DISTINCT list || id) FROM itwin.changesets"
    ((before, _),) = ask(tmp_path, count)
    assert before == 3 * len(emulator.state.imodels)
    emulator.add_changeset(first, b"more")
    asked = len(emulator.requests)
    pipeline.run(source("changesets"))
    assert ask(tmp_path, count) == [(before + 1, before + 1)]
    later = [str(one) for one in emulator.requests[asked:] if "/changesets" in str(one)]
    assert len(later) == len(emulator.state.imodels)
    assert all("afterIndex=3" in one for one in later)

    asked = len(emulator.requests)
    pipeline.run(source("changesets"), write_disposition="replace")
    assert ask(tmp_path, count) == [(before + 1, before + 1)]
    pipeline.run(source("changesets", incremental=False))
    assert not [one for one in emulator.requests[asked:] if "afterIndex" in str(one)]


def test_a_changeset_without_its_file_is_asked_for_again(
    emulator: EmulatorThread, pipeline: Any, tmp_path: Path
) -> None:
    imodel = next(iter(emulator.state.imodels))

    async def announce(session: Session) -> None:
        briefcase = await imodels.acquire_briefcase(session, imodel)
        made = {"briefcase_id": int(briefcase.id), "file_size": 4}
        last = await imodels.get_changeset(session, imodel, 3)
        await imodels.create_changeset(session, imodel, "f" * 40, parent_id=last.id, **made)

    tell(emulator, announce)
    for count in (4, 1):
        asked = len(emulator.requests)
        pipeline.run(source("changesets", imodel_ids=[imodel]))
        (one,) = emulator.requests[asked:]
        assert ("afterIndex=3" in str(one)) == (count == 1)
    assert ask(tmp_path, "SELECT count(*), max(index) FROM itwin.changesets") == [(4, 4)]


def test_a_list_that_fails_loads_nothing(
    emulator: EmulatorThread, pipeline: Any, tmp_path: Path
) -> None:
    itwin = next(iter(emulator.state.itwins))
    one = Fault(match="GET /imodels", query={"iTwinId": itwin}, status=503, times=None)
    emulator.fault(one)
    with pytest.raises(Exception, match="503"):
        pipeline.run(source("imodels", retry=RetryPolicy(retries=0)))
    assert not pipeline.has_pending_data


JOB = """
import os, signal, sys
import dlt
from itwin_async.dlt import source

asked = 0

async def token():
    global asked
    asked += 1
    if asked == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.environ["ITWIN_ACCESS_TOKEN"]

out = dlt.destinations.duckdb("out.duckdb")
pipeline = dlt.pipeline("nightly", destination=out, dataset_name="itwin")
pipeline.run(source("imodels", "changesets", token=token, page_size=2, concurrency=1))
"""


@pytest.mark.slow
def test_a_kill_while_dlt_extracts_loses_that_extract_only(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    command, environment = [sys.executable, "-c", JOB], {**os.environ, "PYTHONPATH": str(ROOT)}
    count = len(emulator.state.imodels)
    for kill_at, code in ((20, -signal.SIGKILL), (0, 0)):
        asked = len(emulator.requests)
        job = subprocess.run(
            [*command, str(kill_at)], env=environment, capture_output=True, check=False
        )
        assert job.returncode == code, job.stderr
        first = str(emulator.requests[asked])
        assert first.startswith("GET /itwins")
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT id) FROM itwin.imodels") == [(count,) * 2]
    sql = "SELECT count(*), count(DISTINCT list || id) FROM itwin.changesets"
    assert ask(tmp_path, sql) == [(3 * count,) * 2]


@pytest.mark.parametrize("name", harvest.list_names())
def test_every_list_is_a_resource(name: str) -> None:
    (resource,) = source(name).resources
    assert resource == name.replace("-", "_")


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("write_disposition", {"write_disposition": "append"}),
        ("page_size", {"page_size": 0}),
        ("concurrency", {"concurrency": 0}),
        ("incremental", {"incremental": "no"}),
        ("client_session", {"client_session": object()}),
        ("connector", {"connector": object()}),
        ("of", {"of": "trees"}),
        ("status", {"filters": {"status": "Sleeping"}}),
    ],
)
def test_bad_arguments_are_refused(argument: str, given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as caught:
        source("imodels", **given)
    assert caught.value.argument == argument
