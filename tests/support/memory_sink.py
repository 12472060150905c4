"""A sink of one's own for harvests."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


class Memory:
    """A sink of one's own, that can be slow or full."""

    def __init__(self, path: Path) -> None:
        self.state = path / "memory.state"
        self.kept: list[tuple[str, str]] = []
        self.rows: list[tuple[str, str]] = []
        self.marks: list[str | None] = []
        self.problem: OSError | None = None
        self.gate = threading.Event()
        self.gate.set()

    def open(self, columns: Sequence[object], mark: str | None) -> None:
        self.marks.append(mark)
        self.rows = self.kept[: int(mark or 0)]

    def write(self, key: str, items: Sequence[Any], texts: Sequence[bytes]) -> None:
        self.gate.wait(10)
        self.rows += [(key, item.id) for item in items]

    @property
    def waiting(self) -> bool:
        return True

    def commit(self) -> str:
        if self.problem is not None and len(self.rows) > 60:
            raise self.problem
        self.kept = list(self.rows)
        return str(len(self.kept))

    def ids(self, key: str) -> Iterable[str]:
        return [found for where, found in self.rows if where == key]

    def close(self) -> None:
        pass
