"""What a sink must be able to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from itwin_async.harvest.columns import Column


class Sink(Protocol):
    """
    Where rows go. All methods are called by one thread, never by two at once.

    InnerPage that were written become durable with ``commit``; what it returns is remembered together
    with the cursors and handed to ``open`` when the harvest goes on. Whatever was written behind
    that mark, ``open`` must drop.

    Attributes:
        state: the SQLite database that remembers how far the harvest is.

    """

    state: Path

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """
        Begin, or go on behind a mark.

        Args:
            columns: what ``columns_of`` gave for the class of the items.
            mark: what the last ``commit`` returned, ``None`` if there was none.

        """
        ...

    def write(self, key: str, items: Sequence[object], texts: Sequence[bytes]) -> None:
        """
        Take rows; they need not be durable yet.

        Args:
            key: the list that they are of.
            items: instances of the class.
            texts: JSON of each as the platform sent it.

        """
        ...

    @property
    def waiting(self) -> bool:
        """Whether so much is written that it should become durable now."""
        ...

    def commit(self) -> str:
        """
        Make everything durable that was written.

        Returns:
            A mark to go on from.

        """
        ...

    def ids(self, key: str) -> Iterable[str]:
        """Read the ids of all rows of a list, those not yet durable included."""
        ...

    def close(self) -> None:
        """Let go of everything; what was not committed may be lost."""
        ...
