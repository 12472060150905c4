"""What favorites and recents have in common: the calling user's lists of iTwins and of iModels."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Literal, TypeAlias, TypeVar, get_args

import attrs
import click
import msgspec

from itwin_async import imodels, itwins
from itwin_async.cli.cells import Column, Row, extent, moment
from itwin_async.cli.failures import complain, exit_code
from itwin_async.cli.fanout import in_order
from itwin_async.cli.output import Output, output_options
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.errors import ITwinError, NotFoundError, PermissionDeniedError
from itwin_async.itwins import Status, SubClass
from itwin_async.paging import MAX_PAGE_SIZE, Page, Pager
from itwin_async.session import Session

F = TypeVar("F", bound=Callable[..., object])

Lists: TypeAlias = Literal["favorites", "recents"]

_AT_ONCE = 8
_WORDS = {"favorites": "favorite", "recents": "recently used"}

_ID = Column("id", "id", "dim", whole=True)
_NAME = Column("name", "displayName", "bold", least=16)
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
_ACROSS = (
    _ID,
    Column("name", "displayName", "bold", least=16, reach=48),
    Column("iTwin", "iTwinName", "cyan", reach=32),
)

_limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N rows."
)
_full_option = click.option("--full", is_flag=True, help="All members, not just the summary.")


@attrs.frozen
class _Filters:
    """Which iTwins to list."""

    sub_class: tuple[SubClass, ...]
    status: Status | None
    type: str | None
    include_inactive: bool


def listing_commands(group: click.Group, lists: Lists) -> None:
    """
    Add ``itwins`` and ``imodels`` to a group.

    Args:
        group: the group.
        lists: which of the user's lists it shows.

    """
    noun = f"{_WORDS[lists]} iTwins"

    @group.command("itwins", help=f"List the {noun}.")
    @_filter_options
    @_full_option
    @_limit_option
    @output_options
    @session_options
    def list_itwins(
        *, options: Options, form: str, limit: int | None, full: bool, **filters: object
    ) -> None:
        if filters["status"] and filters["include_inactive"]:
            raise click.UsageError("--status and --include-inactive exclude each other")

        async def main() -> None:
            columns = _ITWINS_FULL if full else _ITWINS
            with Output(form, columns, noun, limit, quiet=options.verbose) as output:
                async with open_session(options, (output.progress.observe,)) as session:
                    chosen = _Filters(**filters)  # type: ignore[arg-type]
                    await _show(_itwins(session, lists, chosen, limit, full=full), output)

        run(main)

    _imodels_command(group, lists)


def _imodels_command(group: click.Group, lists: Lists) -> None:
    word = _WORDS[lists]

    @group.command("imodels", help=f"List the {word} iModels, of one iTwin or of all {word} ones.")
    @click.option("--itwin", "itwin_id", metavar="ID", help="Only those of this iTwin.")
    @click.option("--include-inactive", is_flag=True, help="Those of inactive iTwins too.")
    @_full_option
    @_limit_option
    @output_options
    @session_options
    def list_imodels(
        *,
        options: Options,
        form: str,
        limit: int | None,
        full: bool,
        itwin_id: str | None,
        include_inactive: bool,
    ) -> None:
        columns = _IMODELS_FULL if full else _IMODELS
        if itwin_id is None:
            columns = (*_ACROSS, *columns[2:])

        async def main() -> int:
            with Output(form, columns, f"{word} iModels", limit, quiet=options.verbose) as output:
                async with open_session(options, (output.progress.observe,)) as session:
                    if itwin_id is not None:
                        pager = _imodels(session, lists, itwin_id, limit, full=full)
                        return await _show(pager, output)
                    filters = _Filters((), None, None, include_inactive)
                    outer = _itwins(session, lists, filters, None, full=False)
                    return await _show_all(session, lists, outer, output, limit, full=full)

        run(main)


async def _show(pager: Pager[object], output: Output) -> int:
    async for page in pager.pages():
        await output.send(_rows(page))
        if output.full:
            break
    return 0


async def _show_all(
    session: Session,
    lists: Lists,
    outer: Pager[itwins.ITwinSummary],
    output: Output,
    limit: int | None,
    *,
    full: bool,
) -> int:
    """Show the iModels of all iTwins; one that the user may not see does not hide the others."""
    failures: list[ITwinError] = []

    def passed_over(itwin: itwins.ITwinSummary, error: ITwinError) -> bool:
        if not isinstance(error, NotFoundError | PermissionDeniedError):
            return False
        with output.progress.aside():
            complain(f"left out {itwin.display_name or itwin.id}: {error}")
        failures.append(error)
        return True

    pages = in_order(
        outer,
        lambda itwin: _imodels(session, lists, itwin.id, limit, full=full),
        concurrency=min(_AT_ONCE, limit or _AT_ONCE),
        limit=limit,
        passed_over=passed_over,
    )
    async with aclosing(pages):
        async for itwin, page in pages:
            output.progress.detail = itwin.display_name or itwin.id
            above = {"iTwinId": itwin.id, "iTwinName": itwin.display_name}
            await output.send([{**above, **row} for row in _rows(page)])
            if output.full:
                break
    return exit_code(failures[0]) if failures else 0


def _rows(page: Page[object]) -> list[Row]:
    return [msgspec.json.decode(text, type=dict[str, object]) for text in page.raw_items()]


def _itwins(
    session: Session, lists: Lists, filters: _Filters, limit: int | None, *, full: bool
) -> Pager[itwins.ITwinSummary]:
    list_them = itwins.list_favorites if lists == "favorites" else itwins.list_recents
    make = partial(
        list_them,
        session,
        sub_class=filters.sub_class or None,
        status=filters.status,
        type=filters.type,
        include_inactive=True if filters.include_inactive else None,
        page_size=_page_size(limit),
        prefetch=_prefetch(limit),
    )
    return make().full() if full else make()


def _imodels(
    session: Session, lists: Lists, itwin_id: str, limit: int | None, *, full: bool
) -> Pager[imodels.IModelSummary]:
    list_them = imodels.list_favorites if lists == "favorites" else imodels.list_recents
    pager = list_them(session, itwin_id, page_size=_page_size(limit), prefetch=_prefetch(limit))
    return pager.full() if full else pager


def _page_size(limit: int | None) -> int:
    return min(limit or MAX_PAGE_SIZE, MAX_PAGE_SIZE)


def _prefetch(limit: int | None) -> int:
    return 1 if limit is None or limit > MAX_PAGE_SIZE else 0


def _filter_options(command: F) -> F:
    for option in (
        click.option("--include-inactive", is_flag=True, help="Inactive iTwins too."),
        click.option("--type", metavar="TYPE", help="Only iTwins of this type."),
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
