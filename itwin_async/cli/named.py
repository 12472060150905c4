"""The commands ``itwin-async imodels``, ``itwins``, ``versions``, ``views`` and ``locks``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping

import click

from itwin_async import catalog, to_dict
from itwin_async.catalog import Entry, Parameter
from itwin_async.cli.arguments import Kind, kind_of
from itwin_async.cli.call import Given, execute, options_of
from itwin_async.cli.cells import Column
from itwin_async.cli.changes import change_each
from itwin_async.cli.failures import complain
from itwin_async.cli.output import Output, output_options
from itwin_async.cli.progress import is_terminal
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.imodels import collect_locks, delete_imodel, release_all_locks
from itwin_async.paging import NumberedPaging

_NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "imodels": (
        "The iModels of an iTwin.",
        {"list": "list_imodels", "get": "get_imodel", "create": "create_imodel"},
    ),
    "itwins": (
        "iTwins that you are a member of.",
        {"list": "list_itwins", "get": "get_itwin", "create": "create_itwin"},
    ),
    "versions": (
        "Named versions of an iModel.",
        {
            "list": "list_named_versions",
            "get": "get_named_version",
            "create": "create_named_version",
        },
    ),
    "views": (
        "Saved views of an iTwin, an iModel or a group.",
        {"list": "list_saved_views", "get": "get_saved_view"},
    ),
}

yes_option = click.option("--yes", is_flag=True, help="Do not ask, on a terminal either.")


class _Text(click.ParamType):  # type: ignore[type-arg]
    """A parameter that is read by the type hint of a function's."""

    def __init__(self, kind: Kind) -> None:
        self.name = kind.text
        self._kind = kind

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._kind.read(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
        except OSError as problem:
            self.fail(f"cannot read {problem.filename}: {problem.strerror}", param, ctx)


def _group(name: str) -> click.Group:
    described, commands = _NAMES[name]
    entries = {entry.operation.name.partition(".")[2]: entry for entry in catalog.operations()}
    group = click.Group(name, help=described)
    for word, function in commands.items():
        group.add_command(_command(word, entries[function]))
    return group


def _command(word: str, entry: Entry) -> click.Command:
    parameters = [each for each in entry.parameters if each.name not in _PAGING]

    @session_options
    def callback(*, options: Options, **given: object) -> None:
        values = {each.name: given.pop(_key(each)) for each in parameters}
        chosen = {name: value for name, value in values.items() if value is not None}
        execute(entry, options, chosen, Given(**given))  # type: ignore[arg-type]

    for option in options_of(entry):
        callback = option(callback)
    described = (inspect.getdoc(entry.function) or "").partition("\n\n")[0].replace("``", "")
    command = click.command(word, help=described)(callback)
    command.params[:0] = [_parameter(each) for each in parameters]
    return command


def _parameter(parameter: Parameter) -> click.Parameter:
    kind = kind_of(parameter.hint)
    plain = parameter.name.rstrip("_")
    if parameter.required and not parameter.keyword:
        return click.Argument([_key(parameter)], type=_Text(kind), metavar=plain.upper())
    option = f"--{plain.removesuffix('_id').replace('_', '-')}"
    if kind.text == "true or false":
        return click.Option([f"{option}/--no-{option[2:]}", _key(parameter)], default=None)
    accepted = kind.text.removesuffix(" or null")
    return click.Option(
        [option, _key(parameter)],
        type=_Text(kind),
        required=parameter.required,
        metavar=plain.rpartition("_")[2].upper(),
        help=f"{accepted[:1].upper()}{accepted[1:]}.",
    )


def _key(parameter: Parameter) -> str:
    return f"of_{parameter.name}"  # one of a function's own may be called as one of the command's


def _confirm(question: str, *, yes: bool) -> None:
    """Ask whoever sits at a terminal."""
    if yes or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return
    if not click.confirm(question, err=True):
        complain("nothing was changed")
        sys.exit(1)


_PAGING = frozenset(NumberedPaging.__annotations__) | {"page_size", "cursor", "prefetch"}

imodels = _group("imodels")
itwins = _group("itwins")
versions = _group("versions")
views = _group("views")


@imodels.command("delete")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@yes_option
@session_options
def delete(*, options: Options, ids: tuple[str, ...], yes: bool) -> None:
    """Delete iModels. An ID of - stands for ids on stdin, one a line."""
    what = f"the iModel {ids[0]}" if len(ids) == 1 else f"{len(ids):,} iModels"
    _confirm(f"Delete {what} with all changesets?", yes=yes)
    change_each(options, delete_imodel, "imodel", ids, done="deleted")


@click.group(help="Locks that briefcases hold.")
def locks() -> None:
    """Group the commands."""


_imodel_argument = click.argument("imodel_id", metavar="IMODEL_ID")
_LOCKS = (
    Column("briefcase", "briefcaseId"),
    Column("shared", "lockedObjects", show=lambda value: _count(value, "shared")),
    Column("exclusive", "lockedObjects", show=lambda value: _count(value, "exclusive")),
)


@locks.command("show")
@_imodel_argument
@click.option("--briefcase", "briefcase_id", type=int, metavar="ID", help="Only of this briefcase.")
@click.option(
    "--level", "lock_level", type=click.Choice(["shared", "exclusive"]), help="Only of this level."
)
@output_options
@session_options
def show(*, options: Options, form: str, imodel_id: str, **filters: object) -> None:
    """Show how many elements each briefcase has locked; --json tells which."""

    async def main() -> None:
        with Output(form, _LOCKS, "briefcases", quiet=options.verbose) as output:
            async with open_session(options, (output.progress.observe,)) as session:
                found = await collect_locks(session, imodel_id, **filters)  # type: ignore[arg-type]
                await output.send([to_dict(lock) for lock in found])

    run(main)


@locks.command("release")
@_imodel_argument
@click.argument("briefcase_id", type=int)
@click.option("--changeset", metavar="ID", help="The changeset that the briefcase is at.")
@yes_option
@session_options
def release(
    *, options: Options, imodel_id: str, briefcase_id: int, changeset: str | None, yes: bool
) -> None:
    """Release all locks of a briefcase."""
    _confirm(f"Release all locks of the briefcase {briefcase_id}?", yes=yes)

    async def main() -> None:
        async with open_session(options) as session:
            await release_all_locks(session, imodel_id, briefcase_id, changeset_id=changeset)

    run(main)


def _count(value: object, level: str) -> str:
    parts = [part for part in value or () if part.get("lockLevel") == level]  # type: ignore[attr-defined]
    return f"{sum(len(part.get('objectIds') or ()) for part in parts):,}"
