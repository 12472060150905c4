"""The command ``itwin-async call``: every operation, without a line of its own."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from datetime import date
from difflib import get_close_matches
from types import NoneType
from typing import cast, get_args, get_type_hints

import attrs
import click
import msgspec
from click.shell_completion import CompletionItem

from itwin_async import Content, LongRunning, catalog, converter
from itwin_async._arguments import shown
from itwin_async._json.naming import SPELLINGS, wire_name
from itwin_async.catalog import Entry
from itwin_async.cli.arguments import kind_of
from itwin_async.cli.cells import Column, moment, named_column
from itwin_async.cli.forms import Form, full_option, limit_option, output_options
from itwin_async.cli.known_ids import matching
from itwin_async.cli.output import listing, paging_for, save, write_value
from itwin_async.cli.progress import is_terminal
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.cli.stdout import write, write_while_others_run
from itwin_async.cli.web_page import open_page, web_option
from itwin_async.operations import (
    ContentOperation,
    DetailListOperation,
    EntityOperation,
    ListOperation,
    StartOperation,
)
from itwin_async.paging import DetailPager, Pager

_SIMPLE = {str, int, float, bool, NoneType}


@attrs.frozen
class Given:
    """The options of a call; those that its operation does not have are as if not given."""

    form: Form = attrs.Factory(Form)
    limit: int | None = None
    full: bool = False
    output: str | None = None
    wait: bool = False
    web: bool = False


class _Operations(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [entry.operation.name for entry in catalog.operations()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        for entry in catalog.operations():
            names = entry.operation.name, entry.operation.title.casefold()
            if cmd_name == names[0] or cmd_name.casefold() == names[1]:
                return _command(entry)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            raise click.UsageError(_unknown_operation(args[0]))
        return command.name if command else None, command, args[1:]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete operations without making a command of each."""
        found = [entry.operation for entry in catalog.operations()]
        return [
            CompletionItem(operation.name, help=operation.title)
            for operation in found
            if operation.name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List no operations: there are too many for a help page."""


@click.group(
    cls=_Operations,
    short_help="Call any operation of the platform.",
    subcommand_metavar="OPERATION [NAME=VALUE]...",
)
def call() -> None:
    """
    Call any operation of the platform, by its function or its title.

    \b
    itwin-async call saved_views.get_tag tag_id=ID
    itwin-async call "Get My Favorite iTwins" sub_class=Asset,Project --limit 5

    "itwin-async operations" lists the operations; "itwin-async call OPERATION --help" shows the
    arguments and options of one. Values are texts, numbers, true, false or null, several with
    commas between them, @FILE for bytes, JSON or @FILE for anything else.
    """  # noqa: D301 - click's mark for lines to be kept


def _command(entry: Entry) -> click.Command:
    operation = entry.operation

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        name, equals, text = incomplete.partition("=")
        if equals:
            return matching(name.removesuffix("_id"), text, prefix=f"{name}=")
        names = (f"{parameter.name}=" for parameter in entry.parameters)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]

    def callback(*, options: Options, arguments: tuple[str, ...], **given: object) -> None:
        values = read_arguments(entry, arguments, options)
        execute(entry, options, values, Given(**given))  # type: ignore[arg-type]

    decorated: Callable[..., None] = session_options(callback)
    for option in options_of(entry):
        decorated = option(decorated)
    argument = click.argument(
        "arguments", nargs=-1, metavar="[NAME=VALUE]...", shell_complete=complete
    )
    make = click.command(operation.name, help=_help(entry), short_help=operation.title)
    return make(argument(decorated))


def execute(entry: Entry, options: Options, values: dict[str, object], given: Given) -> None:
    """Call an operation's function, write what it answers with, and end the process."""
    to_stdout = isinstance(entry.operation, ContentOperation) and given.output is None
    if to_stdout and is_terminal(sys.stdout):
        raise click.UsageError("give --output FILE; --output - writes to the terminal")
    send = _list if isinstance(entry.operation, ListOperation) else _single
    run(lambda: send(entry, options, values, given))


def options_of(entry: Entry) -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    """Choose the options that fit what an operation answers with."""
    operation = entry.operation
    if isinstance(operation, DetailListOperation):
        return [output_options, limit_option, full_option]
    if isinstance(operation, ListOperation):
        return [output_options, limit_option]
    if isinstance(operation, EntityOperation):
        return [output_options, web_option]
    if isinstance(operation, ContentOperation):
        return [click.option("--output", metavar="FILE", help="Where to write it; - for stdout.")]
    if isinstance(operation, StartOperation):
        return [click.option("--wait", is_flag=True, help="Wait until it has ended.")]
    return []


def read_arguments(entry: Entry, given: Sequence[str], options: Options) -> dict[str, object]:
    """
    Read NAME=VALUE pairs as the arguments of an operation's function.

    The context stands for a missing iTwin or iModel, but nothing is deleted that is not named.

    Raises:
        UsageError: they are not.

    """
    parameters = {parameter.name: parameter for parameter in entry.parameters}
    accepted = f"accepted: {', '.join(parameters) or 'none'}"
    values: dict[str, object] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{shown(pair)} is not NAME=VALUE ({accepted})")
        if name not in parameters:
            close = get_close_matches(name, parameters, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"unknown argument {shown(name)}{hint} ({accepted})")
        if name in values:
            raise click.UsageError(f"{name} is given twice")
        try:
            values[name] = kind_of(parameters[name].hint).read(text)
        except ValueError as problem:
            raise click.UsageError(f"{name} {problem}") from None
        except OSError as problem:
            raise click.UsageError(
                f"cannot read {name} from {problem.filename}: {problem.strerror}"
            ) from None
    for setting in ("itwin", "imodel") if entry.operation.method != "DELETE" else ():
        parameter = parameters.get(f"{setting}_id")
        if parameter is not None and parameter.required and parameter.name not in values:
            values |= {parameter.name: found} if (found := options.context(setting)) else {}
    missing = [name for name in parameters if parameters[name].required and name not in values]
    if missing:
        raise click.UsageError(f"missing {', '.join(f'{name}=' for name in missing)} ({accepted})")
    return values


async def _list(entry: Entry, options: Options, values: dict[str, object], given: Given) -> None:
    operation = cast("ListOperation[object]", entry.operation)
    names = {parameter.name for parameter in entry.parameters}
    paging = {name: value for name, value in paging_for(given.limit).items() if name in names}
    model = operation.item
    if given.full and isinstance(operation, DetailListOperation):
        model = operation.full
    columns = columns_of(model)
    async with listing(options, given.form, columns, operation.key, given.limit) as (
        output,
        session,
    ):
        pager = cast("Pager[object]", entry.function(session, **{**paging, **values}))
        if given.full and isinstance(pager, DetailPager):
            pager = pager.full()
        await output.send_all(pager)


async def _single(entry: Entry, options: Options, values: dict[str, object], given: Given) -> None:
    async with open_session(options) as session:
        result = await entry.function(session, **values)  # type: ignore[misc]
        if isinstance(result, LongRunning):
            write(f"{result.id}\n".encode())
            if given.wait:
                await result.wait()
        elif isinstance(result, Content):
            if given.output is None or given.output == "-":
                await write_while_others_run(result.body)
            else:
                save(result.body, given.output)
        elif result is not None:
            found: object = converter.unstructure(result)
            if given.web:
                open_page(cast("dict[str, object]", found), session.base_url)
            else:
                write_value(given.form, msgspec.json.encode(found), indent=True)


def columns_of(model: type) -> list[Column]:
    """Make columns for a model's members that have simple values."""
    hints = get_type_hints(model)
    columns: list[Column] = []
    for field in attrs.fields(model):
        kinds = {*(get_args(hints[field.name]) or (hints[field.name],))}
        name = SPELLINGS.get(model, {}).get(field.name, wire_name(field.name))
        if any(isinstance(kind, type) and issubclass(kind, date) for kind in kinds):
            columns.append(Column(name, name, "dim", moment, whole=True))
        elif kinds <= _SIMPLE:
            columns.append(named_column(name))
    return columns


def _help(entry: Entry) -> str:
    operation, parameters = entry.operation, entry.parameters
    facts = [
        operation.title,
        f"{operation.method} {operation.path}",
        f"{operation.name}{_signature(entry.function)}",
    ]
    if parameters:
        facts += ["", "\b", "Arguments:"]
    width = max((len(parameter.name) for parameter in parameters), default=0)
    for parameter in parameters:
        accepted = kind_of(parameter.hint).text + "; required" * parameter.required
        facts.append(f"  {parameter.name:{width}}  {accepted}")
    described = (inspect.getdoc(entry.function) or "").replace("``", "")
    # Click keeps the lines of a paragraph that begins with \b.
    described = re.sub(r"(?m)^(?=\w+:$)", "\b\n", described)
    return "\n".join([described, "", "\b", *facts])


class _Verbatim(str):
    """An annotation that a signature shows without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _signature(function: Callable[..., object]) -> inspect.Signature:
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_Verbatim(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    returned = _Verbatim(signature.return_annotation)
    return signature.replace(parameters=parameters, return_annotation=returned)


def _unknown_operation(word: str) -> str:
    known: dict[str, str] = {}
    for entry in catalog.operations():
        name, title = entry.operation.name, entry.operation.title
        known |= {name: name, name.partition(".")[2]: name, title.casefold(): title}
    close = get_close_matches(word.casefold(), known, 1)
    hint = f"; did you mean {known[close[0]]!r}?" if close else "; see 'itwin-async operations'"
    return f"there is no operation {shown(word)}{hint}"
