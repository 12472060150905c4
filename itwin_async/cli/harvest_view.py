"""What a person sees of a harvest: a bar on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from itwin_async.cli.cells import clean
from itwin_async.cli.progress import is_terminal, live
from itwin_async.harvest import (
    Failure,
    Progress,
    Quarantined,
    Report,
    Status,
    TargetError,
    quarantined,
    status,
)
from itwin_async.harvest.progress import printable
from itwin_async.harvest.target import name_of

_EVERY = 5.0  # seconds before the first plain line; a log of a night should be short
_SELDOM = 60.0
_FAILURES_SHOWN = 10
_NARROWEST = 8


class View:
    """
    Shows how far a harvest is, on stderr.

    Args:
        target: the target, as the user wrote it.
        quiet: show nothing.

    """

    def __init__(self, target: str, *, quiet: bool = False) -> None:
        self._target = target
        self._name = name_of(target)
        self._console = Console(stderr=True)
        self._terminal = is_terminal(sys.stderr) and not self._console.is_dumb_terminal
        self._quiet = quiet
        self._live: Live | None = None
        self._said = time.monotonic()
        self._every = _EVERY
        self._progress: Progress | None = None
        self._began = 0.0

    def __enter__(self) -> Self:
        if self._terminal and not self._quiet:
            self._live = live(self._console, self._picture, per_second=8)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def show(self, progress: Progress) -> None:
        """
        Take note of how far it is.

        Args:
            progress: the counts.

        """
        self._progress, self._began = progress, time.monotonic() - progress.seconds
        now = time.monotonic()
        if self._live is None and not self._quiet and now - self._said >= self._every:
            self._said, self._every = now, min(2 * self._every, _SELDOM)
            click.echo(f"{shown(self._name)}: {' · '.join(_counts(progress))}", err=True)

    def broken_off(self, source: dict[str, str], error: str, *, resumed: bool) -> Report:
        """
        Report a harvest that did not come to its end.

        Args:
            source: what was harvested.
            error: why it ended.
            resumed: whether an earlier run left something to do.

        Returns:
            The report.

        """
        progress, found = self._progress, list[Failure]()
        if progress is None:  # the target may be another harvest's
            progress = Progress(0, 0, 0, False, 0, 0, 0, 0, 0, 0.0)  # noqa: FBT003
        else:
            with suppress(TargetError):  # what ended it may keep it from being read
                found = status(self._target).failures
        return Report(self._name, source, False, resumed, progress, found, error)  # noqa: FBT003

    def say_how_to_go_on(self) -> None:
        """Tell that what was harvested is kept."""
        if self._progress is None or self._quiet:
            return
        self._stop()
        kept = self._progress.items
        with suppress(TargetError):
            kept = status(self._target).items
        words = f"{kept:,} items are kept"
        click.echo(f"{shown(self._name)}: {words}; run the same again to go on", err=True)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> Group | Text:
        progress = self._progress
        if progress is None:
            return Text(f"{shown(self._name)}: asking for the lists", style="dim")
        bar = Table.grid(padding=(0, 1))
        done = progress.lists_done + progress.lists_failed
        total = max(1, progress.lists_known) if progress.all_known else None
        name = Text(shown(self._name), style="bold", no_wrap=True, overflow="ellipsis")
        width = min(30, self._console.width - len(name) - len(_lists(progress)) - 2)
        shape = ProgressBar(total=total, completed=done, width=width, pulse=total is None)
        bar.add_row(name, *([shape] if width >= _NARROWEST else []), Text(_lists(progress)))
        line = Text(" · ".join(_counts(progress, lists=False, began=self._began)), style="dim")
        line.no_wrap, line.overflow = True, "ellipsis"
        return Group(bar, line)


def shown(text: str) -> str:
    """Keep a text on its line, and write out what is no character."""
    return clean(printable(text))


def summary(report: Report) -> str:
    """
    Say what came of a run.

    Args:
        report: the report.

    Returns:
        A few lines.

    """
    progress = report.progress
    before = progress.items - progress.new_items
    items = f"{progress.items:,} items"
    if before:
        items += f" ({progress.new_items:,} new)"
    parts = [
        items,
        f"{progress.lists_done:,} of {progress.lists_known:,} lists",
        f"{progress.calls:,} calls" + (f", {progress.refused:,} refused" * bool(progress.refused)),
        duration(progress.seconds),
    ]
    if report.changes:
        parts.insert(1, ", ".join(f"{count:,} {kind}" for kind, count in report.changes.items()))
    lines = [f"{shown(report.target)}: {' · '.join(parts)}"]
    lines += failures(report.failures, progress.lists_failed)
    if report.complete and not progress.calls:
        lines.append("  it was finished, and nothing was requested; --refresh makes it current")
    if progress.quarantined:
        lines.append(f"  {_set_aside(progress.quarantined)}; see 'itwin-async harvest status'")
    return "\n".join(lines)


def described(status: Status) -> str:
    """
    Say what is in a target.

    Args:
        status: what is known of it.

    Returns:
        A few lines.

    """
    source = ", ".join(f"{name} {value}" for name, value in status.source.items())
    known = f"{status.lists_known:,}{'' if status.all_known else ' found so far'}"
    rows = [
        ("target", status.target),
        ("holds", source or "nothing yet"),
        ("lists", f"{status.lists_done:,} done of {known}, {status.lists_failed:,} failed"),
        ("items", f"{status.items:,} in {status.pages:,} pages"),
        *((" ", f"{rows:,} {table}") for table, rows in _several(status.tables)),
        ("read", _read(status)),
        ("state", state(status)),
    ]
    if status.refresh is not None:
        told = status.refresh
        text = f"{told.lists_done:,} of {told.lists_known:,} lists of generation {told.generation}"
        rows.append(("refresh", f"under way, {text}; run the same harvest to go on"))
    lines = [f"{name:8}{shown(value)}" for name, value in rows]
    lines += failures(status.failures, status.lists_failed)
    if status.quarantined:
        first = quarantined(status.target, _FAILURES_SHOWN)
        lines.append(f"  {_set_aside(status.quarantined)}; harvest.quarantined() has their JSON")
        lines += [f"  set aside: {_item(one)}: {shown(one.error)}" for one in first]
        if status.quarantined > len(first):
            lines.append(f"  and {status.quarantined - len(first):,} more")
    return "\n".join(lines)


def _read(status: Status) -> str:
    began, ended = status.started_at, status.finished_at
    parts = [f"generation {status.generation}"]
    parts += [f"started {began:%Y-%m-%d %H:%M:%S} UTC"] if began else []
    parts += [f"finished {ended:%Y-%m-%d %H:%M:%S} UTC"] if ended else []
    parts += [f"by version {status.version}"] if status.version else []
    return ", ".join(parts)


def checked(status: Status) -> str:
    """Say that a target is as it was written."""
    text = f"{status.target}: {status.items:,} items, undamaged; {state(status)}"
    return shown(text)


def state(status: Status) -> str:
    """Say how much of a harvest is there."""
    if status.running:
        return "running"
    if not status.finished:
        return "not finished; run the same harvest to go on"
    if status.lists_failed:
        return f"finished without {status.lists_failed:,} lists; run the same harvest to read them"
    return "finished"


def nothing_requested(status: Status) -> str:
    """Say since when a target is finished, so that nobody takes it for new."""
    since = "" if status.finished_at is None else f" since {status.finished_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"{shown(status.target)} is finished{since}: nothing was requested, and nothing is newer; "
        "--refresh makes it current"
    )


def failures(found: Iterable[Failure], count: int) -> list[str]:
    """
    Tell which lists failed.

    Args:
        found: the first of them.
        count: how many there are.

    Returns:
        A line for each of the first ten, and one for the rest.

    """
    first = list(found)[:_FAILURES_SHOWN]
    lines = [f"  failed: {_named(failure)}: {shown(failure.error)}" for failure in first]
    if count > len(first):
        lines.append(f"  and {count - len(first):,} more")
    return lines


def _named(failure: Failure) -> str:
    return shown(f"{failure.source} {failure.title or failure.key or 'the list'}".strip())


def _item(found: Quarantined) -> str:
    where = found.list_name or found.list or "the list"
    return shown(f"{found.source} {where}, page {found.page}, item {found.position}")


def _set_aside(count: int) -> str:
    items = "1 item" if count == 1 else f"{count:,} items"
    return f"{items} set aside, which cannot be read or stored"


def _several(tables: dict[str, int]) -> list[tuple[str, int]]:
    return [*tables.items()] if len(tables) > 1 else []


def duration(seconds: float) -> str:
    """
    Write a time span for people.

    Args:
        seconds: the time span.

    Returns:
        Hours, minutes and seconds, as far as they are needed.

    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _lists(progress: Progress) -> str:
    known = f"{progress.lists_known:,}{'' if progress.all_known else '+'}"
    return f"{progress.lists_done + progress.lists_failed:,}/{known} lists"


def _counts(progress: Progress, *, lists: bool = True, began: float | None = None) -> list[str]:
    seconds = progress.seconds if began is None else time.monotonic() - began
    parts = [_lists(progress)] if lists else []
    parts.append(f"{progress.items:,} items")
    parts.append(f"{progress.new_items / max(seconds, 0.001):,.0f}/s")
    parts.append(f"{progress.calls:,} calls")
    if progress.refused:
        parts.append(f"{progress.refused:,} refused")
    if progress.lists_failed:
        parts.append(f"{progress.lists_failed:,} failed")
    if progress.quarantined:
        parts.append(f"{progress.quarantined:,} set aside")
    if progress.waiting_until is not None:
        until = progress.waiting_until.astimezone()
        parts.append(f"waiting until {until:%H:%M:%S} for {shown(progress.waiting_for)}")
    elif progress.waiting:
        parts.append(f"{progress.waiting:,} waiting for the quota")
    elif progress.seconds_left:
        parts.append(f"about {duration(progress.seconds_left)} left")
    parts.append(duration(seconds))
    return parts
