"""The commands ``itwin-async export`` and ``map``: what was harvested, in other forms."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import get_type_hints

import attrs
import click
import msgspec

from itwin_async import harvest as bulk
from itwin_async._json.naming import SPELLINGS, wire_name
from itwin_async._tables.columns import without_none
from itwin_async.cli.call import columns_of
from itwin_async.cli.cells import Column, Row, named_column
from itwin_async.cli.failures import complain
from itwin_async.cli.forms import Form, output_options
from itwin_async.cli.harvest_status import run_on_target
from itwin_async.cli.harvest_view import shown, state
from itwin_async.cli.output import Output
from itwin_async.cli.storage import storage_option
from itwin_async.harvest.columns import MOMENTS, moment
from itwin_async.harvest.reading import CLASSES, stored, tables_of
from itwin_async.harvest.rows import Row as Stored
from itwin_async.harvest.sinks.ndjson import parse
from itwin_async.harvest.target import name_of
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
@click.option("--removed", is_flag=True, help="Items too that a refresh found no more.")
@storage_option
@output_options
def export(
    *,
    target: str,
    geojson: Path | None,
    table: str | None,
    removed: bool,
    storage: dict[str, str] | None,
    form: Form,
) -> None:
    """
    Write the items in TARGET, or iTwins' points and iModels' extents as GeoJSON.

    Each item has the key of its list (list), the name of what that belongs to (list_name), and
    when it was read (harvested_at) and seen (first_seen, last_seen, removed_at).
    """
    if geojson is not None and (table or removed or not form.is_default):
        raise click.UsageError("--geojson and the options for items are mutually exclusive")

    async def main() -> None:
        _warn_of_unfinished(target, storage)
        if geojson is None:
            await _write_items(target, table, form, storage, removed=removed)
            return
        done = bulk.export_geojson(target, geojson, storage_options=storage)
        none = done.without_place - done.impossible
        left = f"; {none:,} without a place left out" if none else ""
        if done.impossible:
            left += f"; {done.impossible:,} with impossible coordinates left out"
        click.echo(f"{shown(str(geojson))}: {done.features:,} features{left}", err=True)

    run_on_target(main)


def _warn_of_unfinished(target: str, storage: dict[str, str] | None) -> None:
    found = bulk.status(target, storage_options=storage)
    if not found.complete:
        complain(f"{shown(name_of(target))}: {state(found)}; only what is there so far is written")


async def _write_items(
    target: str, name: str | None, form: Form, storage: dict[str, str] | None, *, removed: bool
) -> None:
    tables = {table.name: table for table in tables_of(target, storage)}
    if name is None and len(tables) > 1:
        raise click.UsageError(f"give --from: {shown(name_of(target))} has {', '.join(tables)}")
    chosen = name or next(iter(tables), None)
    if chosen not in tables:
        close = get_close_matches(chosen or "", tables, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise click.UsageError(f"{shown(name_of(target))} has no table {chosen!r}{hint}")
    cls = CLASSES.get(tables[chosen].item)
    columns = _columns(cls) if form.kind == "csv" else columns_of(cls) if cls else []
    with Output(form, columns, "items") as output:
        rows: list[Row] = []
        for row in stored(target, chosen, removed=removed, storage_options=storage):
            rows.append(_exported(row))
            if len(rows) == MAX_PAGE_SIZE:
                await output.send(rows)
                rows = []
        await output.send(rows)


def _exported(row: Stored) -> Row:
    """Put what a target knows of an item around its members."""
    try:
        item = msgspec.json.decode(row.text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:  # half characters
        item = parse(row.text)
    made = {} if "id" in item else {"id": row.id}
    moments = {
        name: None if (value := getattr(row, name)) is None else moment(value) for name in MOMENTS
    }
    return {"list": row.list, "list_name": row.list_name, **made, **item, **moments}


def _columns(cls: type | None) -> list[Column]:
    """Make a column of everything that an item has; what is within it has its path for a name."""
    if cls is None:
        return []
    paths = list(_paths(cls))
    made = [] if "id" in paths else ["id"]
    return [named_column(path) for path in ("list", "list_name", *made, *paths, *MOMENTS)]


def _paths(cls: type, above: str = "") -> Iterator[str]:
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        path = above + SPELLINGS.get(cls, {}).get(field.name, wire_name(field.name))
        inner = without_none(hints[field.name])
        if isinstance(inner, type) and attrs.has(inner):
            yield from () if field.name == "links" else _paths(inner, f"{path}.")
        else:
            yield path


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
@storage_option
def draw(*, target: str, png: Path, storage: dict[str, str] | None) -> None:
    """
    Draw iTwins' points and iModels' extents in TARGET.

    TARGET must have been harvested with --full. Needs the extra plot.
    """

    async def main() -> None:
        _warn_of_unfinished(target, storage)
        count = bulk.draw_map(target, png, storage_options=storage)
        click.echo(f"{shown(str(png))}: {count:,} on the map", err=True)

    run_on_target(main)


map = draw  # noqa: A001 - commands are found by name
