"""A file or folder is replaced whole, wherever it is interrupted."""

from __future__ import annotations

import errno
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from harvest_truth import NEEDS
from made_lists import Thing, made

from itwin_async import Session, harvest
from itwin_async._json.converter import from_dict
from itwin_async.harvest import swap
from itwin_async.harvest.checkpoint import Checkpoint
from itwin_async.harvest.columns import columns_with_id
from itwin_async.harvest.reading import tables_of
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.store import sink_of
from itwin_async.harvest.target import target_files

SOURCE = made({"one": [[Thing("a"), Thing("b")], [Thing("c")]], "two": [[Thing("d")]]})


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(params=["out.ndjson", "out.ndjson.gz", "out.parquet"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return tmp_path / str(request.param)


@pytest.fixture(params=["exchange", "two renamings"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "two renamings":
        monkeypatch.setattr(swap, "exchange", lambda *_: False)
    elif sys.platform != "linux":
        pytest.skip("names are exchanged on Linux")
    return str(request.param)


def renamed(row: Row) -> Row:
    text = row.text.replace(b'"size": null', b'"size": 7')
    return Row(
        row.list, row.list_name, row.id, text, row.harvested_at, row.first_seen, row.last_seen
    )


def thing(text: bytes) -> Thing:
    return from_dict(Thing, parse(text))


def replace(target: Path) -> None:
    """What a refresh does: all rows again, changed, and the swap."""
    files = target_files(target)
    (table,) = tables_of(target)
    sink: Any = sink_of(files, SOURCE, alone=True)
    with closing(Checkpoint(files.state, writable=True)) as checkpoint:
        swap.finish(checkpoint.connection, files.state.parent)
        sink.open(columns_with_id(Thing), table.mark)
        with closing(sink):
            made_anew = sink.replace(map(renamed, sink.rows()), thing)
            swap.commit(
                checkpoint.connection,
                files.state.parent,
                [made_anew.swap],
                lambda: checkpoint.set_mark(table.number, made_anew.mark),
            )
            sink.replaced(made_anew.mark)


def sizes(target: Path) -> set[int | None]:
    rows = [item for _, item in harvest.read(target, Thing)]
    assert sorted(item.id for item in rows) == ["a", "b", "c", "d"]
    assert harvest.check(target).items == harvest.status(target).items == 4
    return {item.size for item in rows}


def left(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()}


@pytest.mark.usefixtures("way")
async def test_rows_are_replaced(session: Session, target: Path) -> None:
    await harvest.run(session, SOURCE, target)
    before = left(target)
    for _ in range(2):
        replace(target)
        assert sizes(target) == {7}
        assert left(target) == before
    report = await harvest.run(session, SOURCE, target)
    assert report.complete
    assert report.progress.new_items == 0
    assert sizes(target) == {7}


def points(monkeypatch: pytest.MonkeyPatch, after: int) -> list[str]:
    """Let the process be gone before the n-th step that changes a name."""
    steps: list[str] = []

    def counted(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def step(*args: Any, **options: Any) -> Any:
            steps.append(name)
            if len(steps) > after:
                raise Killed
            return original(*args, **options)

        monkeypatch.setattr(owner, name, step)

    counted(Path, "rename")
    counted(Path, "replace")
    counted(swap, "exchange")
    counted(swap, "discard")
    return steps


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("target", ["out.ndjson", "out.parquet"], indirect=True)
@pytest.mark.parametrize("after", range(11))
async def test_wherever_it_is_interrupted(
    session: Session, target: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    await harvest.run(session, SOURCE, target)
    names = left(target)
    with monkeypatch.context() as patch:
        points(patch, after)
        with suppress(Killed):
            replace(target)
    counts = sizes(target)
    assert counts in ({None}, {7})
    with monkeypatch.context() as patch:
        points(patch, 1)
        with suppress(Killed, BaseExceptionGroup):  # what would finish it is killed too
            await harvest.run(session, SOURCE, target)
    assert sizes(target) == counts
    report = await harvest.run(session, SOURCE, target)
    assert report.complete
    assert sizes(target) == counts
    assert left(target) == names
    replace(target)
    assert sizes(target) == {7}
    assert left(target) == names


async def test_a_reader_that_has_begun_reads_what_it_began_with(
    session: Session, target: Path
) -> None:
    await harvest.run(session, SOURCE, target)
    reader: Iterator[tuple[str, Thing]] = harvest.read(target, Thing)
    read = [next(reader)[1]]
    replace(target)
    read += [item for _, item in reader]
    assert [item.id for item in read] == ["a", "b", "c", "d"]
    assert {item.size for item in read} == {None}


async def test_a_reader_that_comes_between_begins_again(
    session: Session, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is replaced after the checkpoint was read and before a file is opened."""
    await harvest.run(session, SOURCE, target)
    original, done = swap.current, list[bool]()

    def current(*args: Any) -> Path:
        where = original(*args)
        if not done:
            done.append(True)
            replace(target)
        return where

    # It stays in a mode in which it can be written while it is read, as while a harvest runs.
    with closing(Checkpoint(target_files(target).state, writable=True)):
        monkeypatch.setattr(swap, "current", current)
        assert sizes(target) == {7}
    assert done


def test_a_target_may_be_moved_while_a_swap_is_pending(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "x.ndjson").write_text("old")
    (old / ".new-x.ndjson").write_text("new")
    record(old, swap.Swap(old / "x.ndjson", old / ".new-x.ndjson"))
    new = old.rename(tmp_path / "new")
    with closing(sqlite3.connect(new / "state", isolation_level=None)) as connection:
        assert swap.current(connection, new, new / "x.ndjson").read_text() == "new"
        swap.finish(connection, new)
        assert swap.pending(connection, new) == []
    assert {path.name for path in new.iterdir()} == {"state", "x.ndjson"}
    assert (new / "x.ndjson").read_text() == "new"


def record(folder: Path, *swaps: swap.Swap) -> None:
    def broken(*_: object) -> None:
        raise Killed

    with (
        closing(sqlite3.connect(folder / "state", isolation_level=None)) as connection,
        pytest.MonkeyPatch.context() as patch,
    ):
        connection.execute("CREATE TABLE harvest_meta (name TEXT PRIMARY KEY, value TEXT)")
        patch.setattr(swap, "finish", broken)
        with pytest.raises(Killed):
            swap.commit(connection, folder, swaps, lambda: None)


def test_a_change_that_fails_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    (tmp_path / ".new-x").write_text("new")

    def change() -> None:
        raise KeyError

    with closing(sqlite3.connect(tmp_path / "state", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE harvest_meta (name TEXT PRIMARY KEY, value TEXT)")
        made_swap = swap.Swap(tmp_path / "x", tmp_path / ".new-x")
        with pytest.raises(KeyError):
            swap.commit(connection, tmp_path, [made_swap], change)
        assert not connection.in_transaction
        assert swap.pending(connection, tmp_path) == []
    assert (tmp_path / "x").read_text() == "old"


@pytest.mark.skipif(sys.platform != "linux", reason="names are exchanged on Linux")
def test_names_are_exchanged_or_the_reason_is_told(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "inside").touch()
    if not swap.exchange(one, other):
        pytest.skip("this file system exchanges no names")
    assert (other / "inside").exists()
    with pytest.raises(OSError) as found:  # noqa: PT011 - its number is compared
        swap.exchange(one, tmp_path / "missing")
    assert found.value.errno == errno.ENOENT


def test_what_is_mounted_keeps_its_name(tmp_path: Path) -> None:
    assert swap.is_movable(tmp_path)
    assert swap.is_movable(tmp_path / "missing")
    if Path("/proc/self/mountinfo").exists():
        assert not swap.is_movable(Path("/proc"))
        assert not swap.is_movable(Path("/dev"))


async def test_the_rows_of_a_mount_point_are_not_replaced(
    session: Session, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "is_movable", lambda _: False)
    monkeypatch.setattr("itwin_async.harvest.sinks.parquet.is_movable", lambda _: False)
    report = await harvest.run(session, SOURCE, target)
    assert report.complete
    with pytest.raises(harvest.TargetError, match=target.name):
        replace(target)
    assert sizes(target) == {None}
    assert len(left(target)) == 2
