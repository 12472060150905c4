"""The PySpark data source without a Java runtime: options, schema, partitions, rows."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pytest

from itwin_async.emulator import EmulatorThread, Fault
from itwin_async.errors import ArgumentError, AuthenticationError

pytest.importorskip("pyspark", reason="needs the extra spark")

import pyarrow as pa
from pyspark.sql.types import StructType

from itwin_async import harvest
from itwin_async.spark import ITwinDataSource


def rows(
    options: dict[str, str], chosen: StructType | None = None
) -> list[list[dict[str, object]]]:
    """Read all partitions as Spark does: the reader and each partition are pickled."""
    source = ITwinDataSource(options)
    schema = chosen or source.schema()
    assert isinstance(schema, StructType)
    reader = source.reader(schema)
    found = []
    for partition in reader.partitions():
        worker, own = pickle.loads(pickle.dumps((reader, partition)))
        batches = list(worker.read(own))
        found.append(pa.Table.from_batches(batches).to_pylist() if batches else [])
    return found


def test_each_list_is_whole_in_one_partition(emulator: EmulatorThread) -> None:
    partitions = rows({"list": "imodels", "shards": "3", "page_size": "2"})
    assert len(partitions) == 3
    lists = [{row["list"] for row in partition} for partition in partitions]
    assert sum(map(len, lists)) == len(set[object]().union(*lists)) == len(emulator.state.itwins)
    names = {itwin.id: itwin.display_name for itwin in emulator.state.itwins.values()}
    found = [row for partition in partitions for row in partition]
    assert len({row["id"] for row in found}) == len(found) == len(emulator.state.imodels)
    for row in found:
        assert row["list_name"] == names[str(row["list"])]
        assert json.loads(str(row["json"]))["id"] == row["id"]


def test_rows_are_those_of_a_harvest(emulator: EmulatorThread, tmp_path: Path) -> None:
    (partition,) = rows({"list": "itwins", "full": "true"})
    assert [row["id"] for row in partition] == list(emulator.state.itwins)
    assert set(partition[0]) > {"list", "list_name", "harvested_at", "data_center_location"}


@pytest.mark.parametrize("name", harvest.list_names())
def test_every_list_has_a_schema(name: str) -> None:
    schema = ITwinDataSource({"list": name}).schema()
    assert isinstance(schema, StructType)
    assert {"list", "list_name", "id", "json", "harvested_at"} <= set(schema.names)


def test_a_schema_of_the_callers_chooses_columns(emulator: EmulatorThread) -> None:
    columns = StructType().add("display_name", "string").add("id", "string", nullable=False)
    found = rows({"list": "itwins"}, columns)
    assert found[0][0] == {
        "display_name": next(iter(emulator.state.itwins.values())).display_name,
        "id": next(iter(emulator.state.itwins)),
    }
    for wrong in (StructType().add("colour", "string"), StructType().add("id", "long")):
        with pytest.raises(ArgumentError) as caught:
            rows({"list": "itwins"}, wrong)
        assert caught.value.argument == "schema"


def test_ids_are_given_or_in_a_file(emulator: EmulatorThread, tmp_path: Path) -> None:
    first, second, *_ = emulator.state.itwins
    given = rows({"list": "imodels", "itwins": f"{first}, {second}", "concurrency": "1"})
    assert [{row["list"] for row in partition} for partition in given] == [{first}, {second}]
    (tmp_path / "ids.txt").write_text(f"{second}\n")
    filed = rows({"list": "imodels", "itwins": "ids.txt"})
    assert [{row["list"] for row in partition} for partition in filed] == [{second}]


def test_filters_choose_itwins(emulator: EmulatorThread) -> None:
    first = next(iter(emulator.state.itwins.values()))
    given = {"list": "imodels", "display_name": first.display_name, "sub_class": "Project, Asset"}
    ((*found,),) = rows({**given, "include_inactive": "TRUE"})
    assert {row["list"] for row in found} == {first.id}


def test_a_cursor_that_is_refused_begins_the_list_again(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(match="GET /imodels", expire_continuation=True, every=6, times=None))
    found = [row["id"] for part in rows({"list": "imodels", "page_size": "2"}) for row in part]
    assert sorted(map(str, found)) == sorted(emulator.state.imodels)
    assert [one.status for one in emulator.requests if one.status >= 400]


def test_no_lists_are_one_empty_partition(emulator: EmulatorThread) -> None:
    assert rows({"list": "imodels", "of": "favorite-itwins"}) == [[]]


def test_credentials_of_a_provider(
    emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITWIN_ACCESS_TOKEN", "wrong")
    with pytest.raises(AuthenticationError):
        rows({"list": "itwins"})
    module = ModuleType("own_credentials")
    module.token = lambda: emulator.token  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_credentials", module)
    options = {"list": "itwins", "credentials": "own_credentials:token"}
    assert rows(options)[0]
    monkeypatch.setenv("ITWIN_BASE_URL", "http://127.0.0.1:9")
    assert rows({**options, "base_url": emulator.base_url})[0]


@pytest.mark.parametrize(
    "name", ["token", "access_token", "Client_Secret", "password", "authorization"]
)
def test_secrets_are_refused_as_options(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        ITwinDataSource({"list": "itwins", name: "hush"}).schema()
    assert caught.value.argument == name
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("list", {}),
        ("list", {"list": "trees"}),
        ("option", {"list": "itwins", "colour": "red"}),
        ("full", {"list": "itwins", "full": "maybe"}),
        ("include_inactive", {"list": "itwins", "include_inactive": "yes"}),
        ("status", {"list": "itwins", "status": "Active, Sleeping"}),
        ("of", {"list": "imodels", "of": "trees"}),
        ("page_size", {"list": "itwins", "page_size": "1001"}),
        ("page_size", {"list": "itwins", "page_size": "many"}),
        ("shards", {"list": "itwins", "shards": "0"}),
        ("concurrency", {"list": "itwins", "concurrency": "-1"}),
        ("quota", {"list": "itwins", "quota": "fast"}),
        ("quota", {"list": "itwins", "quota": "0/60"}),
        ("credentials", {"list": "itwins", "credentials": "module"}),
        ("itwin_ids", {"list": "imodels", "itwins": "missing/ids.txt"}),
        ("imodel_ids", {"list": "itwins", "imodels": "a"}),
    ],
)
def test_bad_options_are_refused(argument: str, options: dict[str, str]) -> None:
    with pytest.raises(ArgumentError) as caught:
        ITwinDataSource(options).schema()
    assert caught.value.argument == argument
