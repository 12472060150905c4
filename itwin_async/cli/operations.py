"""The command ``itwin-async operations``."""

from __future__ import annotations

import click
import msgspec

from itwin_async import catalog
from itwin_async.catalog import Entry
from itwin_async.cli.arguments import kind_of
from itwin_async.cli.output import output_options
from itwin_async.cli.runtime import run
from itwin_async.cli.stdout import write


@click.command(short_help="List all operations.")
@output_options
@click.option("--markdown", "form", flag_value="markdown", hidden=True)
def operations(*, form: str) -> None:
    """List all operations: function, method, path, title and result, one a line."""

    async def main() -> None:
        entries = list(catalog.operations())
        if form == "markdown":
            text = markdown(entries)
        elif form == "table":
            text = "".join(_line(entry) for entry in entries)
        else:
            rows = [msgspec.json.encode(_row(entry)).decode() for entry in entries]
            text = "".join(f"{row}\n" for row in rows)
            if form == "json":
                text = "[\n  " + ",\n  ".join(rows) + "\n]\n"
        write(text.encode())

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
