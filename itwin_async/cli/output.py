"""Rows on a terminal or in a pipe: a table, JSON, NDJSON or CSV, written page by page."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Self

import click
import msgspec
from rich.console import Console

from itwin_async.cli.cells import Column, Row, clean, json_text, named_column, picked
from itwin_async.cli.failures import complain
from itwin_async.cli.forms import Form
from itwin_async.cli.jq_filter import Filter
from itwin_async.cli.known_ids import Seen
from itwin_async.cli.progress import Progress, is_terminal
from itwin_async.cli.runtime import Options, open_session
from itwin_async.cli.stdout import descriptor, write, write_while_others_run
from itwin_async.cli.table import Table
from itwin_async.paging import MAX_PAGE_SIZE, Page, Pager, Paging
from itwin_async.session import Session


def paging_for(limit: int | None) -> Paging:
    """Choose large pages, but none larger or more than a limit needs."""
    size = min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    return {"page_size": size, "prefetch": 0 if limit == size else 1}


def read_rows(page: Page[object]) -> list[Row]:
    """Read the rows of a page; their members stay JSON text, which may hold any number."""
    kind = dict[str, msgspec.Raw]
    return [msgspec.json.decode(text, type=kind) for text in page.raw_items()]


@asynccontextmanager
async def listing(
    options: Options,
    form: Form,
    columns: Sequence[Column],
    noun: str,
    limit: int | None = None,
) -> AsyncIterator[tuple[Output, Session]]:
    """Open a session whose waits the output's progress shows; see ``Output``."""
    with Output(form, columns, noun, limit, quiet=options.verbose) as output:
        async with open_session(options, (output.progress.observe,)) as session:
            yield output, session
            base_url = str(session.base_url)
    if not options.emulator:
        output.seen.keep(base_url)


class Output:
    """
    Writes rows to stdout, and progress to a terminal's stderr.

    A JSON list that breaks off is not closed, so that nobody takes it for complete.

    Args:
        form: how rows are written.
        columns: what a table shows; the simple members of the first rows if there are none.
        noun: what is counted, in the plural.
        limit: most rows to write, or ``None``.
        quiet: show no progress.

    """

    def __init__(
        self,
        form: Form,
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
        self._columns = [named_column(path) for path in form.columns] or list(columns)
        self._console = Console()
        self._terminal = is_terminal(sys.stdout)
        self._table: Table | None = None
        self._kept: list[bytes] = []
        self.progress = Progress(noun, hidden=quiet)
        self.seen = Seen(noun)

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
        form, count = self._form, self.progress.count
        if form.jq is not None:
            if form.kind == "json":
                write(self._filtered([b"[" + b",".join(self._kept) + b"]"]))
        elif form.kind == "json":
            write(b"\n]\n" if count else b"[]\n")
        elif not count and form.kind in {"table", "csv"} and not self._says_so:
            write(self._encode([]))
        if self._says_so:
            self.progress.say(self._summary())

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
        if not self.progress.count:
            with self.progress.paused():
                _check(self._form.columns, rows)
        self.seen.note(rows)
        data = self._encode(rows)
        self.progress.count += len(rows)
        if self._terminal:
            with self.progress.paused():
                await write_while_others_run(data)
        else:
            await write_while_others_run(data)

    @property
    def _says_so(self) -> bool:
        as_table = self._form.kind == "table" and self._form.jq is None
        return self._terminal and self.progress.shown and as_table

    def _encode(self, rows: Sequence[Row]) -> bytes:
        form, first = self._form, not self.progress.count
        if form.kind in {"table", "csv"} and form.jq is None:
            self._columns = self._columns or _simple(rows)
            as_csv = form.kind == "csv"
            return _csv(self._columns, rows, header=first) if as_csv else self._tabled(rows)
        if form.columns:
            rows = [{name: picked(row, name) for name in form.columns} for row in rows]
        texts = map(encode_row, rows)
        if form.jq is not None:
            if form.kind == "json":
                self._kept += texts
                return b""
            return self._filtered(texts)
        if form.kind == "ndjson":
            return b"".join(text + b"\n" for text in texts)
        return (b"[\n  " if first else b",\n  ") + b",\n  ".join(texts)

    def _filtered(self, texts: Iterable[bytes]) -> bytes:
        if self._form.jq is None:
            return b""
        lines = b"".join(map(self._form.jq.lines, texts))
        return for_eyes(lines) if self._terminal else lines

    def _tabled(self, rows: Sequence[Row]) -> bytes:
        if self._table is None:
            if not self._columns:
                return b""
            self._table = Table(self._columns, self._console, cut=self._terminal)
        return self._table.render(rows).encode(self._console.encoding, "replace")

    def _summary(self) -> str:
        count = self.progress.count
        noun = self._noun.removesuffix("s") if count == 1 else self._noun
        text = f"{count:,} {noun}" if count else f"No {noun}."
        if self.limit_reached:
            text += ", limit reached"
        if self._table is not None and self._table.hidden:
            columns = ", ".join(self._table.hidden)
            text += f" · no room for {columns}: widen the terminal, or --json"
        return text


def encode_row(row: Row) -> bytes:
    """Write a row as one line of JSON."""
    return msgspec.json.format(msgspec.json.encode(row), indent=-1)


def write_one(form: Form, columns: Sequence[Column], row: Row) -> None:
    """Write a single entity: a table of one row, one JSON object, or what a filter makes of it."""
    terminal = is_terminal(sys.stdout)
    if form.jq is not None:
        _write_filtered(form.jq, encode_row(row))
        return
    _check(form.columns, [row])
    columns = [named_column(path) for path in form.columns] or columns or _simple([row])
    if form.kind == "table":
        console = Console()
        write(
            Table(columns, console, cut=terminal).render([row]).encode(console.encoding, "replace")
        )
    elif form.kind == "csv":
        write(_csv(columns, [row], header=True))
    else:
        chosen = {name: picked(row, name) for name in form.columns} if form.columns else row
        write(encode_row(chosen) + b"\n")


def write_value(form: Form, text: bytes, *, indent: bool) -> None:
    """
    Write JSON of any kind as it is, unless something else was asked for.

    Args:
        form: how to write it.
        text: the JSON.
        indent: whether it is laid out for people where nothing was asked for.

    Raises:
        UsageError: columns were asked for, and it is no object.

    """
    if form.jq is None and (form.columns or form.kind == "csv"):
        if text.lstrip()[:1] != b"{":
            raise click.UsageError("--csv and --columns are for what has members")
        write_one(form, [], msgspec.json.decode(text, type=dict[str, msgspec.Raw]))
    elif form.jq is not None:
        _write_filtered(form.jq, text)
    elif form.is_default and not indent:
        write(text.rstrip(b"\n") + b"\n")
    else:
        write(msgspec.json.format(text, indent=2 if form.is_default else -1) + b"\n")


def _write_filtered(filter_: Filter, text: bytes) -> None:
    lines = filter_.lines(text)
    write(for_eyes(lines) if is_terminal(sys.stdout) else lines)


def _csv(columns: Sequence[Column], rows: Sequence[Row], *, header: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header and columns:
        writer.writerow([column.key for column in columns])
    for row in rows:
        writer.writerow([json_text(picked(row, column.key)) for column in columns])
    return text.getvalue().encode(errors="replace")


def _simple(rows: Sequence[Row]) -> list[Column]:
    """Make columns of the members that hold neither objects nor lists."""
    names = dict.fromkeys(
        name
        for row in rows
        for name, value in row.items()
        if not (
            isinstance(value, dict | list)
            or (isinstance(value, msgspec.Raw) and bytes(value)[:1] in {b"{", b"["})
        )
    )
    return [named_column(name) for name in sorted(names, key=_rank)]  # keeps all other order


def _rank(name: str) -> int:
    """Put first what a narrow terminal should still have room for."""
    return {"id": 0, "displayName": 1, "name": 1}.get(name, 2)


def _check(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Say which columns no row has; the platform may leave out any member, so it is no error."""
    for path in columns:
        if any(path in row or picked(row, path) is not None for row in rows):
            continue
        known = dict.fromkeys(name for row in rows for name in row)
        if path in known:
            continue
        close = get_close_matches(path, known, 1)
        complain(f"no item has {path!r}" + (f"; did you mean {close[0]!r}?" if close else ""))


def save(body: bytes, file: str) -> None:
    """Write a file of the user's choice."""
    # It brings all of harvest, which most commands start without.
    from itwin_async.harvest.output import replacing

    with replacing(Path(file)) as stream:
        stream.write(body)


def for_eyes(lines: bytes) -> bytes:
    """Keep text lines from moving the cursor or changing colours of a terminal."""
    text = lines.decode(errors="replace").removesuffix("\n")
    return b"".join(f"{clean(line)}\n".encode() for line in text.split("\n")) if lines else b""
