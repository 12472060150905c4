"""The commands ``itwin-async harvest``, ``export`` and ``map``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import click

from itwin_async import harvest as bulk
from itwin_async import to_dict
from itwin_async.cli.call import columns_of
from itwin_async.cli.cells import Row
from itwin_async.cli.failures import complain
from itwin_async.cli.forms import Form, output_options
from itwin_async.cli.harvest_view import View, checked, described, shown, summary
from itwin_async.cli.output import Output
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.harvest import Report, TargetError
from itwin_async.harvest.ids import parse_ids
from itwin_async.harvest.lists import takes
from itwin_async.harvest.output import probe, refuse_overlap, replacing
from itwin_async.harvest.plan import identity
from itwin_async.harvest.reading import CLASSES, tables_of
from itwin_async.harvest.target import target_files
from itwin_async.paging import MAX_PAGE_SIZE

_INCOMPLETE = 1
_STDIN = Path("-")


class _Names(click.ParamType):  # type: ignore[type-arg]
    name = "name,name"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        names = tuple(name.strip() for name in str(value).split(","))
        known = bulk.list_names()
        for name in names:
            if name not in known:
                close = get_close_matches(name, known, 1)
                hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
                self.fail(f"{name!r} is not one of the lists; {hint}", param, ctx)
        return names


_ids_type = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


class _Harvest(click.Command):
    """
    ``harvest TARGET``, ``harvest status TARGET`` and ``harvest check TARGET``.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        for command in (status, check):  # every target has an ending
            if args[:1] == [command.name]:
                name = f"{info_name} {command.name}"
                return command.make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_Harvest, short_help="Harvest many lists into a file or a database.")
@click.argument("target")
@click.option(
    "--what",
    type=_Names(),
    default="favorite-imodels",
    show_default=True,
    metavar="NAME,NAME",
    help="What to harvest: lists by name, such as imodels,named-versions,changesets.",
)
@click.option(
    "--itwins",
    type=_ids_type,
    metavar="FILE",
    help="iTwins to harvest, one id a line, instead of all; - is standard input.",
)
@click.option(
    "--imodels",
    type=_ids_type,
    metavar="FILE",
    help="iModels to harvest, one id a line, instead of those of the iTwins; - is standard input.",
)
@click.option(
    "--of",
    type=click.Choice(["itwins", "favorite-itwins", "recent-itwins"]),
    help="Which iTwins, where they are not given: all, favorite or recently used ones.",
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
@click.option("--fail-fast", is_flag=True, help="Stop at the first list that fails.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what came of it as JSON.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@session_options
def harvest(
    *,
    target: str,
    what: tuple[str, ...],
    itwins: Path | None,
    imodels: Path | None,
    of: str | None,
    full: bool,
    concurrency: int,
    page_size: int,
    fail_fast: bool,
    report: Path | None,
    quiet: bool,
    options: Options,
) -> None:
    """
    Harvest many lists into TARGET; run it again after a crash, and it goes on.

    TARGET's name decides its form: .db or .sqlite, .ndjson, .ndjson.gz, .ndjson.zst, or .parquet
    for a folder of parts; each list has a table of its own. See "itwin-async harvest status TARGET"
    for how far it is.
    """
    given_ids = (("--itwins", itwins, "itwin_id"), ("--imodels", imodels, "imodel_id"))
    for option, given, id_ in given_ids:
        if given is not None and not any(takes(name, id_) for name in what):
            fits = [name for name in bulk.list_names() if takes(name, id_)]
            raise click.UsageError(f"{option} is for {', '.join(fits)}")
    if itwins == imodels == _STDIN:
        raise click.UsageError("only one of --itwins and --imodels can be standard input")

    async def main() -> int:
        _refuse_overlaps(target, [itwins, imodels], report)
        source = bulk.lists(
            *what,
            itwin_ids=_ids_of(itwins, "itwin_ids"),
            imodel_ids=_ids_of(imodels, "imodel_ids"),
            of=of,
            full=full,
        )
        with View(target, quiet=quiet) as view, _told(view, report, identity(source)):
            async with open_session(options) as session:
                done = await bulk.run(
                    session,
                    source,
                    target,
                    concurrency=concurrency,
                    page_size=page_size,
                    fail_fast=fail_fast,
                    on_progress=view.show,
                )
        _write(report, done)
        if not quiet:
            click.echo(summary(done), err=True)
        return 0 if done.complete else _INCOMPLETE

    run(main)


def _refuse_overlaps(target: str, given: list[Path | None], report: Path | None) -> None:
    files, inputs = target_files(target), [Path(".env")]
    inputs += [path for path in given if path is not None and path != _STDIN]
    for path in inputs:
        refuse_overlap(path, files)
    if report is not None:
        refuse_overlap(report, files, *inputs)
        probe(report)  # to learn now, and not in the morning, that it cannot be written


def _ids_of(file: Path | None, name: str) -> Path | list[str] | None:
    if file != _STDIN:
        return file
    return parse_ids(sys.stdin.buffer.read(), "standard input", name)


@contextmanager
def _told(view: View, report: Path | None, source: dict[str, str]) -> Iterator[None]:
    """Leave a report of a harvest that ends too early, and say that it can go on."""
    try:
        yield
    except BaseException as problem:
        try:
            _write(report, view.broken_off(source, str(problem) or "interrupted"))
        except TargetError as other:  # what ended the harvest matters more
            complain(str(other))
        view.say_how_to_go_on()
        raise


def _write(file: Path | None, report: Report) -> None:
    if file is not None:
        with replacing(file) as stream:
            stream.write(f"{report.to_json()}\n".encode())


@click.command("status")
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
def status(*, target: str, as_json: bool) -> None:
    """Tell how far the harvest in TARGET is, also while it runs."""

    async def main() -> None:
        found = bulk.status(target)
        click.echo(found.to_json() if as_json else described(found))

    run(main)


@click.command("check")
@click.argument("target")
def check(*, target: str) -> None:
    """Read TARGET whole, and tell whether everything is there that was harvested."""

    async def main() -> None:
        found = bulk.check(target)
        click.echo(checked(found))

    run(main)


def _no_stream(_: click.Context, __: click.Parameter, file: Path | None) -> Path | None:
    if str(file) == "-":
        raise click.BadParameter("give a file's name; it appears when everything is written")
    return file


@click.command(short_help="Write what was harvested as GeoJSON, CSV or JSON.")
@click.argument("target")
@click.option(
    "--geojson",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_no_stream,
    metavar="FILE",
    help="Write points and extents to a file; TARGET must have been harvested with --full.",
)
@click.option("--from", "table", metavar="TABLE", help="The table, where there are several.")
@output_options
def export(*, target: str, geojson: Path | None, table: str | None, form: Form) -> None:
    """
    Write the items in TARGET, or iTwins' points and iModels' extents as GeoJSON.
    """
    if geojson is not None and (table or not form.is_default):
        raise click.UsageError("--geojson and the options for items are mutually exclusive")

    async def main() -> None:
        if geojson is None:
            await _write_items(target, table, form)
            return
        done = bulk.export_geojson(target, geojson)
        left = f"; {done.without_place:,} without a place left out" if done.without_place else ""
        click.echo(f"{shown(str(geojson))}: {done.features:,} features{left}", err=True)

    run(main)


async def _write_items(target: str, name: str | None, form: Form) -> None:
    tables = {table.name: table for table in tables_of(target)}
    if name is None and len(tables) > 1:
        raise click.UsageError(f"give --from: {shown(target)} has {', '.join(tables)}")
    chosen = name or next(iter(tables), None)
    if chosen not in tables:
        close = get_close_matches(chosen or "", tables, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise click.UsageError(f"{shown(target)} has no table {chosen!r}{hint}")
    cls = CLASSES.get(tables[chosen].item)
    with Output(form, columns_of(cls) if cls else [], "items") as output:
        rows: list[Row] = []
        for _, item in bulk.read(target, table=chosen):
            rows.append(to_dict(item))  # type: ignore[arg-type] # all items are models
            if len(rows) == MAX_PAGE_SIZE:
                await output.send(rows)
                rows = []
        await output.send(rows)


@click.command("map", short_help="Draw the places in a harvest.")
@click.argument("target")
@click.option(
    "--png",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_no_stream,
    required=True,
    metavar="FILE",
    help="The picture to write.",
)
def draw(*, target: str, png: Path) -> None:
    """
    Draw iTwins' points and iModels' extents in TARGET.

    TARGET must have been harvested with --full. Needs the extra plot.
    """

    async def main() -> None:
        count = bulk.draw_map(target, png)
        click.echo(f"{shown(str(png))}: {count:,} on the map", err=True)

    run(main)


map = draw  # noqa: A001 - commands are found by name
