"""The commands ``itwin-async changesets ...``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import click

from itwin_async import files, imodels
from itwin_async.bulk import Failure
from itwin_async.cli.cells import Column
from itwin_async.cli.failures import complain, exit_code
from itwin_async.cli.forms import Form, full_option, limit_option, output_options
from itwin_async.cli.known_ids import completing
from itwin_async.cli.output import listing, paging_for
from itwin_async.cli.progress import Progress
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.events import Event, FileProgress

F = TypeVar("F", bound=Callable[..., object])

_COLUMNS = (
    Column("index", "index", "bold"),
    Column("id", "id", "dim", whole=True),
    Column("pushed", "pushDateTime"),
    Column("bytes", "fileSize"),
    Column("state", "state"),
    Column("description", "description"),
)
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_THOUSAND = 1000


def _range_options(command: F) -> F:
    number = click.IntRange(min=0)
    for option in (
        click.option("--last-index", type=number, metavar="N", help="Only up to this index."),
        click.option("--after-index", type=number, metavar="N", help="Only behind this index."),
    ):
        command = option(command)
    return command


@click.group(help="Changesets of an iModel, and their files.")
def changesets() -> None:
    """Group the commands."""


@changesets.command("list")
@click.argument(
    "imodel_id", required=False, metavar="[IMODEL]", shell_complete=completing("imodel")
)
@_range_options
@limit_option
@full_option
@output_options
@session_options
def list_changesets(
    *,
    options: Options,
    form: Form,
    imodel_id: str | None,
    after_index: int | None,
    last_index: int | None,
    limit: int | None,
    full: bool,
) -> None:
    """List the changesets of an iModel."""
    chosen = options.given_or_context("imodel", imodel_id)

    async def main() -> None:
        async with listing(options, form, _COLUMNS, "changesets", limit) as (output, session):
            pager = imodels.list_changesets(
                session,
                chosen,
                after_index=after_index,
                last_index=last_index,
                **paging_for(limit),
            )
            await output.send_all(pager.full() if full else pager)

    run(main)


@changesets.command("download")
@click.argument("imodel_id", metavar="IMODEL", shell_complete=completing("imodel"))
@click.argument("folder", type=click.Path(file_okay=False))
@_range_options
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Files under way at once.",
)
@session_options
def download(
    *,
    options: Options,
    imodel_id: str,
    folder: str,
    after_index: int | None,
    last_index: int | None,
    concurrency: int,
) -> None:
    """
    Download the files of an iModel's changesets into FOLDER.

    Called again after any interruption, it goes on where it was.
    """
    report = files.DownloadReport()
    progress = _DownloadProgress(hidden=options.verbose)

    async def main() -> int:
        progress.start()
        try:
            async with open_session(options, (progress.observe,)) as session:
                await files.download_changesets(
                    session,
                    imodel_id,
                    folder,
                    after_index=after_index,
                    last_index=last_index,
                    concurrency=concurrency,
                    report=report,
                )
        except asyncio.CancelledError:
            progress.stop()
            progress.say(f"{_summary(report)}; the same command goes on from here")
            raise
        finally:
            progress.stop()
        progress.say(_summary(report))
        return _explain(report.failures)

    run(main)


class _DownloadProgress(Progress):
    """Counts files and bytes."""

    def __init__(self, *, hidden: bool) -> None:
        super().__init__("changesets", hidden=hidden)
        self._under_way: dict[str, int] = {}
        self._bytes = 0

    def observe(self, event: Event) -> None:
        """Take note of a file that got further."""
        if not isinstance(event, FileProgress):
            super().observe(event)
            return
        if event.finished:
            self._under_way.pop(event.name, None)
            self._bytes += event.done
            self.count += 1
        else:
            self._under_way[event.name] = event.done
        self.detail = _amount(self._bytes + sum(self._under_way.values()))


def _summary(report: files.DownloadReport) -> str:
    plural = "" if report.files == 1 else "s"
    parts = [f"{report.files:,} changeset{plural}", _amount(report.size)]
    if report.kept:
        parts.append(f"{report.kept:,} were there")
    if report.pending:
        parts.append(f"{report.pending:,} not uploaded yet")
    return ", ".join(parts)


def _explain(failures: list[Failure[str]]) -> int:
    for failure in failures:
        complain(f"{failure.item}: {failure.error}")
    return exit_code(failures[0].error) if failures else 0


def _amount(size: float) -> str:
    unit = 0
    while size >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} {_UNITS[0]}"
