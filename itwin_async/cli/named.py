"""The commands ``itwin-async imodels``, ``itwins``, ``versions``, ``views`` and ``locks``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence

import click

from itwin_async import catalog, to_dict
from itwin_async.catalog import Entry, Parameter
from itwin_async.cli.arguments import Kind, kind_of
from itwin_async.cli.call import Given, execute, options_of
from itwin_async.cli.cells import Column
from itwin_async.cli.changes import change_each
from itwin_async.cli.failures import complain
from itwin_async.cli.forms import Form, output_options
from itwin_async.cli.known_ids import completing
from itwin_async.cli.output import listing
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

_OWNERS = frozenset({"itwin_id", "imodel_id", "group_id"})

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
        _complete_by_context(options, parameters, values)
        chosen = {name: value for name, value in values.items() if value is not None}
        execute(entry, options, chosen, Given(**given))  # type: ignore[arg-type]

    for option in options_of(entry):
        callback = option(callback)
    described = (inspect.getdoc(entry.function) or "").partition("\n\n")[0].replace("``", "")
    command = click.command(word, help=described)(callback)
    found = [_parameter(each) for each in parameters]
    if any(map(_setting, _positional(parameters)[:1])):  # the context may stand for the first
        for argument in found:
            argument.required = argument.required and not isinstance(argument, click.Argument)
        found[0].metavar = f"[{found[0].metavar}]"
    command.params[:0] = found
    return command


def _positional(parameters: Sequence[Parameter]) -> list[Parameter]:
    return [each for each in parameters if each.required and not each.keyword]


def _setting(parameter: Parameter) -> str:
    name = parameter.name.removesuffix("_id")
    return name if name in {"itwin", "imodel"} else ""


def _complete_by_context(
    options: Options, parameters: Sequence[Parameter], values: dict[str, object]
) -> None:
    """
    Take the iTwin or iModel of the context where one argument is missing.

    Raises:
        UsageError: another one is missing, or there is no context.

    """
    owners = [each.name for each in parameters if each.keyword and each.name in _OWNERS]
    if "itwin_id" in owners and not any(values[name] for name in owners):
        values["itwin_id"] = options.context("itwin")
    names = [each.name for each in _positional(parameters)]
    if not names or values[names[-1]] is not None:
        return
    setting = _setting(parameters[0])
    found = options.context(setting) if setting else None
    given = [values[name] for name in names if values[name] is not None]
    missing = len(names) - len(given)
    if found is None or missing > 1:
        name = names[0] if found is None and setting and missing == 1 else names[len(given)]
        hint = f", or a context: 'itwin-async context set --{setting} ID'" if setting else ""
        raise click.UsageError(f"Missing argument '{name.upper()}'{hint}")
    values |= dict(zip(names, [found, *given], strict=True))


def _parameter(parameter: Parameter) -> click.Parameter:
    kind = kind_of(parameter.hint)
    plain = parameter.name.rstrip("_")
    setting = _setting(parameter)
    if parameter.required and not parameter.keyword:
        return click.Argument(
            [_key(parameter)],
            type=_Text(kind),
            metavar=plain.upper(),
            shell_complete=completing(setting) if setting else None,
        )
    option = f"--{plain.removesuffix('_id').replace('_', '-')}"
    if kind.text == "true or false":
        return click.Option([f"{option}/--no-{option[2:]}", _key(parameter)], default=None)
    accepted = kind.text.removesuffix(" or null")
    return click.Option(
        [option, _key(parameter)],
        type=_Text(kind),
        required=parameter.required,
        shell_complete=completing(setting) if setting else None,
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
@click.argument(
    "ids", nargs=-1, required=True, metavar="ID...", shell_complete=completing("imodel")
)
@yes_option
@session_options
def delete(*, options: Options, ids: tuple[str, ...], yes: bool) -> None:
    """Delete iModels. An ID of - stands for ids on stdin, @FILE for those in a file."""
    what = f"the iModel {ids[0]}" if len(ids) == 1 else f"{len(ids):,} iModels"
    _confirm(f"Delete {what} with all changesets?", yes=yes)
    change_each(options, delete_imodel, "imodel", ids, done="deleted")


@click.group(help="Locks that briefcases hold.")
def locks() -> None:
    """Group the commands."""


_imodel_argument = click.argument(
    "imodel_id", metavar="IMODEL_ID", shell_complete=completing("imodel")
)
_LOCKS = (
    Column("briefcase", "briefcaseId"),
    Column("shared", "lockedObjects", show=lambda value: _count(value, "shared")),
    Column("exclusive", "lockedObjects", show=lambda value: _count(value, "exclusive")),
)


@locks.command("show")
@click.argument(
    "imodel_id", required=False, metavar="[IMODEL_ID]", shell_complete=completing("imodel")
)
@click.option("--briefcase", "briefcase_id", type=int, metavar="ID", help="Only of this briefcase.")
@click.option(
    "--level", "lock_level", type=click.Choice(["shared", "exclusive"]), help="Only of this level."
)
@output_options
@session_options
def show(*, options: Options, form: Form, imodel_id: str | None, **filters: object) -> None:
    """Show how many elements each briefcase has locked; --json tells which."""
    chosen = options.given_or_context("imodel", imodel_id)

    async def main() -> None:
        async with listing(options, form, _LOCKS, "briefcases") as (output, session):
            found = await collect_locks(session, chosen, **filters)  # type: ignore[arg-type]
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
