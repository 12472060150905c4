"""What can be wrong with a harvest's target."""

from __future__ import annotations

import sqlite3

from itwin_async.errors import ConfigurationError

_FULL = {28, 122}  # ENOSPC, EDQUOT


class TargetError(ConfigurationError):
    """The target cannot be used: foreign, locked, damaged, not writable, or its disk is full."""


def explain(problem: Exception, target: object, what: str = "written") -> TargetError:
    """Make the error that says why a target could not be written or read."""
    if isinstance(problem, TargetError):
        return problem
    text = str(problem)
    full = isinstance(problem, sqlite3.OperationalError) and ("full" in text or "disk I/O" in text)
    if full or getattr(problem, "errno", None) in _FULL:
        return TargetError(
            f"the disk is full: {target} keeps what was harvested so far; "
            "free some space and run the same command again"
        )
    return TargetError(f"{target} cannot be {what}: {getattr(problem, 'strerror', None) or text}")
