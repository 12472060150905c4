"""Errors of a caller's own sink and of on_progress are the caller's, and blamed on nothing else."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from made_lists import Thing, made
from memory_sink import Memory

from itwin_async import ITwinError, Session, harvest
from itwin_async.harvest.target import target_files

SOURCE = made({key: [[Thing("a")], [Thing("b")]] for key in ("one", "two", "three")})
METHODS = ["open", "write", "commit", "close", "waiting"]


class Faulty(Memory):
    """Raises an error in one of its methods."""

    def __init__(self, path: Path, method: str, problem: BaseException) -> None:
        super().__init__(path)
        self.method, self.fault = method, problem

    def _maybe(self, method: str) -> None:
        if method == self.method:
            raise self.fault

    def open(self, *values: Any) -> None:
        self._maybe("open")
        super().open(*values)

    def write(self, *values: Any) -> None:
        self._maybe("write")
        super().write(*values)

    @property
    def waiting(self) -> bool:
        self._maybe("waiting")
        return True

    def commit(self) -> str:
        if self.rows:
            self._maybe("commit")
        return super().commit()

    def close(self) -> None:
        self._maybe("close")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "problem", [KeyError("mine"), ValueError("mine"), sqlite3.OperationalError("disk is full")]
)
async def test_a_defect_of_a_sink_comes_as_it_is(
    session: Session, tmp_path: Path, method: str, problem: Exception
) -> None:
    sink = Faulty(tmp_path, method, problem)
    with pytest.raises(type(problem)) as raised:
        await asyncio.wait_for(harvest.run(session, SOURCE, sink), 30)
    assert raised.value is problem
    sink.method = ""
    report = await harvest.run(session, SOURCE, sink)
    assert report.complete
    assert len(sink.kept) == 6


@pytest.mark.parametrize("method", METHODS)
async def test_a_disk_that_fails_is_an_error_of_ours(
    session: Session, tmp_path: Path, method: str
) -> None:
    sink = Faulty(tmp_path, method, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(harvest.TargetError, match="Faulty"):
        await asyncio.wait_for(harvest.run(session, SOURCE, sink), 30)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("problem", [asyncio.CancelledError(), ITwinError("mine")])
async def test_whatever_a_sink_raises_it_ends(
    session: Session, tmp_path: Path, method: str, problem: BaseException
) -> None:
    sink = Faulty(tmp_path, method, problem)
    with pytest.raises(ITwinError):
        await asyncio.wait_for(harvest.run(session, SOURCE, sink), 30)


@pytest.mark.parametrize(
    "problem", [OSError(errno.ENOSPC, "mine"), KeyError("mine"), harvest.TargetError("mine")]
)
async def test_an_error_of_on_progress_costs_no_rows(
    session: Session, tmp_path: Path, problem: Exception
) -> None:
    target = tmp_path / "out.ndjson"
    called = 0

    def show(_: harvest.Progress) -> None:
        nonlocal called
        called += 1
        raise problem

    with pytest.raises(type(problem)) as raised:
        await harvest.run(session, SOURCE, target, on_progress=show)
    assert raised.value is problem
    assert called == 1
    assert harvest.check(target).items == len(list(harvest.read(target, Thing))) > 0
    assert not target_files(target).lock.exists()
    assert (await harvest.run(session, SOURCE, target)).complete
