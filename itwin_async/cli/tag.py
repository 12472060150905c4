"""The commands ``itwin-async tag ...``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import click

from itwin_async import saved_views, to_dict
from itwin_async.cli.cells import Column
from itwin_async.cli.changes import change_each
from itwin_async.cli.forms import Form, output_options
from itwin_async.cli.known_ids import completing
from itwin_async.cli.output import listing, write_one
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.cli.web_page import open_page, web_option
from itwin_async.session import Session

_COLUMNS = (Column("id", "id", "dim", whole=True), Column("name", "displayName", "bold"))

_itwin_option = click.option(
    "--itwin", "itwin_id", metavar="ID", help="Of this iTwin.", shell_complete=completing("itwin")
)
_imodel_option = click.option(
    "--imodel",
    "imodel_id",
    metavar="ID",
    help="Of this iModel.",
    shell_complete=completing("imodel"),
)


@click.group(help="Tags, which organize saved views.")
def tag() -> None:
    """Group the commands."""


@tag.command("list")
@_itwin_option
@_imodel_option
@output_options
@session_options
def list_tags(*, options: Options, form: Form, **owner: str | None) -> None:
    """List the tags of an iTwin or iModel."""

    async def main() -> None:
        async with listing(options, form, _COLUMNS, "tags") as (output, session):
            await output.send_all(saved_views.list_tags(session, **_owner(options, owner)))

    run(main)


@tag.command("create")
@click.argument("name")
@_itwin_option
@_imodel_option
@output_options
@session_options
def create(*, options: Options, form: Form, name: str, **owner: str | None) -> None:
    """
    Create a tag; its name must not contain any of < > & " ' and the dot.
    """
    chosen = _owner(options, owner)
    _one(options, form, lambda session: saved_views.create_tag(session, name, **chosen))


@tag.command("show")
@click.argument("tag_id", metavar="ID")
@web_option
@output_options
@session_options
def show(*, options: Options, form: Form, tag_id: str, web: bool) -> None:
    """Show a tag."""
    _one(options, form, lambda session: saved_views.get_tag(session, tag_id), web=web)


@tag.command("rename")
@click.argument("tag_id", metavar="ID")
@click.argument("name")
@output_options
@session_options
def rename(*, options: Options, form: Form, tag_id: str, name: str) -> None:
    """Rename a tag."""
    _one(
        options,
        form,
        lambda session: saved_views.update_tag(session, tag_id, display_name=name),
    )


@tag.command("delete")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@session_options
def delete(*, options: Options, ids: tuple[str, ...]) -> None:
    """Delete tags. An ID of - stands for ids on stdin, @FILE for those in a file."""
    change_each(options, saved_views.delete_tag, "tag", ids, done="deleted")


def _owner(options: Options, given: dict[str, str | None]) -> dict[str, str | None]:
    """Take the iTwin of the context where no owner is given."""
    if any(given.values()):
        return given
    return {"itwin_id": options.context("itwin"), "imodel_id": None}


def _one(
    options: Options,
    form: Form,
    call: Callable[[Session], Awaitable[saved_views.Tag]],
    *,
    web: bool = False,
) -> None:
    async def main() -> None:
        async with open_session(options) as session:
            found = to_dict(await call(session))
            if web:
                open_page(found, session.base_url)
                return
        write_one(form, _COLUMNS, found)

    run(main)
