"""Targets that a disk, a bad copy or git have spoilt: one error, and it names the file."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from commands import run as run_command
from harvest_truth import NEEDS, TARGETS, expected
from made_lists import Thing, made

from itwin_async import Session, harvest, imodels
from itwin_async.emulator import Emulator
from itwin_async.harvest.target import target_files

FULL = harvest.favorite_imodels().full()


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


def data_of(target: Path) -> Path:
    return next(target.glob("part-*.parquet")) if target.suffix == ".parquet" else target


def middle(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(64) + data[len(data) // 2 + 64 :]


def tree(data: bytes) -> bytes:
    """Spoil the beginning of each page of a database but for the first."""
    pages = [data[start : start + 4096] for start in range(0, len(data), 4096)]
    return b"".join([pages[0], *(bytes(64) + page[64:] for page in pages[1:])])


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def nothing(_: bytes) -> bytes:
    return b""


def noise(data: bytes) -> bytes:
    return bytes(number * 37 % 251 for number in range(len(data)))


def line_ends(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


DAMAGES = [middle, half, nothing, noise, line_ends]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_every_look_is_told_in_our_words(
    emulator: Emulator, session: Session, target: Path, damage: Callable[[bytes], bytes]
) -> None:
    await harvest.run(session, FULL, target)
    file = data_of(target)
    rows = list(harvest.read(target))
    file.write_bytes(damage(file.read_bytes()))
    looks: list[Callable[[], Any]] = [
        lambda: list(harvest.read(target)),
        lambda: list(harvest.read(target, imodels.IModel)),
        lambda: harvest.status(target),
        lambda: harvest.export_geojson(target, target.parent / "x.geojson"),
    ]
    for look in looks:
        try:
            look()
        except harvest.TargetError as error:
            assert str(file) in str(error)  # noqa: PT017 - it may be as good as whole
            assert "geojson" not in str(error)  # noqa: PT017
    is_database = file.suffix in {".db", ".sqlite"}
    if is_database and damage is middle:
        with suppress(harvest.TargetError):
            harvest.check(target)  # it may hit what holds no rows
            assert list(harvest.read(target)) == rows
        return
    with pytest.raises(harvest.TargetError) as found:
        harvest.check(target)
    assert str(file) in str(found.value)
    if not is_database:
        with pytest.raises(harvest.TargetError):
            list(harvest.read(target))
    before = file.read_bytes()
    try:
        await harvest.run(session, FULL, target)
    except harvest.TargetError as error:
        assert str(file) in str(error)  # noqa: PT017
    assert file.read_bytes() == before or is_database


def longer(data: bytes) -> bytes:
    return b"x" * (len(data) + 1000)


@pytest.mark.parametrize("damage", [half, nothing, longer])
@pytest.mark.parametrize("name", ["out.ndjson", "out.ndjson.gz", "out.ndjson.zst", "out.parquet"])
async def test_a_harvest_does_not_go_on_with_a_spoilt_file(
    session: Session, tmp_path: Path, damage: Callable[[bytes], bytes], name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = tmp_path / name
    await harvest.run(session, FULL, target)
    file = data_of(target)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(harvest.TargetError) as found:
        await harvest.run(session, FULL, target)
    assert str(file) in str(found.value)


async def test_line_ends_that_were_changed_are_not_cut(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    await harvest.run(session, FULL, target)
    spoilt = line_ends(target.read_bytes())
    target.write_bytes(spoilt)
    with pytest.raises(harvest.TargetError):
        await harvest.run(session, FULL, target)
    assert target.read_bytes() == spoilt


@pytest.mark.parametrize("damage", [tree, half, noise])
@pytest.mark.parametrize("name", ["out.ndjson", "out.parquet"])
async def test_a_spoilt_checkpoint(
    session: Session, tmp_path: Path, damage: Callable[[bytes], bytes], name: str
) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    target = tmp_path / name
    await harvest.run(session, FULL, target)
    file = target_files(target).state
    file.write_bytes(damage(file.read_bytes()))
    for look in (harvest.status, harvest.check, lambda target: list(harvest.read(target))):
        try:
            look(target)
        except harvest.TargetError as error:
            assert str(file) in str(error)  # noqa: PT017
    with pytest.raises(harvest.TargetError):
        harvest.check(target)
    with suppress(harvest.TargetError):
        await harvest.run(session, FULL, target)
    with pytest.raises(harvest.TargetError):
        harvest.check(target)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE harvest_meta SET value = 'no JSON' WHERE name = 'identity'",
        "UPDATE harvest_meta SET value = '[]' WHERE name = 'identity'",
        "UPDATE harvest_sources SET mark = 'no number'",
        "DROP TABLE harvest_lists",
    ],
)
async def test_a_checkpoint_that_makes_no_sense(session: Session, tmp_path: Path, sql: str) -> None:
    target = tmp_path / "out.ndjson"
    await harvest.run(session, FULL, target)
    with closing(sqlite3.connect(target_files(target).state)) as state, state:
        state.execute(sql)
    with pytest.raises(harvest.TargetError):
        harvest.check(target)
    with suppress(harvest.TargetError):
        await harvest.run(session, FULL, target)
    with pytest.raises(harvest.TargetError):
        harvest.check(target)


async def test_what_is_undamaged_is_said_to_be(
    emulator: Emulator, session: Session, target: Path
) -> None:
    emulator.fail("GET /imodels/favorites", status=403, times=None, after=9)
    await harvest.run(session, FULL, target, page_size=5, concurrency=2)
    status = harvest.check(target)
    assert status == harvest.status(target)
    assert 0 < status.items < len(expected(emulator))
    emulator.clear_faults()
    await harvest.run(session, FULL, target, page_size=5)
    status = harvest.check(target)
    assert status.finished
    assert status.items == len(expected(emulator))


async def test_items_of_ones_own_are_checked_too(session: Session, target: Path) -> None:
    await harvest.run(session, made({"one": [[Thing("a")], [Thing("b")]]}), target)
    assert harvest.check(target).items == 2


@pytest.mark.parametrize("name", ["out.db", "out.ndjson"])
async def test_rows_that_are_missing_are_missed(
    session: Session, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    await harvest.run(session, made({"one": [[Thing("a")]], "two": [[Thing("b")]]}), target)
    if name == "out.db":
        with closing(sqlite3.connect(target)) as database, database:
            database.execute("DELETE FROM things WHERE id = 'a'")
    else:
        text = target.read_text()
        target.write_text(text.replace('"one"', '"two"'))
    with pytest.raises(harvest.TargetError, match="one"):
        harvest.check(target)


async def test_a_running_harvest_can_be_checked_and_read(
    emulator: Emulator, session: Session, target: Path
) -> None:
    """A reader sees one moment, and does not keep the harvest from going on."""
    counts: list[int] = []

    def look(_: harvest.Progress) -> None:
        try:
            # The writer goes on meanwhile, in its own thread.
            counts.extend([harvest.check(target).items, len(list(harvest.read(target)))])
        except harvest.TargetError:
            return  # nothing is durable yet

    report = await harvest.run(session, FULL, target, page_size=10, concurrency=2, on_progress=look)
    assert report.complete
    assert counts == sorted(counts)
    assert 0 < counts[-1] <= report.progress.items


async def test_a_slow_reader_of_files_locks_nothing(session: Session, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    await harvest.run(session, FULL, target)
    reader = harvest.read(target)
    next(reader)
    report = await asyncio.wait_for(harvest.run(session, FULL, target), 15)
    assert report.complete
    assert len(list(reader)) == report.progress.items - 1


def test_the_command(emulator_thread: Any, tmp_path: Path) -> None:
    pytest.importorskip("click")
    run_command(emulator_thread, "harvest", "out.ndjson", "--full", cwd=tmp_path)
    done = run_command(emulator_thread, "harvest", "check", "out.ndjson", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "undamaged" in done.stdout
    target = tmp_path / "out.ndjson"
    target.write_bytes(middle(target.read_bytes()))
    done = run_command(emulator_thread, "harvest", "check", "out.ndjson", cwd=tmp_path)
    assert done.returncode == 1
    assert "out.ndjson" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def emulator_thread() -> Any:
    from itwin_async.emulator import EmulatorThread

    with EmulatorThread(itwins=3, imodels=5) as emulator:
        yield emulator


async def test_what_a_killed_process_left_half_done_is_undone(
    session: Session, tmp_path: Path
) -> None:
    """The moments in which the state becomes one plain file again have a journal of their own."""
    target, copy = tmp_path / "out.db", tmp_path / "copy.db"
    await harvest.run(session, FULL, target)
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.execute("PRAGMA cache_size=1")
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE favorite_imodels SET display_name = json || json")
        for ending in ("", "-journal"):
            shutil.copy(f"{target}{ending}", f"{copy}{ending}")
        database.execute("ROLLBACK")
    assert (tmp_path / "copy.db-journal").stat().st_size
    assert harvest.status(copy).items == harvest.check(copy).items
    assert list(harvest.read(copy)) == list(harvest.read(target))
