"""Where a harvest's files lie."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from itwin_async._arguments import invalid

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
class Place:
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


def place_of(target: str | os.PathLike[str]) -> Place:
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
    raise invalid("target", str(target), f"a name that ends in {', '.join(_ENDINGS)}")


def _place(path: Path, form: Form) -> Place:
    if form == "parquet":
        return Place(path, form, path / "_harvest.state", path / "_harvest.lock")
    lock = path.with_name(f"{path.name}.lock")
    if form == "sqlite":
        return Place(path, form, path, lock)
    return Place(path, form, path.with_name(f"{path.name}.state"), lock)
