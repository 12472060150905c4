"""The command ``itwin-async operations``."""

from __future__ import annotations

import click

from itwin_async import catalog
from itwin_async.catalog import Entry
from itwin_async.cli.arguments import kind_of
from itwin_async.cli.cells import named_column
from itwin_async.cli.forms import Form, output_options
from itwin_async.cli.output import Output
from itwin_async.cli.runtime import run
from itwin_async.cli.stdout import write

_COLUMNS = tuple(map(named_column, ("name", "method", "path", "title", "result", "kind")))


@click.command(short_help="List all operations.")
@output_options
@click.option("--markdown", "as_markdown", is_flag=True, hidden=True)
def operations(*, form: Form, as_markdown: bool) -> None:
    """List all operations: function, method, path, title and result, one a line."""

    async def main() -> None:
        entries = list(catalog.operations())
        if as_markdown:
            write(markdown(entries).encode())
        elif form.is_default:
            write("".join(map(_line, entries)).encode())
        else:
            with Output(form, _COLUMNS, "operations") as output:
                await output.send([_row(entry) for entry in entries])

    run(main)


def markdown(entries: list[Entry]) -> str:
    """Write a table of operations, as the README has it."""
    lines = ["| platform operation | function | result |", "|---|---|---|"]
    for entry in entries:
        operation = entry.operation
        result = f"`{operation.result}` ".replace("|", r"\|") if operation.result else ""
        lines.append(f"| {operation.title} | `{entry.usage}` | {result}|")
    return "".join(f"{line}\n" for line in lines)


def _line(entry: Entry) -> str:
    operation = entry.operation
    result = f"  -> {operation.result}" if operation.result else ""
    return f"{operation.name}  {operation.method} {operation.path}  {operation.title}{result}\n"


def _row(entry: Entry) -> dict[str, object]:
    operation = entry.operation
    return {
        "name": operation.name,
        "title": operation.title,
        "method": operation.method,
        "path": operation.path,
        "parameters": [
            {
                "name": parameter.name,
                "required": parameter.required,
                "accepts": kind_of(parameter.hint).text,
            }
            for parameter in entry.parameters
        ],
        "result": operation.result,
        "kind": operation.kind,
    }
