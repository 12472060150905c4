"""One harvest per target, however a harvest ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from itwin_async import ConfigurationError, Session, harvest
from itwin_async.harvest.target import locked

HOLD = """
import pathlib, sys, time
from itwin_async.harvest.target import locked
path = pathlib.Path(sys.argv[1])
with locked(path, path):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_another_process_is_refused_until_the_holder_is_killed(tmp_path: Path) -> None:
    path, target = tmp_path / "x.lock", tmp_path / "x.db"
    with holder(path) as process:
        with pytest.raises(harvest.TargetError) as refused, locked(path, target):
            pass
        assert str(target) in str(refused.value)
        process.kill()
        process.wait(30)
        with locked(path, target):
            assert path.exists()
    assert not path.exists()


def test_a_lock_file_that_was_left_behind_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.touch()
    with locked(path, tmp_path / "x.db"):
        pass
    assert not path.exists()


def test_the_lock_is_released_by_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    for _ in range(2):
        with pytest.raises(KeyError), locked(path, path):
            raise KeyError


def test_a_file_that_is_removed_while_it_is_locked_guards_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder ends, and removes the file, between opening and locking it here."""
    import filelock

    path, found = tmp_path / "x.lock", []
    acquire = filelock.FileLock.acquire

    def late(self: filelock.FileLock, *args: object, **options: object) -> object:
        if not found:
            path.unlink()
        found.append(path.exists())
        return acquire(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(filelock.FileLock, "acquire", late)
    with locked(path, path):
        assert path.exists()
        with pytest.raises(harvest.TargetError), locked(path, path):
            pass
    assert found[:2] == [False, True]


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(harvest.TargetError), locked(tmp_path / "no" / "x.lock", tmp_path):
        pass


@pytest.mark.parametrize("name", ["x.db", "x.ndjson", "x.parquet"])
async def test_without_the_extra_the_error_names_it(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "x.parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ConfigurationError, match=r"itwin-async\[harvest\]"):
        await harvest.run(session, harvest.favorite_itwins(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EACCES])
async def test_a_file_system_without_locks_is_not_another_harvest(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(harvest.TargetError) as refused:
        await harvest.run(session, harvest.favorite_itwins(), tmp_path / "x.db")
    assert refused.value.kind != "busy"
    assert os.strerror(number) in str(refused.value)
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_a_lock_file_that_cannot_be_opened_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(harvest.TargetError) as refused, locked(tmp_path / "x.lock", tmp_path):
        pass
    assert refused.value.kind != "busy"
    assert os.strerror(number) in str(refused.value)


def test_a_lock_file_of_somebody_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.lock").touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(harvest.TargetError) as refused, locked(tmp_path / "x.lock", tmp_path):
        pass
    assert str(tmp_path / "x.lock") in str(refused.value)
