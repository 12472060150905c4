"""Rows on a terminal or in a pipe: a table, JSON, or NDJSON, each flowing as pages arrive."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import click
import msgspec
from rich.console import Console

from itwin_async.cli.cells import Column, Row
from itwin_async.cli.pipe import Pipe, is_terminal
from itwin_async.cli.progress import Progress
from itwin_async.cli.table import Table

F = TypeVar("F", bound=Callable[..., object])

__all__ = ["Column", "Output", "Row", "output_options", "write_one"]


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
    command = click.option("--json", "form", flag_value="json", help="JSON.")(command)
    return click.option("--table", "form", flag_value="table", default="table", hidden=True)(
        command
    )


class Output:
    """
    Writes rows to stdout, and to a terminal's stderr how far it is.

    A list of JSON that breaks off is not closed, so that nobody takes it for the whole.

    Args:
        form: ``"table"``, ``"json"`` or ``"ndjson"``.
        columns: what a table shows.
        noun: what is counted, in the plural.
        limit: most rows to write, or ``None``.
        quiet: show no progress.

    """

    def __init__(
        self,
        form: str,
        columns: Sequence[Column],
        noun: str,
        limit: int | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self._form = form
        self._noun = noun
        self._limit = limit
        self._pipe = Pipe()
        self._console = Console()
        self._terminal = is_terminal(sys.stdout)
        self._table = Table(columns, self._console, cut=self._terminal)
        self.progress = Progress(noun, hidden=quiet)

    @property
    def count(self) -> int:
        """How many rows were written."""
        return self.progress.count

    @property
    def full(self) -> bool:
        """Whether no further row is wanted."""
        return self._limit is not None and self.count >= self._limit

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()
        if kind is not None:
            return
        if self._form == "json":
            self._pipe.write(b"\n]\n" if self.count else b"[]\n")
        if self._form == "table":
            if self._terminal:
                self.progress.say(self._summary())
            elif not self.count:
                self._pipe.write(self._encode([]))

    async def send(self, rows: Sequence[Row]) -> None:
        """
        Write rows as fast as they are read, while other tasks go on.

        Args:
            rows: what to write; cut at the limit.

        """
        if self._limit is not None:
            rows = rows[: max(0, self._limit - self.count)]
        if not rows:
            return
        data = self._encode(rows)
        self.progress.count += len(rows)
        if self._terminal:
            with self.progress.aside():
                await self._pipe.drain(data)
        else:
            await self._pipe.drain(data)

    def _encode(self, rows: Sequence[Row]) -> bytes:
        if self._form == "table":
            return self._table.render(rows).encode(self._console.encoding, "replace")
        texts = map(msgspec.json.encode, rows)
        if self._form == "ndjson":
            return b"".join(text + b"\n" for text in texts)
        return (b",\n  " if self.count else b"[\n  ") + b",\n  ".join(texts)

    def _summary(self) -> str:
        noun = self._noun.removesuffix("s") if self.count == 1 else self._noun
        said = f"{self.count:,} {noun}" if self.count else f"No {noun}."
        if self.full:
            said += ", limit reached"
        if self._table.hidden:
            columns = ", ".join(self._table.hidden)
            said += f" · no room for {columns}: widen the terminal, or --json"
        return said


def write_one(form: str, columns: Sequence[Column], row: Row) -> None:
    """
    Write a single entity: a table of one row, or one JSON object.

    Args:
        form: as for ``Output``.
        columns: as for ``Output``.
        row: the entity.

    """
    pipe, console = Pipe(), Console()
    if form == "table":
        table = Table(columns, console, cut=is_terminal(sys.stdout))
        pipe.write(table.render([row]).encode(console.encoding, "replace"))
    else:
        pipe.write(msgspec.json.encode(row) + b"\n")
