"""The iModels of one iTwin: made when looked at, kept only when changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from itwin_async.emulator.world.records import IModelRecord


@attrs.define
class Shelf:
    """
    Rows in a fixed order, each at a position; the generated ones start at 0.

    Args:
        make: builds the generated row of a position.
        generated: how many rows are generated.

    """

    make: Callable[[int], IModelRecord]
    generated: int = 0
    kept: dict[int, IModelRecord] = attrs.Factory(dict[int, "IModelRecord"])
    removed: set[int] = attrs.Factory(set[int])
    _positions: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.positions())

    def __iter__(self) -> Iterator[IModelRecord]:
        return map(self.at, self.positions())

    def at(self, position: int) -> IModelRecord:
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

    def add(self, record: IModelRecord, *, front: bool = False) -> int:
        """
        Put a new row behind all others, or before them.

        Returns:
            Its position.

        """
        if front:
            position = min(self.kept, default=0)
            position = min(position, 0) - 1
        else:
            position = max(self.generated - 1, *self.kept, *self.removed, -1) + 1
        self.kept[position] = record
        self._positions = None
        return position

    def replace(self, position: int, record: IModelRecord) -> None:
        """Put a changed row where it was."""
        self.kept[position] = record

    def remove(self, position: int) -> None:
        """Take a row away for good; its position is not used again."""
        self.removed.add(position)
        self._positions = None

    def copy(self) -> Shelf:
        """Return a copy that changes on its own."""
        return Shelf(self.make, self.generated, dict(self.kept), set(self.removed))


@attrs.define
class Marks:
    """
    The positions on a shelf that a user marked as favorites.

    Args:
        base: positions marked from the beginning.

    """

    base: range = range(0)
    added: set[int] = attrs.Factory(set[int])
    removed: set[int] = attrs.Factory(set[int])
    _sorted: list[int] | None = None
    _gone: int = 0

    def add(self, position: int) -> None:
        """Mark a position."""
        self._sorted = None
        self.removed.discard(position)
        if position not in self.base:
            self.added.add(position)

    def discard(self, position: int) -> None:
        """Take a mark away."""
        self._sorted = None
        self.added.discard(position)
        if position in self.base:
            self.removed.add(position)

    def __contains__(self, position: int) -> bool:
        return position in self.added or (position in self.base and position not in self.removed)

    def positions(self, shelf: Shelf) -> Sequence[int]:
        """Return the marked positions that hold a row, ascending."""
        if not self.added and not self.removed and not shelf.removed:
            return self.base
        if self._sorted is None or self._gone != len(shelf.removed):
            self._gone = len(shelf.removed)
            found = set(self.base).union(self.added)
            self._sorted = sorted(found - self.removed - shelf.removed)
        return self._sorted

    def copy(self) -> Marks:
        """Return a copy that changes on its own."""
        return Marks(self.base, set(self.added), set(self.removed))
