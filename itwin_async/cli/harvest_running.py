"""Options of ``itwin-async harvest`` for a run: patience, metrics, and the estimate before it."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs
import click

from itwin_async.harvest import Estimate, Progress, serve_metrics
from itwin_async.harvest.progress import OnProgress
from itwin_async.retry import RetryPolicy

F = TypeVar("F", bound=Callable[..., object])

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd]?)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_LONGEST = 7 * 86400
_HIGHEST_PORT = 65535


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A duration such as ``90s``, ``10m`` or ``1h30m``, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        if not _DURATION.fullmatch(text) or seconds > _LONGEST:
            self.fail(f"{value!r} is no duration of at most 7d; give 90s, 10m or 1h30m", param, ctx)
        return seconds


@attrs.frozen
class Running:
    """How a harvest is run, beside what it harvests."""

    plan: bool
    retries: int | None
    wait_for_server: float
    metrics_port: int | None
    metrics_host: str

    @property
    def retry(self) -> RetryPolicy | None:
        """The retries of each request, if they are given."""
        return None if self.retries is None else RetryPolicy(retries=self.retries)

    @contextmanager
    def telling(self, show: Callable[[Progress], None]) -> Iterator[OnProgress]:
        """Serve metrics, if they are wanted, of the progress that is shown."""
        if self.metrics_port is None:
            yield show
            return
        with serve_metrics(self.metrics_port, self.metrics_host) as metrics:

            def both(progress: Progress) -> None:
                metrics(progress)
                show(progress)

            yield both


def running_options(command: F) -> F:
    """Give a command these options, as ``running: Running``."""

    @functools.wraps(command)
    def gather(
        *,
        plan: bool,
        retries: int | None,
        wait_for_server: float,
        metrics_port: int | None,
        metrics_host: str,
        **others: object,
    ) -> object:
        running = Running(plan, retries, wait_for_server, metrics_port, metrics_host)
        return command(running=running, **others)

    decorated: Callable[..., object] = gather
    for option in (
        click.option(
            "--metrics-host",
            default="127.0.0.1",
            show_default=True,
            metavar="HOST",
            help="Address that --metrics-port listens on.",
        ),
        click.option(
            "--metrics-port",
            type=click.IntRange(1, _HIGHEST_PORT),
            metavar="PORT",
            help="Serve metrics for Prometheus while the harvest runs; needs the extra metrics.",
        ),
        click.option(
            "--wait-for-server",
            type=Duration(),
            default="5m",
            show_default=True,
            metavar="DURATION",
            help="How long to wait for a platform that does not answer, or fails for all lists.",
        ),
        click.option(
            "--retries",
            type=click.IntRange(0, 100),
            metavar="N",
            help="How often a request that failed is repeated; 4 by default.",
        ),
        click.option(
            "--plan",
            is_flag=True,
            help="Estimate lists, calls, minutes and bytes from a few pages; write nothing.",
        ),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]


def estimated(found: Estimate) -> str:
    """Write an estimate as a table."""
    rows: list[tuple[str, ...]] = [("", "lists", "calls", "items", "size")]
    rows += [
        (
            one.name if one.table is not None else f"({one.name})",
            *_numbers(one.lists, one.calls, one.items, one.bytes, more=one.at_least),
        )
        for one in found.sources
    ]
    if len(found.sources) > 1:
        total = _numbers(found.lists, found.calls, found.items, found.bytes, more=found.at_least)
        rows.append(("all", *total))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
    pace = found.calls_a_minute
    by = "no quota is known" if pace is None else f"at {pace:,.0f} calls a minute"
    least = "at least " if found.at_least else "about "
    lines.append(f"{least}{_minutes(found.minutes)}; {by}; {found.sampled_calls:,} calls sampled")
    failed = sum(one.failed for one in found.sources)
    if failed:
        lines.append(f"{failed:,} of the sampled lists could not be read")
    return "\n".join(lines)


def _numbers(lists: int, calls: int, items: int, size: int, *, more: bool) -> tuple[str, ...]:
    plus = "+" if more else ""
    return *(f"{number:,}{plus}" for number in (lists, calls, items)), f"{_size(size)}{plus}"


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - as the units say
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
