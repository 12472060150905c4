"""Rows in the PostgreSQL database of the checkpoint, in the same transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from itwin_async._tables.columns import Column
from itwin_async.harvest.columns import Cells
from itwin_async.harvest.database import Database
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.postgres.connection import PostgresDatabase
from itwin_async.harvest.postgres.table import PostgresTable, rows_of
from itwin_async.harvest.rows import Row
from itwin_async.harvest.sinks import TableSink


class PostgresSink(TableSink):
    """
    A table of typed columns, written by ``COPY`` when the checkpoint commits.

    Args:
        table: name of the table.
        with_id: whether ids have a column of their own, since items have none.

    Attributes:
        database: the connection of the checkpoint, whose commit makes rows durable too.

    """

    database: PostgresDatabase

    def __init__(self, table: str, *, with_id: bool = False) -> None:
        self.state = Path()
        self._name = table
        self._with_id = with_id
        self._table: PostgresTable
        self._cells: list[Cells] = []
        self._ids: dict[str, set[str]] = {}

    def use(self, database: Database) -> None:
        """Take the checkpoint's database."""
        self.database = cast("PostgresDatabase", database)

    def open(self, columns: Sequence[Column], mark: str | None) -> None:
        """Create the table."""
        del mark
        self._table = PostgresTable(self._name, columns, with_id=self._with_id)
        self._table.prepare(self.database)

    def write_rows(self, rows: Sequence[Row], items: Sequence[object]) -> None:
        """Take rows."""
        self._cells += [self._table.cells(row, item) for row, item in zip(rows, items, strict=True)]
        for row in rows:
            self._ids.setdefault(row.list, set()).add(row.id)

    def rows(self) -> Iterator[Row]:
        """Read all rows."""
        return rows_of(self.database, self._name, removed=True)

    def replace(self, rows: Iterable[Row], read: Callable[[bytes], object]) -> None:
        """Bring what is there to its new state, by a staging table."""
        cells = self._table.cells
        self._table.stage(self.database, (cells(row, read(row.text)) for row in rows))
        self._table.replace_by_staged(self.database)

    @property
    def waiting(self) -> bool:
        """Always: what is committed is what a lost connection cannot take back."""
        return True

    def commit(self) -> str:
        """Send the rows; the checkpoint commits."""
        if self._cells:
            cells = self._cells
            self.forget()
            self._table.stage(self.database, cells)
            if self._table.add_staged(self.database) != len(cells):
                raise TargetError(
                    f"{self.database.name} has rows in {self._name} that this harvest did not write"
                )
        return ""

    def known(self, key: str, ids: Sequence[str]) -> set[str]:
        """Tell which of some ids a list has."""
        sent = self._table.known(self.database, key, ids)
        return sent | self._ids.get(key, set()).intersection(ids)

    def forget(self) -> None:
        """Drop the rows that are not sent."""
        self._cells, self._ids = [], {}

    def ids(self, key: str) -> Iterator[str]:
        """Read the ids of a list."""
        yield from self._ids.get(key, ())
        yield from self._table.ids(self.database, key)

    def close(self) -> None:
        """Do nothing; the connection is the checkpoint's."""
