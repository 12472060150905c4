"""Where harvested rows go: SQLite, NDJSON, Parquet, or a sink of the caller's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from itwin_async._tables.columns import Column
from itwin_async.harvest.database import Database
from itwin_async.harvest.rows import Row
from itwin_async.harvest.swap import Replacement


class Sink(Protocol):
    """
    Where rows go. All methods are called by one thread, never two at once.

    Rows become durable with ``commit``; the mark that it returns is saved with the cursors and
    passed to ``open`` when the harvest is resumed. ``open`` must drop what was written after it.

    Attributes:
        state: the SQLite database of the checkpoint.

    """

    state: Path

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """
        Begin, or resume after a mark.

        Args:
            columns: one for each attribute of the items' class.
            mark: what the last ``commit`` returned; ``None`` if there was none.

        """
        ...

    def write(self, key: str, items: Sequence[object], texts: Sequence[bytes]) -> None:
        """
        Take rows; they need not be durable yet.

        Args:
            key: the list that they belong to.
            items: instances of the class.
            texts: the JSON of each as the platform sent it.

        """
        ...

    @property
    def waiting(self) -> bool:
        """Whether so much is written that it should be committed now."""
        ...

    def commit(self) -> str:
        """Make everything durable that was written, and return a mark to resume from."""
        ...

    def ids(self, key: str) -> Iterable[str]:
        """Read the ids of all rows of a list, uncommitted ones included."""
        ...

    def close(self) -> None:
        """Release everything; what was not committed may be lost."""
        ...


class RowSink(ABC):
    """A sink of ours: as ``Sink``, but with rows that say since when they are there."""

    state: Path

    @abstractmethod
    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Begin, or resume after a mark."""

    @abstractmethod
    def write_rows(self, rows: Sequence[Row], items: Sequence[object]) -> None:
        """Take rows of one list, and what each was read as."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Read all rows that are committed, removed ones too, in the order they were written."""

    @abstractmethod
    def replace(self, rows: Iterable[Row], read: Callable[[bytes], object]) -> Replacement | None:
        """
        Make a whole new generation of rows, all that are there among them.

        Args:
            rows: the rows.
            read: reads the JSON of an item.

        Returns:
            What is to be swapped; ``None`` for what becomes visible with the open transaction.

        """

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether so much is written that it should be committed now."""

    @abstractmethod
    def commit(self) -> str:
        """Make everything durable that was written, and return a mark to resume from."""

    @abstractmethod
    def ids(self, key: str) -> Iterable[str]:
        """Read the ids of all rows of a list, uncommitted ones included."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; what was not committed may be lost."""


class TableSink(RowSink):
    """A sink in the checkpoint's own database, where ids can be looked up."""

    @abstractmethod
    def use(self, database: Database) -> None:
        """Take the checkpoint's database, whose commit makes rows durable too; before ``open``."""

    @abstractmethod
    def known(self, key: str, ids: Sequence[str]) -> set[str]:
        """Tell which of some ids a list has."""

    @abstractmethod
    def forget(self) -> None:
        """Drop rows that the database has not got, for its transaction is done again."""
