"""The commands ``itwin-async export`` and ``map``: what was harvested, in other forms."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

from itwin_async import harvest as bulk
from itwin_async import to_dict
from itwin_async.cli.call import columns_of
from itwin_async.cli.cells import Row
from itwin_async.cli.failures import complain
from itwin_async.cli.forms import Form, output_options
from itwin_async.cli.harvest_status import run_on_target
from itwin_async.cli.harvest_view import shown, state
from itwin_async.cli.output import Output
from itwin_async.harvest.reading import CLASSES, tables_of
from itwin_async.paging import MAX_PAGE_SIZE


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
        _warn_of_unfinished(target)
        if geojson is None:
            await _write_items(target, table, form)
            return
        done = bulk.export_geojson(target, geojson)
        left = f"; {done.without_place:,} without a place left out" if done.without_place else ""
        click.echo(f"{shown(str(geojson))}: {done.features:,} features{left}", err=True)

    run_on_target(main)


def _warn_of_unfinished(target: str) -> None:
    found = bulk.status(target)
    if not found.complete:
        complain(f"{shown(target)}: {state(found)}; only what is there so far is written")


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
        _warn_of_unfinished(target)
        count = bulk.draw_map(target, png)
        click.echo(f"{shown(str(png))}: {count:,} on the map", err=True)

    run_on_target(main)


map = draw  # noqa: A001 - commands are found by name
