"""A Parquet target as strangers read it: at any moment, without rows, of several tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harvest_truth import expected, found
from made_lists import MadePage, Thing, made

from itwin_async import Session, harvest
from itwin_async.emulator import Emulator
from itwin_async.harvest.columns import columns_with_id
from itwin_async.harvest.plan import identity, plan
from itwin_async.harvest.reading import tables_of
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import parquet, parts
from itwin_async.harvest.store import Store, sink_of
from itwin_async.harvest.target import target_files

pytestmark = pytest.mark.slow

pytest.importorskip("pyarrow")
FULL = harvest.favorite_imodels().full()


def by_duckdb(folder: Path) -> list[str]:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as database:
        rows = database.execute(f"SELECT id FROM '{folder}/*.parquet'").fetchall()
    return [str(name) for (name,) in rows]


def by_polars(folder: Path) -> list[str]:
    polars = pytest.importorskip("polars")
    return [str(name) for name in polars.read_parquet(folder)["id"]]


def by_pandas(folder: Path) -> list[str]:
    pandas = pytest.importorskip("pandas")
    return [str(name) for name in pandas.read_parquet(folder)["id"]]


def by_arrow(folder: Path) -> list[str]:
    import pyarrow.dataset as ds

    return [str(name) for name in ds.dataset(folder).to_table()["id"].to_pylist()]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is taken alone, and is a part."""
    monkeypatch.setattr("itwin_async.harvest.store._COMMIT_AFTER", 0.0)
    monkeypatch.setattr("itwin_async.harvest.writer._LEAST", 2**20)


READERS = [by_duckdb, by_polars, by_pandas, by_arrow]


@pytest.mark.parametrize("read", READERS)
async def test_a_folder_is_read_by_its_name(
    emulator: Emulator, session: Session, tmp_path: Path, read: Callable[[Path], list[str]]
) -> None:
    target = tmp_path / "out.parquet"
    await harvest.run(session, FULL, target)
    assert sorted(read(target)) == sorted(name for _, name in expected(emulator))
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet", "out.parquet.state"}


@pytest.mark.parametrize("read", READERS)
async def test_without_rows_there_are_columns(
    session: Session, tmp_path: Path, read: Callable[[Path], list[str]]
) -> None:
    target = tmp_path / "out.parquet"
    report = await harvest.run(session, made({"one": [[]], "two": [[]]}), target)
    assert report.complete
    assert read(target) == []
    assert (await harvest.run(session, made({"one": [[]], "two": [[]]}), target)).complete
    assert read(target) == []
    assert harvest.check(target).finished


async def test_a_table_without_rows_beside_others(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    emulator.fail("GET /itwins/*/repositories", status=200, body={"repositories": []}, times=None)
    target = tmp_path / "out.parquet"
    report = await harvest.run(session, harvest.lists("itwins", "repositories", full=True), target)
    assert report.complete, report.failures
    for read in READERS:
        assert len(read(target / "itwins")) == len(emulator.state.itwins)
        assert read(target / "repositories") == []


@pytest.mark.parametrize("read", READERS)
@pytest.mark.usefixtures("often")
async def test_a_folder_can_be_read_while_it_is_written(
    session: Session,
    tmp_path: Path,
    read: Callable[[Path], list[str]],
) -> None:
    target, counts = tmp_path / "out.parquet", list[int]()

    def look(_: harvest.Progress) -> None:
        if target.exists():
            names = read(target)
            assert len(names) == len(set(names))
            counts.append(len(names))

    await harvest.run(session, FULL, target, page_size=10, concurrency=1, on_progress=look)
    assert counts == sorted(counts)
    assert len(set(counts)) > 2


@pytest.mark.usefixtures("often")
async def test_small_parts_are_merged_at_the_end(
    emulator: Emulator, session: Session, tmp_path: Path
) -> None:
    target, most = tmp_path / "out.parquet", 0

    def look(_: harvest.Progress) -> None:
        nonlocal most
        most = max(most, len(list(target.glob("*.parquet"))))

    await harvest.run(session, FULL, target, page_size=5, concurrency=1, on_progress=look)
    assert most > 3
    (part,) = target.iterdir()
    assert found(target) == expected(emulator)
    assert harvest.check(target).finished
    await harvest.run(session, FULL, target)
    assert list(target.iterdir()) == [part]


@pytest.mark.usefixtures("often")
async def test_very_many_parts_are_merged_before_the_end(
    emulator: Emulator, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_MANY", 4)
    target, counts = tmp_path / "out.parquet", list[int]()

    def look(_: harvest.Progress) -> None:
        counts.append(len(list(target.glob("*.parquet"))))
        items = harvest.check(target).items
        names = found(target)  # the writer goes on meanwhile
        assert items <= len(names) == len(set(names))

    await harvest.run(session, FULL, target, page_size=5, concurrency=1, on_progress=look)
    assert len(counts) > 8
    assert max(counts) <= 4
    assert found(target) == expected(emulator)


@pytest.mark.usefixtures("often")
async def test_parts_of_a_sensible_size_are_left_alone(
    emulator: Emulator, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_ROWS", 60)
    target = tmp_path / "out.parquet"
    await harvest.run(session, FULL, target, page_size=10, concurrency=1)
    import pyarrow.parquet as pq

    sizes = [pq.read_metadata(part).num_rows for part in target.iterdir()]
    assert sum(sizes) == len(expected(emulator))
    assert max(sizes) <= 60
    assert len(sizes) <= 2 * len(expected(emulator)) / 60 + 1


@pytest.mark.usefixtures("often")
async def test_a_disk_that_is_full_leaves_small_parts(
    emulator: Emulator, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts, "merge", full)
    target = tmp_path / "out.parquet"
    report = await harvest.run(session, FULL, target, page_size=10, concurrency=1)
    assert report.complete
    assert len(list(target.iterdir())) > 1
    assert found(target) == expected(emulator)
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet", "out.parquet.state"}


async def test_a_folder_of_an_earlier_version_is_refused_by_name(
    session: Session, tmp_path: Path
) -> None:
    target = tmp_path / "out.parquet"
    target.mkdir()
    (target / "_harvest.state").touch()
    for look in (harvest.status, harvest.check, lambda one: list(harvest.read(one))):
        with pytest.raises(harvest.TargetError, match=r"out\.parquet"):
            look(target)
    with pytest.raises(harvest.TargetError, match=r"out\.parquet"):
        await harvest.run(session, FULL, target)
    assert [path.name for path in tmp_path.rglob("*")] == ["out.parquet", "_harvest.state"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


SOURCE = made({"one": [[]]})


def live(target: Path, seconds: float, page: Callable[[int], MadePage] | None = None) -> int:
    """Add a page each quarter of a second; then the process is gone. Count the commits."""
    clock, marks = Clock(), set[str | None]()
    files = target_files(target)
    sinks: dict[int, Any] = {0: sink_of(files, SOURCE, alone=True)}
    store = Store(str(target), files.state, plan([SOURCE]), sinks, clock=clock)
    store.open(identity([SOURCE]))
    (entry,), _ = store.open_lists(0, 9)
    number = int(entry.cursor or 0)
    while clock.now < seconds:
        made_page: Any = (page or small_page)(number)
        step = partial(store.add_page, entry, made_page, (), made_page.cursor, done=False)
        store.apply([step])
        clock.now += 0.25
        store.apply([])  # as while nothing comes
        marks.add(tables_of(target)[0].mark)
        number += 1
    store.close()  # as a kill does, it drops what is not committed
    return len(marks)


def small_page(number: int) -> MadePage:
    return MadePage([Thing(f"{number}-{one}") for one in range(5)], str(number + 1), "more")


@pytest.mark.parametrize("seconds", [2, 3, 7])
def test_a_job_that_is_killed_every_few_seconds_gets_on(tmp_path: Path, seconds: float) -> None:
    target, before = tmp_path / "out.parquet", 0
    for _ in range(6):
        live(target, seconds)
        items = harvest.check(target).items
        assert items > before
        before = items
    names = by_arrow(target)
    assert len(names) == len(set(names)) == before


def test_a_job_that_lives_loses_a_few_seconds_and_writes_few_parts(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    commits = live(target, 60)
    assert 60 * 4 * 5 - harvest.status(target).items <= 5 * 4 * 5
    assert 10 <= commits <= 20


def test_large_rows_are_written_by_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_ENOUGH_BYTES", 2**20)

    def large_page(number: int) -> MadePage:
        return MadePage([Thing(str(number), "x" * 2**18)], str(number + 1), "more")

    assert live(tmp_path / "out.parquet", 1, large_page) > 1
    assert harvest.check(tmp_path / "out.parquet").items >= 3


def test_small_pages_take_no_more_memory_than_their_rows(tmp_path: Path) -> None:
    """A batch of five rows takes ten times the memory of its rows, so they are joined."""
    import pyarrow as pa

    target = tmp_path / "out.parquet"
    sink = sink_of(target_files(target), SOURCE, alone=True)
    sink.open(columns_with_id(Thing), None)
    before, now = pa.total_allocated_bytes(), datetime.now(UTC)
    for number in range(2000):
        things = [Thing(f"{number}-{one}", "x" * 20) for one in range(5)]
        rows = [Row("list", None, thing.id, b"{}", now, now, now) for thing in things]
        sink.write_rows(rows, things)
    assert not sink.waiting
    assert pa.total_allocated_bytes() - before < 2000 * 5 * 200
    sink.close()
