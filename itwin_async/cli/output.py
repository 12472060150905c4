"""
Rows on a terminal or in a pipe: a table, JSON, or NDJSON that flows as pages arrive.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

import attrs
import click
import msgspec
from rich.console import Console
from rich.status import Status
from rich.table import Table

Row: TypeAlias = Mapping[str, object]
F = TypeVar("F", bound=Callable[..., object])


@attrs.frozen
class Column:
    """
    A column of a table.

    Args:
        title: what stands above it.
        key: member of the row; dots lead into nested members.
        style: rich style.

    """

    title: str
    key: str
    style: str = ""


def output_options(command: F) -> F:
    """
    Give a command ``--json`` and ``--ndjson``, as ``form``.

    Args:
        command: the command's function; takes ``form: str``.

    Returns:
        The decorated function.

    """
    command = click.option(
        "--ndjson", "form", flag_value="ndjson", help="One JSON object a line, as pages arrive."
    )(command)
    command = click.option("--json", "form", flag_value="json", help="One JSON list.")(command)
    return click.option("--table", "form", flag_value="table", default="table", hidden=True)(
        command
    )


class Output:
    """
    Writes rows to stdout, and how many there are to stderr while it works.

    Args:
        form: ``"table"``, ``"json"`` or ``"ndjson"``.
        columns: what a table shows.
        noun: what is counted, in the plural.
        limit: most rows to write, or ``None``.

    """

    def __init__(
        self, form: str, columns: Sequence[Column], noun: str, limit: int | None = None
    ) -> None:
        self._form = form
        self._columns = columns
        self._noun = noun
        self._limit = limit
        self._rows: list[Row] = []
        self._status: Status | None = None
        self.count = 0

    @property
    def full(self) -> bool:
        """
        Whether no further row is wanted.
        """
        return self._limit is not None and self.count >= self._limit

    def __enter__(self) -> Self:
        console = Console(stderr=True)
        if console.is_terminal and not (self._form == "ndjson" and sys.stdout.isatty()):
            self._status = console.status(f"0 {self._noun}")
            self._status.start()
        if self._form == "json":
            sys.stdout.write("[")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
        if kind is not None and issubclass(kind, BrokenPipeError):
            return
        if self._form == "json":
            sys.stdout.write("\n]\n" if self.count else "]\n")
            sys.stdout.flush()
        if self._form == "table" and (kind is None or self._rows):
            self._print_table()

    def write(self, rows: Sequence[Row]) -> None:
        """
        Write rows, and flush.

        Args:
            rows: what to write; cut at the limit.

        """
        if self._limit is not None:
            rows = rows[: max(0, self._limit - self.count)]
        if self._form == "table":
            self._rows.extend(rows)
        else:
            for number, row in enumerate(rows, self.count):
                text = msgspec.json.encode(row).decode()
                sys.stdout.write(
                    f"{text}\n" if self._form == "ndjson" else f"{',' if number else ''}\n  {text}"
                )
            sys.stdout.flush()
        self.count += len(rows)
        if self._status is not None:
            self._status.update(f"{self.count:,} {self._noun}")

    def _print_table(self) -> None:
        console = Console(soft_wrap=not sys.stdout.isatty())
        table = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left")
        if sys.stdout.isatty():
            table.caption = f"{self.count:,} {self._noun}"
        for column in self._columns:
            ids = column.title == "id"
            table.add_column(column.title, style=column.style or None, no_wrap=ids, overflow="fold")
        for row in self._rows:
            table.add_row(*(_cell(row, column.key) for column in self._columns))
        if not sys.stdout.isatty():
            console.width = 10_000
        console.print(table)


def _cell(row: Row, key: str) -> str:
    value: object = row
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    return str(value)
