"""Rows in a fixed order, built when looked at and kept only when changed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import attrs

R = TypeVar("R")


@attrs.define
class Table(Generic[R]):
    """
    Rows at positions that never change; the generated ones start at 0.

    Args:
        make: builds the generated row of a position.
        generated: how many rows are generated.

    """

    make: Callable[[int], R]
    generated: int = 0
    kept: dict[int, R] = attrs.Factory(dict[int, R])
    removed: set[int] = attrs.Factory(set[int])
    _positions: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.positions())

    def at(self, position: int) -> R:
        """Return the row of a position that exists."""
        return self.kept.get(position) or self.make(position)

    def has(self, position: int) -> bool:
        """Whether a row is at a position."""
        if position in self.removed:
            return False
        return 0 <= position < self.generated or position in self.kept

    def positions(self) -> Sequence[int]:
        """All positions that hold a row, ascending."""
        if self._positions is None:
            if not self.kept and not self.removed:
                self._positions = range(self.generated)
            else:
                found = set(range(self.generated)).union(self.kept) - self.removed
                self._positions = sorted(found)
        return self._positions

    def add(self, row: R, *, front: bool = False) -> int:
        """Put a new row behind all others, or before them, and return its position."""
        if front:
            position = min((0, *self.kept)) - 1
        else:
            position = max((self.generated - 1, *self.kept, *self.removed)) + 1
        self.kept[position] = row
        self._positions = None
        return position

    def replace(self, position: int, row: R) -> None:
        """Put a changed row where it was."""
        self.kept[position] = row

    def remove(self, position: int) -> None:
        """Take a row away for good; its position is not used again."""
        self.removed.add(position)
        self._positions = None

    def copy(self) -> Table[R]:
        """Return an independent copy."""
        return Table(self.make, self.generated, dict(self.kept), set(self.removed))


@attrs.frozen(eq=False)
class Rows(Sequence[R]):
    """
    Some rows of a table, as a sequence that builds only what is looked at.

    Args:
        table: the table.
        positions: where the rows are.
        ascending: whether the positions ascend.

    """

    table: Table[R]
    positions: Sequence[int]
    ascending: bool = True

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        if isinstance(index, slice):
            return [self.table.at(position) for position in self.positions[index]]
        return self.table.at(self.positions[index])

    def __iter__(self) -> Iterator[R]:
        return map(self.table.at, self.positions)

    def where(self, test: Callable[[R], bool]) -> Rows[R]:
        """Return the rows that pass a test."""
        kept = [position for position in self.positions if test(self.table.at(position))]
        return Rows(self.table, kept, self.ascending)

    def sorted(self, key: Callable[[R], Any], *, reverse: bool) -> Rows[R]:
        """Return the rows in another order."""
        found = sorted(
            self.positions, key=lambda position: key(self.table.at(position)), reverse=reverse
        )
        return Rows(self.table, found, ascending=False)

    def after(self, position: int) -> int | None:
        """Return the index that follows a position, which may have been removed."""
        if self.ascending:
            return bisect_right(self.positions, position)
        return self.positions.index(position) + 1 if position in self.positions else None


@attrs.define
class Selection:
    """
    The positions of a table that a user selected as favorites.

    Args:
        base: positions selected from the beginning.

    """

    base: range = range(0)
    added: set[int] = attrs.Factory(set[int])
    removed: set[int] = attrs.Factory(set[int])
    _sorted: list[int] | None = None
    _gone: int = 0

    def add(self, position: int) -> None:
        """Select a position."""
        self._sorted = None
        self.removed.discard(position)
        if position not in self.base:
            self.added.add(position)

    def discard(self, position: int) -> None:
        """Select a position no longer."""
        self._sorted = None
        self.added.discard(position)
        if position in self.base:
            self.removed.add(position)

    def __contains__(self, position: int) -> bool:
        return position in self.added or (position in self.base and position not in self.removed)

    def positions(self, table: Table[Any]) -> Sequence[int]:
        """Return the selected positions that hold a row, ascending."""
        if not self.added and not self.removed and not table.removed:
            return self.base
        if self._sorted is None or self._gone != len(table.removed):
            self._gone = len(table.removed)
            found = set(self.base).union(self.added)
            self._sorted = sorted(found - self.removed - table.removed)
        return self._sorted

    def copy(self) -> Selection:
        """Return an independent copy."""
        return Selection(self.base, set(self.added), set(self.removed))
