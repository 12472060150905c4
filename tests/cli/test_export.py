"""Harvests in other forms: CSV of every table, GeoJSON of what has a place."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from commands import run
from list_platform import ListPlatform, list_platform

from itwin_async import harvest
from itwin_async.emulator import EmulatorThread

MOMENTS = ["harvested_at", "first_seen", "last_seen", "removed_at"]


@pytest.fixture(scope="module")
def lists() -> Iterator[ListPlatform]:
    with list_platform() as platform:
        yield platform


@pytest.mark.parametrize("name", ["out.db", "out.ndjson", "out.parquet"])
def test_every_table_as_csv(lists: ListPlatform, tmp_path: Path, name: str) -> None:
    what = ",".join(harvest.list_names())
    done = run(lists, "harvest", name, "--what", what, "--full", "-q", cwd=tmp_path)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    for table, count in harvest.status(tmp_path / name).tables.items():
        done = run(lists, "export", name, "--from", table, "--csv", cwd=tmp_path)  # type: ignore[arg-type]
        assert (done.returncode, done.stderr) == (0, ""), table
        header, *rows = list(csv.reader(io.StringIO(done.stdout)))
        assert len(rows) == count > 0
        assert header[:2] == ["list", "list_name"]
        assert header[-4:] == MOMENTS
        assert len(header) == len(set(header))
        place = header.index("id")
        assert len({(row[0], row[place]) for row in rows}) == count
        for row in rows:
            assert row[-4] == row[-3] == row[-2] != ""
            assert row[-1] == ""


def test_rows_in_every_form(emulator: EmulatorThread, tmp_path: Path) -> None:
    run(emulator, "harvest", "out.db", "--full", "-q", cwd=tmp_path)
    names = {one.id: one.display_name for one in emulator.state.itwins.values()}
    done = run(emulator, "export", "out.db", "--ndjson", cwd=tmp_path)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["list_name"] for row in rows} == set(names.values())
    assert all(names[row["list"]] == row["list_name"] for row in rows)
    assert all(list(row)[-4:] == MOMENTS for row in rows)
    columns = ["--csv", "--columns", "list_name,extent.southWest.latitude,harvested_at"]
    done = run(emulator, "export", "out.db", *columns, cwd=tmp_path)
    _, first, *_ = csv.reader(io.StringIO(done.stdout))
    place = rows[0]["extent"] or {"southWest": {"latitude": ""}}
    latitude = str(place["southWest"]["latitude"])
    assert first == [rows[0]["list_name"], latitude, rows[0]["harvested_at"]]


def extent(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    return {
        "southWest": {"latitude": south, "longitude": west},
        "northEast": {"latitude": north, "longitude": east},
    }


@pytest.mark.parametrize(
    ("found", "kind", "edges"),
    [
        (extent(10, 50, 11, 51), "Polygon", [{10, 11}]),
        (extent(179, 50, -179, 51), "MultiPolygon", [{179, 180}, {-180, -179}]),
        (extent(179, 50, 181, 51), "MultiPolygon", [{179, 180}, {-180, -179}]),
        (extent(-181, 50, -179, 51), "MultiPolygon", [{179, 180}, {-180, -179}]),
        (extent(190, 50, 191, 51), "Polygon", [{-170, -169}]),
        (extent(-300, -90, 300, 90), "Polygon", [{-180, 180}]),
        (extent(10, 50, 11, 91), None, []),
        (extent(10, -1e6, 11, 51), None, []),
        (extent(10, 51, 11, 50), None, []),
        (extent(1e6, 50, 1e6 + 1, 51), None, []),
        (None, None, []),
    ],
)
def test_places_on_the_earth_only(
    emulator: EmulatorThread, tmp_path: Path, found: Any, kind: str | None, edges: list[set[float]]
) -> None:
    itwin, *_ = emulator.state.itwins
    body = json.dumps({"iModels": [{"id": "a", "extent": found}], "_links": {}}).encode()
    emulator.fail("GET /imodels/favorites", status=200, body=body)
    (tmp_path / "ids.txt").write_text(itwin)
    run(emulator, "harvest", "out.db", "--itwins", "ids.txt", "--full", cwd=tmp_path)
    done = run(emulator, "export", "out.db", "--geojson", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    features = json.loads((tmp_path / "out.json").read_text())["features"]
    told = harvest.export_geojson(tmp_path / "out.db", tmp_path / "again.json")
    counts = (told.features, told.without_place, told.impossible)
    if kind is None:
        assert features == []
        assert counts == (0, 1, int(found is not None))
        assert ("impossible" in done.stderr) == (found is not None)
        return
    assert counts == (1, 0, 0)
    (geometry,) = [feature["geometry"] for feature in features]
    assert geometry["type"] == kind
    parts = geometry["coordinates"] if kind == "MultiPolygon" else [geometry["coordinates"]]
    assert [{x for x, _ in ring} for (ring,) in parts] == edges
    for (ring,) in parts:
        area = sum(a * d - c * b for (a, b), (c, d) in pairwise(ring))
        assert ring[0] == ring[-1]
        assert area > 0  # counterclockwise
        assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in ring)


def test_a_second_night_is_told_that_it_asked_for_nothing(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    assert run(emulator, "harvest", "out.db", "-q", cwd=tmp_path).stderr == ""
    since = harvest.status(tmp_path / "out.db").finished_at
    assert since is not None
    for options in ([], ["-q"], ["--json"], ["--report", "r.json"]):
        done = run(emulator, "harvest", "out.db", *options, cwd=tmp_path)
        assert done.returncode == 0
        last = done.stderr.splitlines()[-1]
        assert f"{since:%Y-%m-%d %H:%M}" in last
        assert "--refresh" in last
