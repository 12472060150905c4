"""The commands ``itwin-async favorites ...`` and ``itwin-async recents ...``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import attrs
import click

from itwin_async import imodels, itwins
from itwin_async._http.urls import guid
from itwin_async.cli.cells import Column, extent, moment
from itwin_async.cli.changes import changing_command
from itwin_async.cli.failures import complain, exit_code
from itwin_async.cli.fanout import in_order
from itwin_async.cli.forms import Form, full_option, limit_option, output_options
from itwin_async.cli.id_files import id_file, ids_of_file
from itwin_async.cli.itwin_filters import for_each_status, itwin_filters
from itwin_async.cli.known_ids import completing
from itwin_async.cli.output import Output, listing, paging_for, read_rows
from itwin_async.cli.runtime import Options, or_exit, run, session_options
from itwin_async.errors import ITwinError, NotFoundError, PermissionDeniedError
from itwin_async.imodels import IModel, IModelSummary
from itwin_async.itwins import ITwin, ITwinSummary
from itwin_async.paging import DetailPager, Pager
from itwin_async.session import Session

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

    async def itwins_of(
        self, session: Session, filters: dict[str, object]
    ) -> AsyncIterator[ITwinSummary]:
        """List iTwins, those of one status after those of another."""
        for each in for_each_status(filters):
            async for itwin in self.itwins(session, **each, **paging_for(None)):
                yield itwin


@click.group(help="Your favorite iTwins and iModels.")
def favorites() -> None:
    """Group the commands."""


@click.group(help="Your recently used iTwins and iModels; the platform keeps 25.")
def recents() -> None:
    """Group the commands."""


def _itwins_command(group: click.Group, lists: _Lists) -> None:
    noun = f"{lists.word} iTwins"

    @group.command("itwins", help=f"List the {noun}.")
    @itwin_filters
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
        filters: dict[str, object],
    ) -> None:
        async def main() -> None:
            columns = _ITWINS_FULL if full else _ITWINS
            async with listing(options, form, columns, noun, limit) as (output, session):
                for each in for_each_status(filters):
                    pager = lists.itwins(session, **each, **paging_for(limit))
                    await output.send_all(pager.full() if full else pager)
                    if output.limit_reached:
                        break

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
    @click.option(
        "--itwins",
        "itwins_file",
        type=id_file,
        metavar="FILE",
        help="Only those of these iTwins, one id a line; - is standard input.",
    )
    @itwin_filters
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
        itwins_file: Path | None,
        filters: dict[str, object],
    ) -> None:
        if sum([itwin_id is not None, itwins_file is not None, bool(filters)]) > 1:
            raise click.UsageError("--itwin, --itwins and filters are mutually exclusive")
        columns = _IMODELS_FULL if full else _IMODELS
        if itwin_id is None:
            columns = (*_OF_ALL_ITWINS, *columns[2:])

        given = or_exit(lambda: ids_of_file(itwins_file, "itwins"))

        async def main() -> int:
            async with listing(options, form, columns, f"{word} iModels", limit) as (
                output,
                session,
            ):
                if itwin_id is None:
                    outer = _given(given) if given else lists.itwins_of(session, filters)
                    return await _send_of_all(session, lists, outer, output, limit, full=full)
                await output.send_all(lists.imodels_of(session, itwin_id, limit, full=full))
                return 0

        run(main)


async def _given(ids: Sequence[str]) -> AsyncIterator[ITwinSummary]:
    for each in ids:
        yield ITwinSummary(guid("itwins", each))


async def _send_of_all(
    session: Session,
    lists: _Lists,
    outer: AsyncIterator[ITwinSummary],
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
