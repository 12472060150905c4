"""The command ``itwin-async harvest``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path

import click

from itwin_async import harvest as bulk
from itwin_async.cli.failures import complain
from itwin_async.cli.harvest_dask import How, distribute
from itwin_async.cli.harvest_running import Running, estimated, running_options
from itwin_async.cli.harvest_status import (
    EXIT_CODES,
    OF_STATES,
    check,
    merge,
    run_on_target,
    status,
)
from itwin_async.cli.harvest_view import View, nothing_requested, summary
from itwin_async.cli.id_files import STDIN, id_file, ids_of_file
from itwin_async.cli.itwin_filters import itwin_filters
from itwin_async.cli.runtime import Options, open_session, or_exit, session_options
from itwin_async.cli.stdout import write
from itwin_async.cli.storage import storage_option
from itwin_async.harvest import Report, Status, TargetError
from itwin_async.harvest.lists import takes
from itwin_async.harvest.output import probe, refuse_overlap, replacing
from itwin_async.harvest.plan import identity
from itwin_async.harvest.target import target_files

_STDOUT = Path("-")


class _Names(click.ParamType):  # type: ignore[type-arg]
    name = "name,name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(","))
        known = bulk.list_names()
        for name in names:
            if name not in known:
                close = get_close_matches(name, known, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
                self.fail(f"{name!r} is not one of the lists; {hint}", param, ctx)
        return names


class _Share(click.ParamType):  # type: ignore[type-arg]
    name = "k/n"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        number, _, of = str(value).partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            self.fail("give which share and how many, such as 3/8", param, ctx)
        return int(number), int(of)


class _Harvest(click.Command):
    """
    ``harvest TARGET``, and ``harvest`` with ``status``, ``check`` or ``merge``.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        for command in (status, check, merge):  # every target has an ending
            if args[:1] == [command.name]:
                name = f"{info_name} {command.name}"
                return command.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=_Harvest, short_help="Harvest many lists into a file or a database.", epilog=EXIT_CODES
)
@click.argument("target")
@click.option(
    "--what",
    type=_Names(),
    multiple=True,
    default=["favorite-imodels"],
    show_default=True,
    metavar="NAME,NAME",
    help="What to harvest: lists by name, such as imodels,named-versions; may be repeated.",
)
@click.option(
    "--itwins",
    type=id_file,
    metavar="FILE",
    help="iTwins to harvest, one id a line, instead of all; - is standard input.",
)
@click.option(
    "--imodels",
    type=id_file,
    metavar="FILE",
    help="iModels to harvest, one id a line, instead of those of the iTwins; - is standard input.",
)
@click.option(
    "--of",
    type=click.Choice(["itwins", "favorite-itwins", "recent-itwins"]),
    help="Which iTwins, where they are not given: all, favorite or recently used ones.",
)
@itwin_filters
@click.option(
    "--shard",
    "share",
    type=_Share(),
    metavar="K/N",
    help="Only the K-th of N shares, each with a TARGET of its own; see 'harvest merge'.",
)
@click.option("--full", is_flag=True, help="Whole items: extents, dates, states.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    metavar="N",
    help="Lists read at once.",
)
@click.option(
    "--page-size",
    type=click.IntRange(1, 1000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Items a page.",
)
@click.option("--refresh", is_flag=True, help="Make a TARGET that is there current.")
@click.option(
    "--changes",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what came, changed and went since the last such FILE, as NDJSON.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Let the workers of a Dask cluster read; the address of its scheduler.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first list that fails.")
@running_options
@click.option(
    "--report",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Write what came of it as JSON; - is standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="The same on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@storage_option
@session_options
def harvest(
    *,
    target: str,
    what: tuple[tuple[str, ...], ...],
    itwins: Path | None,
    imodels: Path | None,
    of: str | None,
    filters: bulk.Filters,
    share: tuple[int, int] | None,
    full: bool,
    concurrency: int,
    page_size: int,
    refresh: bool,
    changes: Path | None,
    dask: str | None,
    fail_fast: bool,
    report: Path | None,
    as_json: bool,
    quiet: bool,
    storage: dict[str, str] | None,
    running: Running,
    options: Options,
) -> None:
    """
    Harvest many lists into TARGET; run it again after a crash, and it goes on.

    With --dask the workers of a cluster read, with credentials of their own environment, and write
    a TARGET that many machines may write, such as s3://bucket/name.delta.

    With --refresh a finished TARGET becomes current: everything is read again beside it, and takes
    its place in one step.

    TARGET's name decides its form: .db or .sqlite, .ndjson, .ndjson.gz, .ndjson.zst, .parquet for
    a folder of parts, or .delta for Delta Lake; addresses such as s3://BUCKET/NAME.delta or
    abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/NAME.parquet are in object stores, and
    postgresql://HOST/DATABASE is a database. Each list has a table of its own.

    "harvest status TARGET" tells how far it is, "harvest check TARGET" reads everything that is
    there, and "harvest merge TARGET SHARE..." makes one target of shares.
    """
    names = tuple(dict.fromkeys(name for group in what for name in group))
    reports = {file for file in (report, _STDOUT if as_json else None) if file is not None}
    written = {changes} if changes is not None else set[Path]()
    _check_given(names, itwins, imodels)
    if dask and (refresh or changes is not None or options.emulator):
        raise click.UsageError(
            "--dask is mutually exclusive with --refresh, --changes and --emulator"
        )
    if dask and storage:
        raise click.UsageError(
            "--storage-option is for this machine; with --dask set what reaches the store in the "
            "environment of each worker"
        )

    itwin_ids = or_exit(lambda: ids_of_file(itwins, "itwin_ids", quiet=quiet))
    imodel_ids = or_exit(lambda: ids_of_file(imodels, "imodel_ids", quiet=quiet))

    async def main() -> int:
        _refuse_overlaps(target, [itwins, imodels], reports | written)
        source = bulk.lists(
            *names,
            itwin_ids=itwin_ids,
            imodel_ids=imodel_ids,
            of=of,
            full=full,
            **filters,
        )
        if share is not None:
            source = bulk.share(source, *share)
        if running.plan:
            async with open_session(options, retry=running.retry) as session:
                found = await bulk.estimate(
                    session, source, page_size=page_size, concurrency=concurrency
                )
            click.echo(found.to_json() if as_json else estimated(found))
            return 0
        before = _before(target, storage)
        with (
            View(target, quiet=quiet) as view,
            running.telling(view.show) as show,
            _told(view, reports, identity(source), before),
        ):
            how: How = {
                "concurrency": concurrency,
                "page_size": page_size,
                "fail_fast": fail_fast,
                "on_progress": show,
                "wait_for_server": running.wait_for_server,
            }
            if dask:
                done = await distribute(dask, source, target, options, running.retry, **how)
            else:
                async with open_session(options, retry=running.retry) as session:
                    done = await bulk.run(
                        session,
                        source,
                        target,
                        **how,
                        refresh=refresh,
                        changes=changes,
                        storage_options=storage,
                    )
        _write(reports, done)
        if not quiet:
            click.echo(summary(done), err=True)
        if before is not None and before.complete and not done.progress.calls:
            complain(nothing_requested(before))
        return OF_STATES[done.state]

    run_on_target(main)


def _before(target: str, storage: dict[str, str] | None) -> Status | None:
    with suppress(TargetError):
        return bulk.status(target, storage_options=storage)
    return None


def _check_given(names: tuple[str, ...], itwins: Path | None, imodels: Path | None) -> None:
    given_ids = (("--itwins", itwins, "itwin_id"), ("--imodels", imodels, "imodel_id"))
    for option, given, id_ in given_ids:
        if given is not None and not any(takes(name, id_) for name in names):
            fits = [name for name in bulk.list_names() if takes(name, id_)]
            raise click.UsageError(f"{option} is for {', '.join(fits)}")
    if itwins == imodels == STDIN:
        raise click.UsageError("only one of --itwins and --imodels can be standard input")


def _refuse_overlaps(target: str, given: list[Path | None], reports: set[Path]) -> None:
    files, inputs = target_files(target), [Path(".env")]
    inputs += [path for path in given if path is not None and path != STDIN]
    for path in inputs:
        refuse_overlap(path, files)
    for report in reports - {_STDOUT}:
        refuse_overlap(report, files, *inputs)
        probe(report)  # to learn now, and not in the morning, that it cannot be written


@contextmanager
def _told(
    view: View, reports: set[Path], source: dict[str, str], before: Status | None
) -> Iterator[None]:
    """Leave a report of a harvest that ends too early, and say that it can go on."""
    try:
        yield
    except BaseException as problem:
        try:
            resumed = before is not None and not before.complete
            why = str(problem) or "interrupted"
            _write(reports, view.broken_off(source, why, resumed=resumed))
        except TargetError as other:  # what ended the harvest matters more
            complain(str(other))
        view.say_how_to_go_on()
        raise


def _write(files: set[Path], report: Report) -> None:
    text = f"{report.to_json()}\n".encode()
    for file in files:
        if file == _STDOUT:
            write(text)
            continue
        with replacing(file) as stream:
            stream.write(text)
