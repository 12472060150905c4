"""The options that say how a command writes what it has found."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import attrs
import click

from itwin_async.cli.jq_filter import Filter, FilterType

F = TypeVar("F", bound=Callable[..., object])

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N rows."
)
full_option = click.option(
    "--full", is_flag=True, help="Whole entities instead of their summaries."
)


@attrs.frozen
class Form:
    """
    How rows are written.

    Attributes:
        kind: ``"table"``, ``"json"``, ``"ndjson"`` or ``"csv"``.
        columns: members to write, by their paths; all where there are none.
        jq: what is applied to each row, or to the list of all where the kind is ``"json"``.

    """

    kind: str = "table"
    columns: tuple[str, ...] = ()
    jq: Filter | None = None

    @property
    def is_default(self) -> bool:
        """Whether nothing was asked for."""
        return self == Form()


class _Columns(click.ParamType):  # type: ignore[type-arg]
    name = "columns"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in str(value).split(","))
        if not all(names) or len({*names}) < len(names):
            self.fail("give names with commas between them, each once", param, ctx)
        return names


def output_options(command: F) -> F:
    """Give a command the options of what it writes, as ``form: Form``."""

    @functools.wraps(command)
    def gather(
        *, kind: str, columns: tuple[str, ...], jq: Filter | None, **others: object
    ) -> object:
        if jq is not None and (columns or kind == "csv"):
            raise click.UsageError("--jq and --columns or --csv are mutually exclusive")
        return command(form=Form(kind, columns, jq), **others)

    decorated: Callable[..., object] = gather
    for option in (
        click.option(
            "--jq",
            type=FilterType(),
            metavar="FILTER",
            help="Apply a filter of jq to each item; with --json, to the list.",
        ),
        click.option(
            "--columns",
            type=_Columns(),
            default=(),
            metavar="NAME,NAME",
            help="Only these members, such as id,extent.southWest.",
        ),
        click.option("--csv", "kind", flag_value="csv", help="CSV with a line of names."),
        click.option("--ndjson", "kind", flag_value="ndjson", help="One JSON object a line."),
        click.option("--json", "kind", flag_value="json", help="JSON."),
        click.option("--table", "kind", flag_value="table", default="table", hidden=True),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]
