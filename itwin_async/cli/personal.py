"""
What favorites and recents have in common: two lists of the calling user, and changing them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import click

from itwin_async import bulk, imodels, itwins
from itwin_async.cli.fanout import in_order
from itwin_async.cli.output import Column, Output, output_options
from itwin_async.cli.runtime import Options, exit_code, open_session, run, session_options
from itwin_async.conversion import to_dict
from itwin_async.paging import Pager
from itwin_async.session import Session

ITWINS = (
    Column("id", "id", "dim"),
    Column("name", "displayName", "bold"),
    Column("number", "number"),
    Column("sub-class", "subClass", "cyan"),
    Column("type", "type"),
)
ITWINS_FULL = (
    *ITWINS,
    Column("status", "status"),
    Column("location", "geographicLocation"),
    Column("data center", "dataCenterLocation"),
)
IMODELS = (
    Column("id", "id", "dim"),
    Column("name", "displayName", "bold"),
    Column("data center", "dataCenterLocation"),
)
IMODELS_FULL = (
    *IMODELS,
    Column("state", "state", "cyan"),
    Column("created", "createdDateTime"),
    Column("south", "extent.southWest.latitude"),
    Column("west", "extent.southWest.longitude"),
    Column("north", "extent.northEast.latitude"),
    Column("east", "extent.northEast.longitude"),
)

limit_option = click.option("--limit", type=click.IntRange(min=1), help="Stop after so many.")
full_option = click.option("--full", is_flag=True, help="All members, not just the summary.")
all_option = click.option("--include-inactive", is_flag=True, help="Inactive iTwins too.")


def listing_commands(group: click.Group, name: str) -> None:
    """
    Add ``itwins`` and ``imodels`` to a group.

    Args:
        group: the group.
        name: ``"favorites"`` or ``"recents"``.

    """
    words = "favorite" if name == "favorites" else "recently used"

    @group.command("itwins", help=f"List the {words} iTwins.")
    @all_option
    @full_option
    @limit_option
    @output_options
    @session_options
    def list_itwins(
        *, options: Options, form: str, limit: int | None, full: bool, include_inactive: bool
    ) -> None:
        columns = ITWINS_FULL if full else ITWINS

        async def main() -> None:
            async with open_session(options) as session:
                with Output(form, columns, f"{words} iTwins", limit) as output:
                    await _itwins(session, name, output, full=full, every=include_inactive)

        run(main)

    @group.command("imodels", help=f"List the {words} iModels, of one iTwin or of all favorites.")
    @click.option("--itwin", "itwin_id", metavar="ID", help="Only those of this iTwin.")
    @full_option
    @limit_option
    @output_options
    @session_options
    def list_imodels(
        *, options: Options, form: str, limit: int | None, full: bool, itwin_id: str | None
    ) -> None:
        columns = IMODELS_FULL if full else IMODELS
        if itwin_id is None:
            columns = (Column("iTwin", "iTwinName", "green"), *columns)

        async def main() -> None:
            async with open_session(options) as session:
                with Output(form, columns, f"{words} iModels", limit) as output:
                    if itwin_id is not None:
                        await _imodels(session, name, itwin_id, output, full=full)
                    else:
                        await _imodels_of_all(session, name, output, full=full)

        run(main)


def changing_command(
    group: click.Group,
    verb: str,
    words: str,
    changes: dict[str, Callable[[Session, str], Awaitable[None]]],
) -> None:
    """
    Add a command that calls an operation for each id it is given.

    Args:
        group: the group.
        verb: name of the command.
        words: what it does, for its help.
        changes: the operation by kind, ``"itwin"`` and ``"imodel"``.

    """

    @group.command(verb, help=words)
    @click.argument("kind", type=click.Choice(sorted(changes)))
    @click.argument("ids", nargs=-1, required=True)
    @session_options
    def change(*, options: Options, kind: str, ids: tuple[str, ...]) -> None:
        change_each(options, changes[kind], ids)


def change_each(
    options: Options, operation: Callable[[Session, str], Awaitable[None]], ids: Sequence[str]
) -> None:
    """
    Call an operation for each id; what fails is told, and the rest goes on.

    Args:
        options: what the command was given.
        operation: the operation.
        ids: ids of entities.

    """

    async def main() -> None:
        async with open_session(options) as session:
            report = await bulk.each(operation, session, ids)
        for failure in report.failures:
            click.echo(f"itwin-async: {failure.item}: {failure.error}", err=True)
        if report.failures:
            raise SystemExit(exit_code(report.failures[0].error))

    run(main)


async def _itwins(session: Session, name: str, output: Output, *, full: bool, every: bool) -> None:
    list_them = itwins.list_favorites if name == "favorites" else itwins.list_recents
    inactive = True if every else None
    pager: Pager[itwins.ITwinSummary] = (
        list_them(session, prefer="representation", include_inactive=inactive)
        if full
        else list_them(session, include_inactive=inactive)
    )
    async for page in pager.pages():
        output.write([to_dict(item) for item in page.items])
        if output.full:
            break


async def _imodels(
    session: Session, name: str, itwin_id: str, output: Output, *, full: bool
) -> None:
    async for page in _list_imodels(session, name, itwin_id, full=full).pages():
        output.write([to_dict(item) for item in page.items])
        if output.full:
            break


async def _imodels_of_all(session: Session, name: str, output: Output, *, full: bool) -> None:
    pages = in_order(
        itwins.list_favorites(session),
        lambda itwin: _list_imodels(session, name, itwin.id, full=full),
    )
    async with aclosing(pages):
        async for itwin, page in pages:
            above = {"iTwinId": itwin.id, "iTwinName": itwin.display_name}
            output.write([{**above, **to_dict(item)} for item in page.items])
            if output.full:
                break


def _list_imodels(
    session: Session, name: str, itwin_id: str, *, full: bool
) -> Pager[imodels.IModelSummary]:
    list_them = imodels.list_favorites if name == "favorites" else imodels.list_recents
    if full:
        return list_them(session, itwin_id, prefer="representation")
    return list_them(session, itwin_id)
