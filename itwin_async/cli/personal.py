"""The commands ``itwin-async favorites ...`` and ``itwin-async recents ...``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TypeVar, get_args

import attrs
import click

from itwin_async import imodels, itwins
from itwin_async.cli.cells import Column, extent, moment
from itwin_async.cli.changes import changing_command
from itwin_async.cli.failures import complain, exit_code
from itwin_async.cli.fanout import in_order
from itwin_async.cli.forms import Form, full_option, limit_option, output_options
from itwin_async.cli.known_ids import completing
from itwin_async.cli.output import Output, listing, paging_for, read_rows
from itwin_async.cli.runtime import Options, run, session_options
from itwin_async.errors import ITwinError, NotFoundError, PermissionDeniedError
from itwin_async.imodels import IModel, IModelSummary
from itwin_async.itwins import ITwin, ITwinFilters, ITwinSummary, Status, SubClass
from itwin_async.paging import DetailPager, Pager
from itwin_async.session import Session

F = TypeVar("F", bound=Callable[..., object])

_CONCURRENCY = 8

_ID = Column("id", "id", "dim", whole=True)
_NAME = Column("name", "displayName", "bold", min_width=16)
_DATA_CENTER = Column("data center", "dataCenterLocation")
_CREATED = Column("created", "createdDateTime", "dim", moment, whole=True)
_ITWINS = (
    _ID,
    _NAME,
    Column("number", "number"),
    Column("sub-class", "subClass", "cyan"),
    Column("type", "type"),
)
_ITWINS_FULL = (
    *_ITWINS,
    Column("status", "status", "green"),
    _CREATED,
    Column("location", "geographicLocation"),
    _DATA_CENTER,
)
_IMODELS = (_ID, _NAME, _DATA_CENTER)
_IMODELS_FULL = (
    _ID,
    _NAME,
    Column("state", "state", "cyan"),
    _CREATED,
    _DATA_CENTER,
    Column("extent", "extent", "green", extent, whole=True),
)
_OF_ALL_ITWINS = (
    _ID,
    Column("name", "displayName", "bold", min_width=16, spare_width=48),
    Column("iTwin", "iTwinName", "cyan", spare_width=32),
)


@attrs.frozen
class _Lists:
    """The lists of a user's favorites, or of what the user used recently."""

    word: str
    itwins: Callable[..., DetailPager[ITwinSummary, ITwin]]
    imodels: Callable[..., DetailPager[IModelSummary, IModel]]

    def imodels_of(
        self, session: Session, itwin_id: str, limit: int | None, *, full: bool
    ) -> Pager[IModelSummary]:
        """List the iModels of an iTwin."""
        pager = self.imodels(session, itwin_id, **paging_for(limit))
        return pager.full() if full else pager


@click.group(help="Your favorite iTwins and iModels.")
def favorites() -> None:
    """Group the commands."""


@click.group(help="Your recently used iTwins and iModels; the platform keeps 25.")
def recents() -> None:
    """Group the commands."""


def _filter_options(command: F) -> F:
    for option in (
        click.option("--include-inactive", is_flag=True, help="Inactive iTwins too."),
        click.option("--type", "type_", metavar="TYPE", help="Only iTwins of this type."),
        click.option("--status", type=click.Choice(get_args(Status)), help="Only of this status."),
        click.option(
            "--sub-class",
            type=click.Choice(get_args(SubClass)),
            multiple=True,
            help="Only of this sub-class; may be repeated.",
        ),
    ):
        command = option(command)
    return command


def _itwins_command(group: click.Group, lists: _Lists) -> None:
    noun = f"{lists.word} iTwins"

    @group.command("itwins", help=f"List the {noun}.")
    @_filter_options
    @full_option
    @limit_option
    @output_options
    @session_options
    def list_itwins(
        *,
        options: Options,
        form: Form,
        limit: int | None,
        full: bool,
        sub_class: tuple[SubClass, ...],
        status: Status | None,
        type_: str | None,
        include_inactive: bool,
    ) -> None:
        filters: ITwinFilters = {
            "sub_class": sub_class or None,
            "status": status,
            "type": type_,
            "include_inactive": include_inactive or None,
        }

        async def main() -> None:
            columns = _ITWINS_FULL if full else _ITWINS
            async with listing(options, form, columns, noun, limit) as (output, session):
                pager = lists.itwins(session, **filters, **paging_for(limit))
                await output.send_all(pager.full() if full else pager)

        run(main)


def _imodels_command(group: click.Group, lists: _Lists) -> None:
    word = lists.word

    @group.command("imodels", help=f"List the {word} iModels, of one iTwin or of all {word} ones.")
    @click.option(
        "--itwin",
        "itwin_id",
        metavar="ID",
        help="Only those of this iTwin.",
        shell_complete=completing("itwin"),
    )
    @click.option("--include-inactive", is_flag=True, help="Those of inactive iTwins too.")
    @full_option
    @limit_option
    @output_options
    @session_options
    def list_imodels(
        *,
        options: Options,
        form: Form,
        limit: int | None,
        full: bool,
        itwin_id: str | None,
        include_inactive: bool,
    ) -> None:
        columns = _IMODELS_FULL if full else _IMODELS
        if itwin_id is None:
            columns = (*_OF_ALL_ITWINS, *columns[2:])

        async def main() -> int:
            async with listing(options, form, columns, f"{word} iModels", limit) as (
                output,
                session,
            ):
                if itwin_id is None:
                    outer = lists.itwins(
                        session,
                        include_inactive=include_inactive or None,
                        **paging_for(None),
                    )
                    return await _send_of_all(session, lists, outer, output, limit, full=full)
                await output.send_all(lists.imodels_of(session, itwin_id, limit, full=full))
                return 0

        run(main)


async def _send_of_all(
    session: Session,
    lists: _Lists,
    outer: Pager[ITwinSummary],
    output: Output,
    limit: int | None,
    *,
    full: bool,
) -> int:
    """Write the iModels of all iTwins, without those of iTwins that the user may not see."""
    failures: list[ITwinError] = []

    def leave_out(itwin: ITwinSummary, error: ITwinError) -> bool:
        if not isinstance(error, NotFoundError | PermissionDeniedError):
            return False
        with output.progress.paused():
            complain(f"left out {itwin.display_name or itwin.id}: {error}")
        failures.append(error)
        return True

    pages = in_order(
        outer,
        lambda itwin: lists.imodels_of(session, itwin.id, limit, full=full),
        concurrency=min(_CONCURRENCY, limit or _CONCURRENCY),
        limit=limit,
        on_error=leave_out,
    )
    async with aclosing(pages):
        async for itwin, page in pages:
            output.progress.detail = itwin.display_name or itwin.id
            owner = {"iTwinId": itwin.id, "iTwinName": itwin.display_name}
            await output.send([{**owner, **row} for row in read_rows(page)])
            if output.limit_reached:
                break
    return exit_code(failures[0]) if failures else 0


for _group, _lists in (
    (favorites, _Lists("favorite", itwins.list_favorites, imodels.list_favorites)),
    (recents, _Lists("recently used", itwins.list_recents, imodels.list_recents)),
):
    _itwins_command(_group, _lists)
    _imodels_command(_group, _lists)

changing_command(
    favorites,
    "add",
    "Add iTwins or iModels to your favorites.",
    {"itwin": itwins.add_favorite, "imodel": imodels.add_favorite},
    done="added to your favorites",
)
changing_command(
    favorites,
    "remove",
    "Remove iTwins or iModels from your favorites.",
    {"itwin": itwins.remove_favorite, "imodel": imodels.remove_favorite},
    done="removed from your favorites",
)
changing_command(
    recents,
    "add",
    "Put iTwins or iModels at the front of your recently used ones; the last comes first.",
    {"itwin": itwins.add_recent, "imodel": imodels.add_recent},
    done="added to your recently used ones",
    concurrency=1,
)
changing_command(
    recents,
    "remove",
    "Remove iModels from your recently used ones; the platform cannot remove iTwins.",
    {"imodel": imodels.remove_recent},
    done="removed from your recently used ones",
)
