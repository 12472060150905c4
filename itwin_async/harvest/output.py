"""Files of the user's choice: never over what is read or kept, and never half written."""

from __future__ import annotations

import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from itwin_async._arguments import invalid
from itwin_async.harvest.errors import TargetError, explain
from itwin_async.harvest.target import TargetFiles, TargetServer


def refuse_overlap(output: Path, *others: Path | TargetFiles | TargetServer) -> None:
    """
    Refuse an output that is one of the other files, or belongs to a target, by whatever name.

    Raises:
        TargetError: it is, or may be.

    """
    for other in others:
        if isinstance(other, TargetFiles):
            inside = other.form == "parquet" and any(
                _is_same(parent, other.path) for parent in _resolved(output).parents
            )
            beside = _is_same(output.parent, other.path.parent) and other.may_own(output)
            if inside or beside or any(_is_same(output, path) for path in other.all()):
                raise TargetError(
                    f"{output} is a file of the target {other.path}; use another name"
                )
        elif isinstance(other, Path) and _is_same(output, other):
            raise TargetError(f"{output} and {other} are the same file; use another name")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """
    Write a file beside its place, and rename it when everything is written.

    What is no plain file (a FIFO, a terminal, ``/dev/stdout``) is written through.

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
        draft = final.with_name(f".itwin-async-{secrets.token_hex(8)}")
        try:
            with os.fdopen(
                os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb"
            ) as file:
                yield file
            if final.exists():
                draft.chmod(stat.S_IMODE(final.stat().st_mode))
            draft.replace(final)
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
        if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
            raise TargetError(f"{path} cannot be written: it is a directory or read-only")
        if not path.exists() or path.is_file():
            final = path.resolve()
            draft = final.with_name(f".itwin-async-{secrets.token_hex(8)}")
            draft.touch(exist_ok=False)
            draft.unlink()
    except OSError as problem:
        raise explain(problem, path) from None


def _check_name(path: Path) -> None:
    if "\0" in str(path):
        raise invalid("path", str(path), "a name without NUL characters")


def _stream(path: Path) -> BinaryIO | None:
    if not path.exists():
        return None
    found = path.stat()
    for number in (1, 2):
        try:
            if os.path.samestat(os.fstat(number), found):  # also where it leads to a plain file
                return os.fdopen(os.dup(number), "wb")
        except OSError:  # closed
            continue
    return None if stat.S_ISREG(found.st_mode) else path.open("wb")


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
