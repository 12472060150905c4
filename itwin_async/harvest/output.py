"""Files of the user's choice: never over what is read or kept, and never half written."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from itwin_async._arguments import invalid
from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.target import TargetFiles

_BINARY = getattr(os, "O_BINARY", 0)
_LINKS = 40  # as many as Linux follows
_DESCRIPTORS = re.compile(
    r"/(?:dev|proc/(?P<process>\d+)(?:/task/\d+)?)/fd/(?P<number>\d{1,9})", re.ASCII
)


def refuse_overlap(output: Path, *others: Path | TargetFiles) -> None:
    """
    Refuse an output that is one of the other files, or belongs to a target, by whatever name.

    Raises:
        TargetError: it is, or may be.

    """
    for other in others:
        if isinstance(other, TargetFiles):
            folder = other.folder
            inside = folder is not None and any(
                _is_same(parent, folder) for parent in (output, *_resolved(output).parents)
            )
            beside = _is_same(output.parent, other.path.parent) and other.may_own(output)
            if inside or beside or any(_is_same(output, path) for path in other.all()):
                raise TargetError(
                    f"{output} is a file of the target {other.name}; use another name"
                )
        elif _is_same(output, other):
            raise TargetError(f"{output} and {other} are the same file; use another name")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """
    Write a file that appears under its name when everything is written.

    What is no plain file (a FIFO, a device, ``/dev/stdout``, ``/proc/self/fd/3``) is written
    through as it comes. A file that has other names, or whose folder takes no new ones, stays the
    same file and gets the new content at the end.

    Raises:
        TargetError: it cannot be written.
        ArgumentError: no file can have this name.

    """
    _check_name(path)
    try:
        stream = _stream(path)
        if stream is not None:
            with stream:
                yield stream
            return
        final = path.resolve()
        if final.exists() and _stays(final):
            with TemporaryFile() as file:
                yield file
                file.seek(0)
                _fill(final, file)
            return
        draft = _draft_of(final)
        try:
            with os.fdopen(
                os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666), "w+b"
            ) as file:
                yield file
            if final.exists():
                draft.chmod(stat.S_IMODE(final.stat().st_mode))
            _rename(draft, final)
        finally:
            draft.unlink(missing_ok=True)
    except BrokenPipeError:
        raise  # whoever read the stream has seen enough
    except OSError as problem:
        raise explain(problem, path) from None


def probe(path: Path) -> None:
    """
    Learn whether a file can be written before there is something to write; leaves no trace.

    Raises:
        TargetError: it cannot.

    """
    _check_name(path)
    try:
        number = _descriptor(path)
        if number is not None:
            os.fstat(number)
        elif path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
            raise TargetError(f"{path} cannot be written: it is a directory or read-only")
        elif not path.exists():
            draft = _draft_of(path.resolve())
            draft.touch(exist_ok=False)
            draft.unlink()
    except OSError as problem:
        raise explain(problem, path) from None


def _check_name(path: Path) -> None:
    if "\0" in str(path):
        raise invalid("path", str(path), "a name without NUL characters")


def _stream(path: Path) -> BinaryIO | None:
    number = _descriptor(path)
    if number is not None:
        return os.fdopen(os.dup(number), "wb")  # what its owner wrote before stays
    if not path.exists():
        return None
    found = path.stat()
    for number in (1, 2):
        try:
            if os.path.samestat(os.fstat(number), found):  # also where it leads to a plain file
                return os.fdopen(os.dup(number), "wb")
        except OSError:  # closed
            continue
    is_plain = stat.S_ISREG(found.st_mode) and not any(map(_DESCRIPTORS.fullmatch, _links(path)))
    return None if is_plain else path.open("wb")


def _descriptor(path: Path) -> int | None:
    """Find the number of the open file of ours that a name leads to, such as ``/dev/stdout``."""
    for name in _links(path):
        match = _DESCRIPTORS.fullmatch(name)
        if match is not None and match["process"] in {None, str(os.getpid())}:
            return int(match["number"])
    return None


def _links(path: Path) -> Iterator[str]:
    """Yield a name, and the names that it leads to while they are links."""
    for _ in range(_LINKS):
        folder = os.path.realpath(path.parent)
        path = Path(folder, path.name)
        yield str(path)
        try:
            path = Path(folder, path.readlink())
        except OSError:  # no link, or there is nothing
            return


def _stays(final: Path) -> bool:
    """Tell whether a file would be lost to somebody if another took its name."""
    found = final.stat()
    is_ours = os.name != "posix" or found.st_uid == os.geteuid()
    return found.st_nlink > 1 or not is_ours or not os.access(final.parent, os.W_OK)


def _rename(draft: Path, final: Path) -> None:
    try:
        draft.replace(final)
    except OSError:
        if not final.exists():
            raise
        with draft.open("rb") as file:  # a mount point keeps its place too
            _fill(final, file)


def _fill(final: Path, file: BinaryIO) -> None:
    with final.open("r+b") as old:
        shutil.copyfileobj(file, old)
        old.truncate()


def _draft_of(final: Path) -> Path:
    return final.with_name(f".itwin-async-{secrets.token_hex(8)}")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        pass  # one of them is not there yet; a file system may take two spellings for one name
    one, other = _resolved(one), _resolved(other)
    if _folded(one.name) != _folded(other.name):
        return False
    try:
        return one.parent.samefile(other.parent)
    except (OSError, ValueError):
        return _folded(str(one.parent)) == _folded(str(other.parent))


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # such as links that lead in a circle
        return path.absolute()


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
