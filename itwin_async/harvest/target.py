"""Where a harvest's files lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from itwin_async.errors import ArgumentError

Form: TypeAlias = Literal["sqlite", "ndjson", "parquet"]

_ENDINGS: dict[str, Form] = {
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".ndjson": "ndjson",
    ".ndjson.gz": "ndjson",
    ".ndjson.zst": "ndjson",
    ".parquet": "parquet",
}


@attrs.frozen
class TargetFiles:
    """
    A target and what belongs to it.

    Attributes:
        target: file, or directory of parts.
        form: what it holds.
        state: the SQLite database that remembers how far the harvest is.
        lock: the file that guards it while a harvest runs.

    """

    target: Path
    form: Form
    state: Path
    lock: Path


def target_files(target: str | os.PathLike[str]) -> TargetFiles:
    """
    Tell by its name what a target is.

    Args:
        target: file or directory.

    Returns:
        Where its parts lie.

    Raises:
        ArgumentError: its name ends in nothing that is known.

    """
    path = Path(target)
    if path.is_symlink():  # by whatever name, it is one target with one state and one lock
        path = path.resolve()
    for ending, form in _ENDINGS.items():
        if path.name.lower().endswith(ending) and len(path.name) > len(ending):
            return _place(path, form)
    raise ArgumentError("target", str(target), f"a name that ends in {', '.join(_ENDINGS)}")


def _place(path: Path, form: Form) -> TargetFiles:
    if form == "parquet":
        return TargetFiles(path, form, path / "_harvest.checkpoint", path / "_harvest.lock")
    lock = path.with_name(f"{path.name}.lock")
    if form == "sqlite":
        return TargetFiles(path, form, path, lock)
    return TargetFiles(path, form, path.with_name(f"{path.name}.state"), lock)
