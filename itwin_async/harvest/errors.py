"""What can be wrong with a harvest's target."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from itwin_async.errors import ConfigurationError
from itwin_async.harvest.server_errors import Meaning, meaning

_FULL = {28, 122}  # ENOSPC, EDQUOT


TargetProblem: TypeAlias = Literal["busy", "damaged", "full", "missing", "other"]


class TargetError(ConfigurationError):
    """
    The target cannot be used: foreign, locked, damaged, not writable, or its disk is full.

    Attributes:
        kind: ``"busy"``: another harvest writes it; ``"damaged"``; ``"full"``: its disk;
            ``"missing"``: there is none; or ``"other"``.

    """

    def __init__(self, message: str, *, kind: TargetProblem = "other") -> None:
        super().__init__(message)
        self.kind: TargetProblem = kind


def explain(problem: Exception, target: object, what: str = "written") -> TargetError:
    """Make the error that says why a target could not be written or read."""
    if isinstance(problem, TargetError):
        return problem
    text, writing = str(problem), what == "written"
    kind, text = meaning(problem) or (_kind(problem, writing=writing), text)
    if kind == "full" and writing:
        return TargetError(
            f"the disk is full: {target} keeps what was harvested so far; "
            "free some space and run the same command again",
            kind="full",
        )
    if kind == "damaged":
        return damaged(target, text or type(problem).__name__)
    if isinstance(problem, OSError) and problem.errno:
        text = problem.strerror or text
    return TargetError(f"{target} cannot be {what}: {text}")


def _kind(problem: Exception, *, writing: bool) -> Meaning:
    text, operational = str(problem), isinstance(problem, sqlite3.OperationalError)
    full = operational and ("full" in text or "disk I/O" in text)
    if full or getattr(problem, "errno", None) in _FULL:
        return "full"
    if isinstance(problem, OSError) and problem.errno:
        return "other"
    if operational or (writing and not isinstance(problem, sqlite3.DatabaseError)):
        return "other"
    return "damaged"


def damaged(target: object, text: str) -> TargetError:
    """Make the error of a target that is not as it was written."""
    return TargetError(
        f"{target} is damaged: {text}; restore it from a copy, or harvest into a new target",
        kind="damaged",
    )


@contextmanager
def reading(target: object, what: str = "read") -> Iterator[None]:
    """Explain what goes wrong while a target is read: each library has exceptions of its own."""
    try:
        yield
    except (ConfigurationError, MemoryError):
        raise
    except Exception as problem:
        raise explain(problem, target, what) from problem
