"""Rows on a terminal or in a pipe: a table, JSON, or NDJSON, written page by page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import click
import msgspec
from rich.console import Console

from itwin_async.cli.cells import Column, Row
from itwin_async.cli.progress import Progress, is_terminal
from itwin_async.cli.stdout import descriptor, write, write_while_others_run
from itwin_async.cli.table import Table
from itwin_async.paging import MAX_PAGE_SIZE, Page, Pager, Paging

F = TypeVar("F", bound=Callable[..., object])

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N rows."
)
full_option = click.option(
    "--full", is_flag=True, help="Whole entities instead of their summaries."
)


def output_options(command: F) -> F:
    """Give a command ``--json`` and ``--ndjson``, as ``form: str``."""
    for option in (
        click.option("--ndjson", "form", flag_value="ndjson", help="One JSON object a line."),
        click.option("--json", "form", flag_value="json", help="JSON."),
        click.option("--table", "form", flag_value="table", default="table", hidden=True),
    ):
        command = option(command)
    return command


def paging_for(limit: int | None) -> Paging:
    """Choose large pages, but none larger or more than a limit needs."""
    size = min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    return {"page_size": size, "prefetch": 0 if limit == size else 1}


def read_rows(page: Page[object]) -> list[Row]:
    """Read the rows of a page; their members stay JSON text, which may hold any number."""
    kind = dict[str, msgspec.Raw]
    return [msgspec.json.decode(text, type=kind) for text in page.raw_items()]


class Output:
    """
    Writes rows to stdout, and progress to a terminal's stderr.

    A JSON list that breaks off is not closed, so that nobody takes it for complete.

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
        descriptor()  # fails before the first request where there is no stdout
        self._form = form
        self._noun = noun
        self._limit = limit
        self._console = Console()
        self._terminal = is_terminal(sys.stdout)
        self._table = Table(columns, self._console, cut=self._terminal)
        self.progress = Progress(noun, hidden=quiet)

    @property
    def limit_reached(self) -> bool:
        """Whether no further row is wanted."""
        return self._limit is not None and self.progress.count >= self._limit

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
            write(b"\n]\n" if self.progress.count else b"[]\n")
        if self._form == "table":
            if self._terminal:
                self.progress.say(self._summary())
            elif not self.progress.count:
                write(self._encode([]))

    async def send_all(self, pager: Pager[object]) -> None:
        """Write a list up to the limit."""
        async for page in pager.pages():
            await self.send(read_rows(page))
            if self.limit_reached:
                break

    async def send(self, rows: Sequence[Row]) -> None:
        """Write rows, up to the limit, as fast as they are read."""
        if self._limit is not None:
            rows = rows[: max(0, self._limit - self.progress.count)]
        if not rows:
            return
        data = self._encode(rows)
        self.progress.count += len(rows)
        if self._terminal:
            with self.progress.paused():
                await write_while_others_run(data)
        else:
            await write_while_others_run(data)

    def _encode(self, rows: Sequence[Row]) -> bytes:
        if self._form == "table":
            return self._table.render(rows).encode(self._console.encoding, "replace")
        texts = map(encode_row, rows)
        if self._form == "ndjson":
            return b"".join(text + b"\n" for text in texts)
        return (b",\n  " if self.progress.count else b"[\n  ") + b",\n  ".join(texts)

    def _summary(self) -> str:
        count = self.progress.count
        noun = self._noun.removesuffix("s") if count == 1 else self._noun
        text = f"{count:,} {noun}" if count else f"No {noun}."
        if self.limit_reached:
            text += ", limit reached"
        if self._table.hidden:
            columns = ", ".join(self._table.hidden)
            text += f" · no room for {columns}: widen the terminal, or --json"
        return text


def encode_row(row: Row) -> bytes:
    """Write a row as one line of JSON."""
    return msgspec.json.format(msgspec.json.encode(row), indent=-1)


def write_one(form: str, columns: Sequence[Column], row: Row) -> None:
    """Write a single entity: a table of one row, or one JSON object."""
    if form != "table":
        write(encode_row(row) + b"\n")
        return
    console = Console()
    table = Table(columns, console, cut=is_terminal(sys.stdout))
    write(table.render([row]).encode(console.encoding, "replace"))
